"""The operator ``reidops::matrix_product``: torch's matrix product, in the precision of its numbers.

A compiled graph, too, must not round float32 because the process allows it: an operator is what no compiler looks into.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from .._common.derivatives import register_derivatives
from .._common.registration import check_memory, check_one_device
from ..reference.matrix_product import is_rounded, matmul

_OP = "reidops::matrix_product"


def matrix_product(left: Tensor, right: Tensor) -> Tensor:
    """``left (*B, A, C) @ right (*B, C, D)``, float32 in full even where TF32 or the like is allowed.

    Both have one dtype, float32 or float64. Batch dimensions broadcast. Differentiable to any order in reverse mode.
    """
    if not torch.compiler.is_compiling() and not is_rounded(left):  # torch's own, and none of an operator's overhead
        return left @ right
    batch = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left, right = (one.expand(*batch, *one.shape[-2:]) for one in (left, right))
    sizes = *batch, left.shape[-2], right.shape[-1]
    flat = (one.reshape(prod(batch), *one.shape[-2:]) for one in (left, right))
    product: Tensor = torch.ops.reidops.matrix_product(*flat)
    return product.reshape(sizes)


torch.library.define(_OP, "(Tensor left, Tensor right) -> Tensor")


@torch.library.impl(_OP, "CompositeExplicitAutograd")
def _matrix_product(left: Tensor, right: Tensor) -> Tensor:
    check_memory("matrix_product", left=left, right=right)
    return matmul(left, right).contiguous()


# What torch needs to know about the operator besides its kernel.


@torch.library.register_fake(_OP)
def _fake(left: Tensor, right: Tensor) -> Tensor:
    check_one_device("matrix_product", left=left, right=right)
    return left.new_empty(left.shape[0], left.shape[1], right.shape[2])


def _setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    left, right = ctx.saved_tensors
    product = torch.ops.reidops.matrix_product
    of_left = product(grad, right.mT) if ctx.needs_input_grad[0] else None
    of_right = product(left.mT, grad) if ctx.needs_input_grad[1] else None
    return of_left, of_right


def _vmap(info: Any, in_dims: tuple[int | None, ...], left: Tensor, right: Tensor) -> tuple[Tensor, int]:
    sides = (one.unsqueeze(0) if dim is None else one.movedim(dim, 0) for one, dim in zip((left, right), in_dims))
    return matrix_product(*sides), 0


register_derivatives(_OP, _setup_context, _backward)
torch.library.register_vmap(_OP, _vmap)
