"""The ranking net, sec. 3.1: one vector of an image from its parts, for the contrastive loss and eq. 7."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.csn.layers import ConvolutionBlock

DIMENSIONS = 256


class RankingNet(nn.Module):
    """A convolution a level and pooling; the stripes put together, from top to bottom; a convolution that all levels
    share; the average over the locations of all levels; 256 dimensions of unit length.

    So it has the paper's three convolutions, and the network its number of parameters (docs/csn.md has the
    arithmetic). Batch statistics are each level's own.

    Example:
        >>> net = RankingNet(96, levels=2).eval()
        >>> net([torch.rand(1, 3, 96, 10, 10), torch.rand(1, 3, 96, 5, 5)]).shape
        torch.Size([1, 256])
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(ConvolutionBlock(channels, channels, 3, pooled=True) for _ in range(levels))
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels))
        self.embedding = nn.Linear(channels, DIMENSIONS)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Parts (B, T, C, f, f) of each level -> (B, 256) of unit length."""
        locations = []
        for level, first, norm in zip(parts, self.first, self.norms, strict=True):
            maps = first(level.flatten(0, 1)).unflatten(0, level.shape[:2])
            stacked = maps.movedim(1, 2).flatten(2, 3)  # (B, C, T rows, columns)
            locations.append(F.relu(norm(self.second(stacked))).flatten(2))
        return F.normalize(self.embedding(torch.cat(locations, dim=2).mean(dim=2)), dim=1)
