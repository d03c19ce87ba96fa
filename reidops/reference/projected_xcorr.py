"""Correlation, max-pooling and a 1x1 convolution one after another, with every score map in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .depthwise_xcorr import depthwise_xcorr


def pooled_maps(maps: Tensor) -> tuple[Tensor, Tensor]:
    """(*B, h, w) -> their 2x2 maxima, and where in h w they were."""
    flat, indices = F.max_pool2d(maps.flatten(0, -3).unsqueeze(1), 2, ceil_mode=True, return_indices=True)
    size = (*maps.shape[:-2], *flat.shape[-2:])
    return flat.reshape(size), indices.reshape(size)


def projected_xcorr(
    search: Tensor,
    template: Tensor,
    weight: Tensor,
    top: int,
    left: int,
    h: int,
    w: int,
    pooled: bool,
    batch: Sequence[int],
) -> Tensor:
    """``(*batch, O, h, w)``, or half of that where pooled, of maps ``(*B, C, H, W)``, templates ``(*B, T, C, kh, kw)``
    and a weight ``(O, T, C)``."""
    sums = torch.float64 if search.dtype == torch.float64 else torch.float32
    maps, taps, weight = search.to(sums).unsqueeze(-4), template.to(sums), weight.to(sums)
    scores = depthwise_xcorr(maps, taps, top, left, h, w, False, [*batch, template.shape[-4]])
    if pooled:
        scores, _ = pooled_maps(scores)
    return torch.einsum("otc,...tcyx->...oyx", weight, scores).to(search.dtype)
