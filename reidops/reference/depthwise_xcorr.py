"""Depthwise cross-correlation as torch has it: both sides expanded, the map padded, one convolution of B C groups."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def depthwise_xcorr(
    search: Tensor, template: Tensor, top: int, left: int, h: int, w: int, turned: bool, batch: Sequence[int]
) -> Tensor:
    """``(*batch, C, h, w)`` of ``search (*B, C, H, W)`` and ``template (*B, C, kh, kw)``, summed down to `batch`."""
    whole = torch.broadcast_shapes(search.shape[:-3], template.shape[:-3])
    channels, (height, width), (kh, kw) = search.shape[-3], search.shape[-2:], template.shape[-2:]
    sums = torch.float64 if search.dtype == torch.float64 else torch.float32
    groups = math.prod(whole) * channels
    if groups == 0:
        return (search.sum() + template.sum()) * search.new_zeros(*batch, channels, h, w)
    padded = F.pad(search.to(sums), (left, w + kw - 1 - left - width, top, h + kh - 1 - top - height))
    taps = template.to(sums).flip(-2, -1) if turned else template.to(sums)
    maps = padded.expand(*whole, *padded.shape[-3:]).reshape(1, groups, *padded.shape[-2:])
    result = F.conv2d(maps, taps.expand(*whole, *taps.shape[-3:]).reshape(groups, 1, kh, kw), groups=groups)
    result = result.reshape(*whole, channels, h, w).sum_to_size(*batch, channels, h, w)
    return result.to(search.dtype)
