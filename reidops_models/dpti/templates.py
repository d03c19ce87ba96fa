"""Part templates: what the part attention module looks for. Made from the image (DPTI, sec. 3.3), or, in table 4, a
grid's averages, or learnt vectors that are the same for every image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Templates(NamedTuple):
    """Templates of a batch, and where they come from.

    Attributes:
        vectors: (B, N, d), the templates t_i.
        correlations: (B, N, L), gamma of eq. 5: of each template's part-weights with each location; None where
            templates are not made by eq. 5.
    """

    vectors: Tensor
    correlations: Tensor | None

    def presence(self) -> Tensor:
        r"""(B, N): :math:`N \rho` of sec. 3.5, the softmax over the parts of the mean of each part's gamma, times N.

        1 where all parts are alike; the less, the more a part is believed absent or hidden. Their sum is N.
        """
        if self.correlations is None:
            raise ValueError("presence: these templates have no correlations, because they are not dynamic")
        means = self.correlations.mean(dim=2)
        return means.softmax(dim=1) * means.shape[1]


class DynamicTemplates(nn.Module):
    r"""Eq. 5 and 6: learnt part-weights :math:`q_{t,i}` find, in the image's own features A, what a template is of.

    .. math::
        \gamma_i = A^T q_{t,i}, \qquad t_i = W_{t,v} \, A \, \mathrm{softmax}(\gamma_i)

    Args:
        parts: N.
        dimensions: d.

    Example:
        >>> templates = DynamicTemplates(8, 256)
        >>> found = templates(torch.rand(2, 128, 256), (16, 8))
        >>> found.vectors.shape, found.correlations.shape, found.presence().shape
        (torch.Size([2, 8, 256]), torch.Size([2, 8, 128]), torch.Size([2, 8]))
    """

    def __init__(self, parts: int, dimensions: int) -> None:
        super().__init__()
        self.part_weights = nn.Parameter(torch.empty(parts, dimensions))
        # As torch's embeddings start, and with them the queries of many transformers. From smaller ones (d^-1/2) every
        # template begins as the average of all locations, and most of them stay so (docs/dpti.md).
        nn.init.normal_(self.part_weights)
        self.value = nn.Linear(dimensions, dimensions, bias=False)

    def forward(self, features: Tensor, size: tuple[int, int]) -> Templates:
        """Features A (B, L, d) of a map of `size` (h, w), L = h w."""
        correlations = (features @ self.part_weights.mT).mT
        # W (A softmax) = (W A) softmax: N vectors are projected, not L.
        return Templates(self.value(correlations.softmax(dim=2) @ features), correlations)


class GridTemplates(nn.Module):
    """P of table 4: the map in a grid of N sections; a template is a section's average.

    Args:
        parts: N.

    Example:
        >>> GridTemplates(8)(torch.rand(2, 128, 256), (16, 8)).vectors.shape
        torch.Size([2, 8, 256])
    """

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, features: Tensor, size: tuple[int, int]) -> Templates:
        """Features A (B, L, d) of a map of `size` (h, w), L = h w."""
        maps = features.mT.unflatten(2, size)
        averages = F.adaptive_avg_pool2d(maps, grid_of(self.parts, size))
        return Templates(averages.flatten(2).mT, None)


class StaticTemplates(nn.Module):
    """T of table 4: templates that are learnt, and do not depend on the image.

    Args:
        parts: N.
        dimensions: d.

    Example:
        >>> StaticTemplates(8, 256)(2).vectors.shape
        torch.Size([2, 8, 256])
    """

    def __init__(self, parts: int, dimensions: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(parts, dimensions))
        nn.init.normal_(self.vectors)

    def forward(self, batch: int) -> Templates:
        """The same templates for each of `batch` images."""
        return Templates(self.vectors.expand(batch, -1, -1), None)


def grid_of(parts: int, size: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of `parts` sections, whose shape is nearest to a square on a map of `size`.

    Example:
        >>> grid_of(8, (16, 8)), grid_of(6, (24, 8)), grid_of(7, (16, 8))
        ((4, 2), (3, 2), (7, 1))
    """
    height, width = size
    candidates = [(rows, parts // rows) for rows in range(1, parts + 1) if parts % rows == 0]

    def elongation(grid: tuple[int, int]) -> float:
        ratio = (height / grid[0]) / (width / grid[1])
        return max(ratio, 1 / ratio)

    return min(candidates, key=elongation)
