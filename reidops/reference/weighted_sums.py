"""Weighted sums of maps' locations as torch has them: one matrix product."""

from __future__ import annotations

from torch import Tensor


def weighted_sums(weights: Tensor, maps: Tensor) -> Tensor:
    """``(A, C, I)``: sum over b, j of ``weights (A, I, B, J)`` times ``maps (B, C, J)``."""
    A, I, _, _ = weights.shape  # noqa: E741
    product = maps.movedim(1, 0).flatten(1) @ weights.flatten(2).flatten(0, 1).mT
    return product.unflatten(1, (A, I)).movedim(1, 0)
