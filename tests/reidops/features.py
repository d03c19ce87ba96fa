"""Data for the tests of the operators."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relu_maps(images: int, channels: int, height: int, width: int, *, seed: int = 0) -> Tensor:
    """Feature maps like a network's last: non-negative, half zeros, alike within an image, l2-normalised; float64."""
    random = generator(seed)
    image = torch.randn(images, channels, 1, 1, generator=random, dtype=torch.float64)
    block = torch.randn(images, channels, height, width, generator=random, dtype=torch.float64)
    return F.normalize((image + 0.7 * block).relu(), dim=1)


def relu_columns(channels: int, count: int, *, seed: int = 0) -> Tensor:
    """The same as one image's columns ``(d, N)``."""
    return relu_maps(1, channels, 1, count, seed=seed)[0, :, 0]
