"""Explanations: how one probe image was matched to one gallery image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class BlockGrid:
    """The blocks of one scale: windows of `size` x `size`, one step apart, on a map of `height` x `width` locations.

    Blocks are counted row by row, as `reidops.dsr_distance` orders them.

    Example:
        >>> BlockGrid(height=8, width=4, size=2).box(0)
        (0.0, 0.0, 0.5, 0.25)
    """

    height: int
    width: int
    size: int = 1

    @property
    def rows(self) -> int:
        """Blocks from top to bottom."""
        return self.height - self.size + 1

    @property
    def columns(self) -> int:
        """Blocks from left to right."""
        return self.width - self.size + 1

    def __len__(self) -> int:
        return self.rows * self.columns

    def box(self, index: int) -> Box:
        """(left, top, right, bottom) of a block as fractions of the image, which is what a report draws."""
        row, column = divmod(index, self.columns)
        return (
            column / self.width,
            row / self.height,
            (column + self.size) / self.width,
            (row + self.size) / self.height,
        )


@dataclass(frozen=True)
class Reconstruction:
    """Which gallery blocks rebuilt which probe block, and how well.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe_grids, gallery_grids: the block grids, one per scale; blocks are numbered through all of them in order.
        error: (N,) the squared reconstruction error ||x_n - Y w_n||^2 of each probe block; their mean is `distance`.
        coefficients: (M, N) the weight of gallery block m in probe block n.
        probe_size, gallery_size: (height, width) in pixels at which the two images entered the network.
    """

    distance: float
    probe_grids: tuple[BlockGrid, ...]
    gallery_grids: tuple[BlockGrid, ...]
    error: Tensor
    coefficients: Tensor
    probe_size: tuple[int, int]
    gallery_size: tuple[int, int]

    def error_map(self, scale: int = 0) -> Tensor:
        """(rows, columns) error of the probe blocks of one scale, counted from 0 as in `probe_grids`."""
        before = sum(len(grid) for grid in self.probe_grids[:scale])
        grid = self.probe_grids[scale]
        return self.error[before : before + len(grid)].reshape(grid.rows, grid.columns)

    def probe_box(self, index: int) -> Box:
        """Where probe block `index` lies, as fractions of the probe image."""
        return _box(self.probe_grids, index)

    def gallery_box(self, index: int) -> Box:
        """Where gallery block `index` lies, as fractions of the gallery image."""
        return _box(self.gallery_grids, index)


@dataclass(frozen=True)
class Alignment:
    """Which part of the gallery image was compared with the probe.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        theta: (2, 3) from the affined image's coordinates to the gallery image's, both in [-1, 1].
        probe: (3, H, W) the probe as it was compared, that is, resized.
        affined: (3, H, W) what theta samples of the gallery image.
        align_corners: whether -1 and 1 are the centres of the corner pixels, or their outer edges.
    """

    distance: float
    theta: Tensor
    probe: Tensor
    affined: Tensor
    align_corners: bool = False

    def corners(self) -> list[tuple[float, float]]:
        """(x, y) of the sampled part's corners as fractions of the gallery image, clockwise from the upper left.

        Example:
            >>> import torch
            >>> image, theta = torch.zeros(3, 8, 4), torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
            >>> Alignment(0.0, theta, image, image).corners()
            [(0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)]
        """
        height, width = self.affined.shape[-2:]
        # With aligned corners the outer edges lie half a pixel beyond -1 and 1.
        x, y = ((size / (size - 1) if self.align_corners and size > 1 else 1.0) for size in (width, height))
        places = self.theta.new_tensor([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]]) @ self.theta.mT
        scale = self.theta.new_tensor([1 / x, 1 / y])
        return [(u, v) for u, v in (places * scale / 2 + 0.5).tolist()]


@dataclass(frozen=True)
class ScoreMaps:
    """Where in the gallery image the parts of the probe were found.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        facts: what the distance is made of, in words and numbers.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        maps: (T, h, w) of each level, by its name; the more alike, the higher.
        parts: (T, 4, 2), the corners (x, y) of each part as fractions of the probe, for each level.
    """

    distance: float
    facts: str
    probe: Tensor
    gallery: Tensor
    maps: Mapping[str, Tensor]
    parts: Mapping[str, Tensor]


@dataclass(frozen=True)
class PartAttention:
    """Where each part of a person was looked for in either image, and how much of it is believed to be there.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        maps: (2, N, h, w) attention over the probe and over the gallery image; each map has the sum 1.
        presence: (2, N), the weight of each part in the distance, 1 on the average over the parts; the less, the more a
            part is believed hidden. None where parts are not weighted.
    """

    distance: float
    probe: Tensor
    gallery: Tensor
    maps: Tensor
    presence: Tensor | None


@dataclass(frozen=True)
class LocatedRegions:
    """Where the regions of a body were located in either image.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        names: of the R regions.
        boxes: (2, R, 4) left, top, right and bottom edges as shares of the probe and of the gallery image.
    """

    distance: float
    probe: Tensor
    gallery: Tensor
    names: Sequence[str]
    boxes: Tensor


Explanation = Reconstruction | Alignment | ScoreMaps | PartAttention | LocatedRegions


def _box(grids: Sequence[BlockGrid], index: int) -> Box:
    for grid in grids:
        if index < len(grid):
            return grid.box(index)
        index -= len(grid)
    raise IndexError("block index out of range")
