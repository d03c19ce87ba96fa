"""Weighted sums of maps' locations: the gradients of products over channels.

What comes back from a lasso is as sparse as its coefficients, about nine tenths zero, and so is its gradient by the
correlations.  Sums that pass the zeros over then cost a fraction of a matrix product.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import reference
from .._common.arguments import describe
from .._common.derivatives import register_derivatives
from .._common.registration import check_memory, check_one_device, folded, reverse_mode_only
from ..reference.matrix_product import HALF

_OP = "reidops::weighted_sums"
SPARSE = 0.25  # of the weights: with more of them a matrix product is as quick (measured on AVX-512)
LONG = 128  # locations of a map: of fewer, its lists are so short that to begin and end them takes the time


def weighted_sums(weights: Tensor, maps: Tensor) -> Tensor:
    """Every location i of map a becomes a sum: out[a, c, i] = sum over b, j of weights[a, i, b, j] maps[b, c, j].

    On the CPU weights that are mostly zeros are passed over, so that NaN and Inf reach only the sums whose weights are
    not zero; a matrix product takes the others.

    Args:
        weights: ``(A, I, B, J)``, float32 or float64; any strides.
        maps: ``(B, C, J)`` in their dtype or a half type; any strides. On CUDA half maps are not widened: the weights
            are split in two numbers of the half type, up to 2^-16 of them in bfloat16 and 2^-22 in float16.

    Returns:
        ``(A, C, I)`` in the dtype of the weights, differentiable to any order in reverse mode.

    Raises:
        RuntimeError: shapes or devices do not fit.
        TypeError: dtypes do not fit.
        NotImplementedError: an input carries a forward-mode tangent.
    """
    reverse_mode_only("weighted_sums", weights, maps)
    sums: Tensor = torch.ops.reidops.weighted_sums(weights, maps)
    return sums


torch.library.define(_OP, "(Tensor weights, Tensor maps) -> Tensor")


@torch.library.impl(_OP, "CompositeExplicitAutograd")
def _weighted_sums(weights: Tensor, maps: Tensor) -> Tensor:
    check_memory("weighted_sums", weights=weights, maps=maps)
    if maps.dtype not in (weights.dtype, *HALF):
        raise TypeError(f"weighted_sums: maps must be {weights.dtype} or a half type, got {describe(maps)}")
    if weights.device.type == "cpu" and _is_sparse(weights):
        sums: Tensor = torch.ops.reidops.sparse_sums(weights, maps.to(weights.dtype))
        return sums
    return reference.weighted_sums(weights, maps).contiguous()


def _is_sparse(weights: Tensor) -> bool:
    few = SPARSE * min(1, weights.shape[3] / LONG) * weights.numel()
    return bool(torch.count_nonzero(weights) <= few)


# What torch needs to know about the operator besides its kernel.


@torch.library.register_fake(_OP)
@torch.library.register_fake("reidops::sparse_sums")
def _fake(weights: Tensor, maps: Tensor) -> Tensor:
    check_one_device("weighted_sums", weights=weights, maps=maps)
    return weights.new_empty((weights.shape[0], maps.shape[1], weights.shape[1]))


def _setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    weights, maps = ctx.saved_tensors
    of_weights = of_maps = None
    if ctx.needs_input_grad[0]:
        of_weights = torch.ops.reidops.channel_product(grad, maps.to(grad.dtype), None)
    if ctx.needs_input_grad[1]:
        of_maps = torch.ops.reidops.weighted_sums(weights.permute(2, 3, 0, 1), grad).to(maps.dtype)
    return of_weights, of_maps


def _vmap(info: Any, in_dims: tuple[int | None, ...], weights: Tensor, maps: Tensor) -> tuple[Tensor, int]:
    """More rows where only the weights are mapped, more channels where only the maps are; else one after another."""
    (of_weights, of_maps), size = in_dims, info.batch_size
    if of_maps is None:
        sums = torch.ops.reidops.weighted_sums(folded(weights, of_weights, size), maps)
        return sums.unflatten(0, (size, -1)), 0
    if of_weights is None:
        sums = torch.ops.reidops.weighted_sums(weights, folded(maps, of_maps, size, 1))
        return sums.unflatten(1, (size, -1)), 1
    both = zip(weights.movedim(of_weights, 0), maps.movedim(of_maps, 0), strict=True)
    return torch.stack([torch.ops.reidops.weighted_sums(*one) for one in both]), 0


register_derivatives(_OP, _setup_context, _backward)
torch.library.register_vmap(_OP, _vmap)
