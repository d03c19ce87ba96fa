"""The network of DSR, sec. 3.1 and 3.3: a trunk whose last maps are matched, and a classifier that trains it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.backbones import build_backbone
from reidops_models.dsr.recipe import NetworkOptions


class DsrPredictions(NamedTuple):
    """logits (B, identities) and the pooled features (B, C) they were made from."""

    logits: Tensor
    features: Tensor


class DsrNetwork(nn.Module):
    """Maps for matching, and an identity classifier on their average for training.

    Two points the paper leaves open. Every location of the maps is divided by its l2 norm, as all public code does
    (`l2_normalise`); eq. 3's beta then has a meaning independent of the trunk. The "last pooling layer connected
    with an entropy-loss" (sec. 3.3) is a linear classifier on the average over locations, of the maps as they leave
    the trunk, so that training too takes any image size.

    Args:
        options: backbone and normalisation.
        identities: number of training identities.

    Example:
        >>> import torch
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=152)
        >>> network(torch.rand(2, 3, 100, 64)).shape
        torch.Size([2, 192, 7, 4])
    """

    def __init__(self, options: NetworkOptions, identities: int) -> None:
        super().__init__()
        stride = {} if options.last_stride is None else {"last_stride": options.last_stride}
        self.backbone = build_backbone(options.backbone, **stride)
        self.classifier = nn.Linear(self.backbone.channels, identities)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)
        self.l2_normalise = options.l2_normalise

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, C, h, w), each location of unit length if `l2_normalise`."""
        return self.spatial(self.backbone(images))

    def classify(self, images: Tensor) -> DsrPredictions:
        """(B, 3, H, W) in [0, 1] -> identity logits, for training."""
        return self.predict(self.backbone(images))

    def spatial(self, maps: Tensor) -> Tensor:
        """The trunk's maps (B, C, h, w) as they are matched."""
        return F.normalize(maps, dim=1) if self.l2_normalise else maps

    def predict(self, maps: Tensor) -> DsrPredictions:
        """The trunk's maps (B, C, h, w) -> identity logits."""
        features = maps.mean(dim=(2, 3))
        return DsrPredictions(self.classifier(features), features)
