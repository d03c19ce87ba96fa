"""Multi-scale block sets (DSR, sec. 3.4): the k x k averages of a feature map at stride 1, one set for all k.

Averaging is linear, so products of blocks are averages of the products of 1 x 1 blocks: with A the (N, hw) matrix of
averages of a probe and B the (M, hw) one of a gallery map,

    (A X)(B Y)' = A (X Y') B',

and the long products over channels are made at 1 x 1 only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def fitting(height: int, width: int, scales: Sequence[int]) -> list[int]:
    """The scales that fit a map; one that does not is left out of that map."""
    return [k for k in scales if k <= min(height, width)]


def count(height: int, width: int, scales: Sequence[int]) -> int:
    """How many blocks a map has: 317 for 16 x 8 at 1, 2, 3."""
    return sum((height - k + 1) * (width - k + 1) for k in fitting(height, width, scales))


def pooled(shapes: Sequence[tuple[int, int]], scales: Sequence[int]) -> bool:
    """Whether any of these maps has blocks other than its 1 x 1 ones."""
    return any(fitting(height, width, scales) != [1] for height, width in shapes)


def flatten(feature_map: Tensor) -> Tensor:
    """``(C, h, w)`` -> its 1 x 1 blocks ``(hw, C)``."""
    return feature_map.flatten(1).mT


def pool(blocks: Tensor, height: int, width: int, scales: Sequence[int]) -> Tensor:
    """1 x 1 blocks ``(..., hw, C)`` of maps of one size -> block sets ``(..., N, C)``."""
    if fitting(height, width, scales) == [1]:
        return blocks
    channels = blocks.shape[-1]
    if channels == 0:  # torch pools no empty maps
        return blocks.new_empty(*blocks.shape[:-2], count(height, width, scales), 0)
    maps = blocks.reshape(-1, height, width, channels).permute(0, 3, 1, 2)  # channels last: nothing is moved
    sets = [F.avg_pool2d(maps, k, stride=1) if k > 1 else maps for k in fitting(height, width, scales)]
    together = torch.cat([one.permute(0, 2, 3, 1).flatten(1, 2) for one in sets], dim=1)
    return together.reshape(*blocks.shape[:-2], *together.shape[-2:])


def averages(height: int, width: int, scales: Sequence[int], like: Tensor) -> Tensor:
    """The matrix ``(N, hw)`` that takes 1 x 1 blocks to the block set."""
    return pool(torch.eye(height * width, dtype=like.dtype, device=like.device), height, width, scales)
