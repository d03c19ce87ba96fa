"""Multi-scale block sets (DSR, sec. 3.4): the k x k averages of a feature map at stride 1, one set for all k.

A block set is a matrix with the blocks in its columns; the 1 x 1 blocks of a map (C, h, w) are the map itself, (C, hw).
Averaging is linear, so products of blocks are averages of the products of 1 x 1 blocks: with A the (N, hw) matrix of
averages of a probe X (C, hw) and B the (M, hw) one of a gallery map Y,

    (X A')'(Y B') = A (X'Y) B',

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


def pool(cells: Tensor, height: int, width: int, scales: Sequence[int]) -> Tensor:
    """1 x 1 blocks ``(B, C, hw)`` of maps of one size -> block sets ``(B, C, N)``."""
    if fitting(height, width, scales) == [1]:
        return cells
    if 0 in cells.shape:  # torch pools no empty maps
        return cells.new_empty(*cells.shape[:2], count(height, width, scales))
    maps = cells.unflatten(2, (height, width))
    sets = [F.avg_pool2d(maps, k, stride=1) if k > 1 else maps for k in fitting(height, width, scales)]
    return torch.cat([one.flatten(2) for one in sets], dim=2)


def pool_rows(products: Tensor, height: int, width: int, scales: Sequence[int]) -> Tensor:
    """Products ``(B, hw, ...)`` of maps of one size -> ``(B, N, ...)``: each atom is a channel to pool."""
    if fitting(height, width, scales) == [1]:
        return products
    flat = products.flatten(2)
    return pool(flat.mT, height, width, scales).mT.unflatten(2, products.shape[2:])


def averages(height: int, width: int, scales: Sequence[int], like: Tensor) -> Tensor:
    """The matrix ``(N, hw)`` that takes 1 x 1 blocks to the block set."""
    return pool(torch.eye(height * width, dtype=like.dtype, device=like.device)[None], height, width, scales)[0].mT
