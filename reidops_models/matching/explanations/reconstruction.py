"""Explanation of a pair: which gallery blocks rebuilt which probe block, and how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidops_models.matching.explanations.colours import css, error_colours, mixed_colours, position_colours
from reidops_models.matching.explanations.grid import BlockGrid
from reidops_models.matching.explanations.panel import Block, Box, Mark, Panel, Scale

MOST_BLOCKS = 1024  # of a probe that is drawn; the blocks of a whole photograph would be too small to point at
OPAQUE = 0.75  # the worst block of an error map; a block that was rebuilt well lets the image through
FEWEST = 0.02  # weights below this share of a block's largest are not drawn
MOST_LINES = 40  # drawn at rest; more only make a thicket


@dataclass(frozen=True)
class Reconstruction:
    """Which gallery blocks rebuilt which probe block, and how well.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe_grids, gallery_grids: the block grids, one per scale; blocks are numbered through all of them in order.
        error: (N,) the squared reconstruction error ||x_n - Y w_n||^2 of each probe block; their mean is `distance`.
        coefficients: (M, N) the weight of gallery block m in probe block n.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
    """

    title: ClassVar[str] = "which gallery blocks rebuilt which probe block"

    distance: float
    probe_grids: tuple[BlockGrid, ...]
    gallery_grids: tuple[BlockGrid, ...]
    error: Tensor
    coefficients: Tensor
    probe: Tensor
    gallery: Tensor

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

    @property
    def facts(self) -> str:
        """The distance."""
        return f"distance {self.distance:.4f}"

    def panels(self) -> list[Panel]:
        """The errors of the blocks of each size, then the probe, a colour for each block, and the gallery image, in
        the colours of what it rebuilt. Nothing for a probe of more than `MOST_BLOCKS` blocks."""
        probe_grid, gallery_grid = self.probe_grids[0], self.gallery_grids[0]
        if len(probe_grid) > MOST_BLOCKS:
            return []
        # The finest probe blocks are drawn; they may lean on gallery blocks of every scale.
        coefficients = self.coefficients[:, : len(probe_grid)].detach().double().cpu().numpy()
        weights = np.abs(location_weights(coefficients, self.gallery_grids))
        colours = position_colours(probe_grid.rows, probe_grid.columns)
        places = BlockGrid(gallery_grid.height, gallery_grid.width).boxes()
        mixed, strength = mixed_colours(weights, colours)
        return [
            *self._error_panels(),
            Panel(self.probe, "probe", blocks=self._blocks(weights, places, colours), to_scale=True),
            Panel(
                self.gallery,
                "rank 1, coloured by what it rebuilt",
                marks=tuple(
                    # The square root lifts faint blocks into sight.
                    Mark(place, css(colour), round(0.85 * float(share) ** 0.5, 3))
                    for place, colour, share in zip(places, mixed, strength, strict=True)
                ),
                to_scale=True,
            ),
        ]

    def _error_panels(self) -> list[Panel]:
        largest = float(self.error.max()) if self.error.numel() else 0.0  # one scale of colours for all sizes
        ramp = tuple(
            (css(error_colours(share, 1.0)), round(OPAQUE * float(share), 3)) for share in np.linspace(0, 1, 9)
        )
        scale = Scale(ramp, "0", f"{largest:.2f}")
        panels = []
        for index, grid in enumerate(self.probe_grids):
            errors = self.error_map(index).detach().double().cpu().numpy().reshape(-1)
            marks = tuple(
                Mark(place, css(colour), round(OPAQUE * float(error) / (largest or 1.0), 3), f"error {error:.3f}")
                for place, colour, error in zip(grid.middles(), error_colours(errors, largest), errors, strict=True)
            )
            caption = f"error, {grid.size}x{grid.size} blocks"
            panels.append(Panel(self.probe, caption, marks=marks, scale=scale if index == 0 else None, to_scale=True))
        return panels

    def _blocks(
        self, weights: NDArray[np.float64], places: Sequence[Box], colours: NDArray[np.float64]
    ) -> tuple[Block, ...]:
        heaviest = weights.max(axis=0, initial=0.0)
        # At rest only the surest lines are drawn, the rest appears when somebody points at their block.
        faintest = np.sort(heaviest)[::-1][:MOST_LINES][-1] if heaviest.size else 0.0
        top = float(heaviest.max(initial=0.0)) or 1.0
        blocks = []
        for index, place in enumerate(self.probe_grids[0].boxes()):
            column, most, colour = weights[:, index], heaviest[index], css(colours[index])
            used = [int(m) for m in np.argsort(-column, kind="stable") if column[m] > FEWEST * most]
            error = float(self.error[index])
            label = f"error {error:.3f}, rebuilt from {len(used)} block{'s' if len(used) != 1 else ''}"
            marks = (Mark(places[m], colour, round(float(column[m] / most), 3), f"{column[m]:.2f}") for m in used)
            line = round(0.15 + 0.75 * float(most) / top, 3) if used and most >= faintest else 0.0
            blocks.append(Block(Mark(place, colour, 0.6, label), tuple(marks), line))
        return tuple(blocks)


def location_weights(coefficients: NDArray[np.float64], grids: Sequence[BlockGrid]) -> NDArray[np.float64]:
    """Weights of blocks of several scales as weights of the map's locations.

    A k x k block is the mean of its k^2 locations, so weighing the block by w is weighing each of them by w / k^2.

    Args:
        coefficients: (M, N), the M blocks of all grids in order.
        grids: the gallery's grids, all over one map.

    Returns:
        (height * width, N) weights of the locations.
    """
    height, width = grids[0].height, grids[0].width
    folded = np.zeros((height, width, coefficients.shape[1]))
    first = 0
    for grid in grids:
        part = coefficients[first : first + len(grid)].reshape(grid.rows, grid.columns, -1) / grid.size**2
        for row in range(grid.size):
            for column in range(grid.size):
                folded[row : row + grid.rows, column : column + grid.columns] += part
        first += len(grid)
    return folded.reshape(height * width, -1)


def _box(grids: Sequence[BlockGrid], index: int) -> Box:
    for grid in grids:
        if index < len(grid):
            return grid.box(index)
        index -= len(grid)
    raise IndexError("block index out of range")
