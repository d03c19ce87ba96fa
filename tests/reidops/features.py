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


def random_columns(d: int, count: int, seed: int) -> Tensor:
    return torch.randn(d, count, generator=generator(seed), dtype=torch.float64)


def hard_dictionary(kind: str) -> tuple[Tensor, Tensor]:
    """Columns and atoms as flat and repetitive images give them; float64."""
    x, y = relu_columns(20, 6), relu_columns(20, 30, seed=1)
    if kind == "repeated atoms":
        y = y[:, [0, 0, 0, 1, 1, *range(10)]]
    elif kind == "opposite atoms":
        y = torch.cat([y[:, :8], -y[:, :8]], dim=1)
    elif kind == "sums of atoms":
        y = torch.cat([y[:, :8], (y[:, :7] + y[:, 1:8]) / 2, (y[:, :6] + y[:, 1:7] + y[:, 2:8]) / 3], dim=1)
    elif kind == "zero atoms":
        y = torch.cat([torch.zeros(20, 3), y[:, :5], torch.zeros(20, 2)], dim=1)
    elif kind == "nothing but zeros":
        y = torch.zeros(20, 4, dtype=torch.float64)
    elif kind == "columns among the atoms":
        y = torch.cat([y, x], dim=1)
    elif kind == "zero columns":
        x = torch.cat([x[:, :2], torch.zeros(20, 2)], dim=1)
    elif kind == "rank one":
        y = y[:, :1] * torch.linspace(0.5, 1.5, 12, dtype=torch.float64)
    return x, y


HARD = (
    "repeated atoms",
    "opposite atoms",
    "sums of atoms",
    "zero atoms",
    "nothing but zeros",
    "columns among the atoms",
    "zero columns",
    "rank one",
)
