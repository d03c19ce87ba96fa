"""DSR's distance pair by pair, as the paper tells it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .sparse_reconstruct import sparse_reconstruct


def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor],
    beta: float = 0.4,
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
) -> Tensor:
    """Distances ``(P, G)`` of eq. 4 in float64: ``||X - YW||_F^2 / N`` for every pair of maps ``(C, h, w)``."""
    rows = []
    for probe_map in probe:
        x = block_set(probe_map.double(), scales)
        pairs = [sparse_reconstruct(x, block_set(y.double(), scales), beta, method=method)[1] for y in gallery]
        rows.append(torch.stack([error.mean() for error in pairs]))
    return torch.stack(rows)


def block_set(feature_map: Tensor, scales: Sequence[int]) -> Tensor:
    """``(C, h, w)`` -> ``(C, N)``: k x k averages at stride 1 for each k that fits, pooled into one set (sec. 3.4)."""
    fitting = [k for k in scales if k <= min(feature_map.shape[-2:])]
    return torch.cat([F.avg_pool2d(feature_map[None], k, stride=1)[0].flatten(1) for k in fitting], dim=1)
