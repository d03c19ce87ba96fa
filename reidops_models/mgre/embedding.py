"""The embedding operation (fig. 3): from the maps of a stage's regions to one vector, and to identities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Embedding(nn.Module):
    """Global average and global max pooling of every region's maps, added; the regions put side by side; a linear layer
    to the stage's feature. Batch normalisation stands between feature and classifier.

    Args:
        channels: of the maps of all regions together.
        dimensions: of the feature.
        identities: of training.

    Example:
        >>> embedding = Embedding(2 * 512, 512, identities=751).eval()
        >>> embedding([torch.rand(3, 512, 16, 16), torch.rand(3, 512, 8, 8)]).shape
        torch.Size([3, 512])
    """

    def __init__(self, channels: int, dimensions: int, identities: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, dimensions, bias=False)
        self.norm = nn.BatchNorm1d(dimensions)
        self.classifier = nn.Linear(dimensions, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_r, h_r, w_r) of each region -> (B, dimensions)."""
        feature: Tensor = self.linear(torch.cat([pooled(one) for one in maps], dim=1))
        return feature

    def classify(self, feature: Tensor) -> Tensor:
        """(B, dimensions) -> logits (B, identities)."""
        logits: Tensor = self.classifier(self.norm(feature))
        return logits


def pooled(maps: Tensor) -> Tensor:
    """GAP + GMP: (B, C, h, w) -> (B, C)."""
    return maps.mean(dim=(2, 3)) + maps.amax(dim=(2, 3))
