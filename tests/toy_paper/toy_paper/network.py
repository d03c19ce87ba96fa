"""The network: mean colours of stripes, weighted, and a classifier of the people in the training images."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Predictions(NamedTuple):
    logits: Tensor
    features: Tensor


class StripeNetwork(nn.Module):
    """Images (B, 3, H, W) in [0, 1] -> unit vectors (B, 3 S).

    Args:
        stripes: S.
        identities: people in the training images.
    """

    def __init__(self, stripes: int, identities: int) -> None:
        super().__init__()
        self.stripes = stripes
        self.weights = nn.Parameter(torch.ones(3 * stripes))
        self.classifier = nn.Linear(3 * stripes, identities)

    def classify(self, images: Tensor) -> Predictions:
        """Logits (B, identities) and features (B, 3 S)."""
        colours = F.adaptive_avg_pool2d(images, (self.stripes, 1)).flatten(start_dim=1)
        features = (colours - 0.5) * self.weights
        return Predictions(self.classifier(features), features)

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.classify(images).features, dim=1)
