"""Weighted sums of maps' locations as torch has them: one matrix product."""

from __future__ import annotations

from torch import Tensor

from .matrix_product import HALF, half_times_full, matmul


def weighted_sums(weights: Tensor, maps: Tensor) -> Tensor:
    """``(A, C, I)``: sum over b, j of ``weights (A, I, B, J)`` times ``maps (B, C, J)``, in the dtype of the weights.

    Half maps meet a GPU's matrix units as they are.
    """
    A, I, _, _ = weights.shape  # noqa: E741
    left, right = maps.movedim(1, 0).flatten(1), weights.flatten(2).flatten(0, 1).mT
    if left.is_cuda and left.dtype in HALF:
        product = half_times_full(left, right)
    else:
        product = matmul(left.to(right.dtype), right)
    return product.unflatten(1, (A, I)).movedim(1, 0)
