"""Products over channels as torch has them: rows laid out, one matrix product, sums in float32 or wider.

Half maps meet a GPU's matrix units as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .matrix_product import HALF, matmul


def channel_product(left: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    """``(P, N, G, M)`` of ``left (P, C, N)``, ``right (G, C, M)``; ``(P, N, K, M)`` with partners ``index (P, K)``."""
    if index is not None:
        rows = [channel_product(one[None], right[partners], None) for one, partners in zip(left, index, strict=True)]
        empty = left.new_empty(0, left.shape[2], index.shape[1], right.shape[2], dtype=_summing(left.dtype))
        return torch.cat(rows) if rows else empty
    (P, C, N), (G, _, M) = left.shape, right.shape
    product = matmul(left.mT.reshape(P * N, C), right.movedim(1, 0).reshape(C, G * M))
    return product.reshape(P, N, G, M)


def channel_gram(maps: Tensor) -> Tensor:
    """``(G, M, M)`` of ``maps (G, C, M)``, symmetric to the bit."""
    gram = matmul(maps.mT, maps)
    return gram.triu() + gram.triu(1).mT


def _summing(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in HALF else dtype
