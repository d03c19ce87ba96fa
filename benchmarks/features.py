"""Feature maps to time with: non-negative, l2-normalised, correlated as the maps of a network are.

A column of `feature_maps` mixes 48 fixed non-negative-ish directions with weights that vary smoothly over the map, plus
noise of its own, through a ReLU.  At beta 0.4 about twelve of 128 atoms then rebuild a column, as on maps of real
networks.  On `dense_maps`, which share few directions and have much noise, it takes about twenty.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

DIRECTIONS = 48
SMOOTHNESS = 1.0  # standard deviation, in locations
NOISE = 0.35  # of one channel; the mix has standard deviation 1


def feature_maps(
    images: int, height: int, width: int, channels: int, seed: int, smoothness: float = SMOOTHNESS
) -> Tensor:
    """``(images, channels, height, width)``, float32; every seed draws its maps over the same directions."""
    directions = np.random.default_rng(0).standard_normal((DIRECTIONS, channels), dtype=np.float32)
    rng = np.random.default_rng([1, seed])
    weights = rng.standard_normal((images, height, width, DIRECTIONS), dtype=np.float32)
    weights = gaussian_filter(weights, (0, smoothness, smoothness, 0))
    mixed = weights / weights.std() @ directions / DIRECTIONS**0.5
    noisy = mixed + NOISE * rng.standard_normal(mixed.shape, dtype=np.float32)
    return F.normalize(torch.from_numpy(noisy).relu().permute(0, 3, 1, 2).contiguous(), dim=1)


def dense_maps(images: int, height: int, width: int, channels: int, seed: int, directions: int = 6) -> Tensor:
    """``(images, channels, height, width)``, float32: six shared directions, mixed sparsely, and much noise."""
    shared = np.maximum(np.random.default_rng(3).standard_normal((directions, channels), dtype=np.float32), 0)
    rng = np.random.default_rng([4, seed])
    mixed = rng.random((images, height, width, directions), dtype=np.float32) ** 3 @ shared
    noisy = mixed + 0.5 * rng.standard_normal(mixed.shape, dtype=np.float32)
    return F.normalize(torch.from_numpy(noisy).relu().permute(0, 3, 1, 2).contiguous(), dim=1)


def natural_maps(
    images: int, heights: tuple[int, int], widths: tuple[int, int], channels: int, seed: int
) -> list[Tensor]:
    """Maps ``(channels, h, w)`` of different sizes, drawn evenly between the least and the largest (inclusive)."""
    rng = np.random.default_rng([2, seed])
    sizes = zip(*(rng.integers(*bounds, size=images, endpoint=True).tolist() for bounds in (heights, widths)))
    return [feature_maps(1, h, w, channels, seed=1000 * seed + i)[0] for i, (h, w) in enumerate(sizes)]
