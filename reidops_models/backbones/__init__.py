"""Backbones: images of any size to maps.

Every backbone takes float images `(B, 3, H, W)`, RGB in [0, 1], of any size from one pixel on, and gives maps
`(B, channels, h, w)`, `h` and `w` about a `stride`-th of the image and never less than 1; `stage_maps` gives those of
every stage, of `stage_channels` and `stage_strides`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reidops_models.backbones.base import Backbone
from reidops_models.backbones.osnet import OSNet, osnet_x0_25, osnet_x1_0
from reidops_models.backbones.resnet import (
    ResNet,
    resnet18,
    resnet50,
    resnet50_ibn_a,
    resnet50_ibn_a_slim,
    resnet50_slim,
    resnet_slim,
)
from reidops_models.backbones.vgg import FCN
from reidops_models.backbones.weights import load_pretrained
from reidops_models.weights import WeightsError

BACKBONES: dict[str, Callable[..., Backbone]] = {
    "fcn": FCN,
    "osnet_x0_25": osnet_x0_25,
    "osnet_x1_0": osnet_x1_0,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet50_ibn_a": resnet50_ibn_a,
    "resnet50_ibn_a_slim": resnet50_ibn_a_slim,
    "resnet50_slim": resnet50_slim,
    "resnet_slim": resnet_slim,
}


def build_backbone(name: str, **options: Any) -> Backbone:
    """A backbone by name, with random weights.

    Example:
        >>> import torch
        >>> build_backbone("resnet_slim")(torch.rand(1, 3, 128, 64)).shape
        torch.Size([1, 192, 8, 4])

    Raises:
        ValueError: no such backbone.
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; known: {', '.join(sorted(BACKBONES))}")
    return BACKBONES[name](**options)


__all__ = [
    "BACKBONES",
    "FCN",
    "Backbone",
    "OSNet",
    "ResNet",
    "WeightsError",
    "build_backbone",
    "load_pretrained",
    "osnet_x0_25",
    "osnet_x1_0",
    "resnet18",
    "resnet50",
    "resnet50_ibn_a",
    "resnet50_ibn_a_slim",
    "resnet50_slim",
    "resnet_slim",
]
