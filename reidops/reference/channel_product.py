"""Products over channels as torch has them: rows laid out, one matrix product, sums in float32 or wider."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def channel_product(left: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    """``(P, N, G, M)`` of ``left (P, C, N)``, ``right (G, C, M)``; ``(P, N, K, M)`` with partners ``index (P, K)``."""
    if index is not None:
        rows = [channel_product(one[None], right[partners], None) for one, partners in zip(left, index, strict=True)]
        empty = left.new_empty(0, left.shape[2], index.shape[1], right.shape[2], dtype=_summing(left.dtype))
        return torch.cat(rows) if rows else empty
    (P, C, N), (G, _, M) = left.shape, right.shape
    product = _product(left.mT.reshape(P * N, C), right.movedim(1, 0).reshape(C, G * M))
    return product.reshape(P, N, G, M)


def channel_gram(maps: Tensor) -> Tensor:
    """``(G, M, M)`` of ``maps (G, C, M)``, symmetric to the bit."""
    if not len(maps):
        return maps.new_empty(0, maps.shape[2], maps.shape[2], dtype=_summing(maps.dtype))
    gram = torch.stack([_product(one.mT, one) for one in maps])
    return gram.triu() + gram.triu(1).mT


def _summing(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in _HALF else dtype


def _product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product of what is given as it is: half types are multiplied by a GPU's matrix units."""
    with torch.autocast(left.device.type, enabled=False):
        if left.is_cuda and left.dtype in _HALF:
            return torch.mm(left, right, out_dtype=torch.float32)
        dtype = _summing(left.dtype)
        return left.to(dtype) @ right.to(dtype)
