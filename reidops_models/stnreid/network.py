"""The network of STNReID, sec. 3.1: an STN module that crops the holistic image, and a ReID module that compares."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

import reidops
from reidops_models.backbones import build_backbone
from reidops_models.stnreid.localisation import LocalisationNetwork
from reidops_models.stnreid.recipe import NetworkOptions


class StnreidPredictions(NamedTuple):
    """logits (B, identities) and the global features (B, C) they were made from: p_I and f_I of eq. 3."""

    logits: Tensor
    features: Tensor


class StnreidNetwork(nn.Module):
    """A localisation network (table 1) and a ReID module: a trunk, the average of its maps, and a classifier.

    Args:
        options: the trunk, and the convention of theta's corners.
        image_size: (height, width) of the images, all of which have one size.
        identities: number of training identities.

    Example:
        >>> import torch
        >>> network = StnreidNetwork(NetworkOptions(backbone="resnet_slim"), (128, 64), identities=152)
        >>> holistic, partial = torch.rand(2, 3, 128, 64), torch.rand(2, 3, 128, 64)
        >>> affined = network.affine(holistic, network.locate(holistic, partial))
        >>> torch.allclose(affined, holistic, atol=1e-4)  # theta starts at the identity
        True
        >>> network.embed(affined).shape
        torch.Size([2, 192])
    """

    def __init__(self, options: NetworkOptions, image_size: tuple[int, int], identities: int) -> None:
        super().__init__()
        stride = {} if options.last_stride is None else {"last_stride": options.last_stride}
        self.image_size = image_size
        self.align_corners = options.align_corners
        self.localisation = LocalisationNetwork(image_size)
        self.backbone = build_backbone(options.backbone, **stride)
        self.classifier = nn.Linear(self.backbone.channels, identities)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def locate(self, holistic: Tensor, partial: Tensor) -> Tensor:
        """theta (B, 2, 3) for pairs of images (B, 3, H, W) in [0, 1]."""
        theta: Tensor = self.localisation(self.normalised(holistic), self.normalised(partial))
        return theta

    def affine(self, holistic: Tensor, theta: Tensor) -> Tensor:
        """The affined images (*B, 3, H, W), eq. 1 and 2: what theta (*B, 2, 3) samples of holistic (*B, 3, H, W).

        Batch dimensions broadcast: one holistic image under many theta is neither copied nor expanded.
        """
        return reidops.affine_sample(holistic, theta, self.image_size, align_corners=self.align_corners)

    def embed(self, images: Tensor) -> Tensor:
        """The global features f_I (B, C) of images (B, 3, H, W) in [0, 1]."""
        return self.backbone(images).mean(dim=(2, 3))

    forward = embed

    def classify(self, images: Tensor) -> StnreidPredictions:
        """(B, 3, H, W) in [0, 1] -> identity logits and features, eq. 3, for training."""
        features = self.embed(images)
        return StnreidPredictions(self.classifier(features), features)

    def normalised(self, images: Tensor) -> Tensor:
        """Images in [0, 1] as both modules see them."""
        return self.backbone.normalise(images)
