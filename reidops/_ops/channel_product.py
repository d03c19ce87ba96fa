"""Products over the channels of feature maps: DSR's correlations and Gram matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import reference
from .._common.derivatives import register_derivatives
from .._common.precision import computing_dtype
from .._common.registration import check_one_device, folded, reverse_mode_only
from .weighted_sums import weighted_sums

_OP = "reidops::channel_product"
_GRAM = "reidops::channel_gram"


def channel_product(left: Tensor, right: Tensor, index: Tensor | None = None) -> Tensor:
    """Every location of left maps with every location of right maps: sum over c of left[p, c, n] right[g, c, m].

    On the CPU a value's bits depend on its two vectors, the dtype and the instruction set alone: a part of a table has
    the bits of the whole.

    Args:
        left: ``(P, C, N)``, maps flattened, float32, float64, float16 or bfloat16; any strides. Maps whose locations
            or whose channels lie side by side are quick.
        right: ``(G, C, M)`` in the dtype of left.
        index: ``(P, K)`` int64 in [0, G): the partners of each left map. None: all of them.

    Returns:
        ``(P, N, G, M)``, or ``(P, N, K, M)`` with an index. float16 and bfloat16 are multiplied as they are and summed
        in float32, which is the dtype of the result. NaN and Inf reach only the values whose vectors hold them.

        Both sides are differentiable to any order, in reverse mode.

    Raises:
        RuntimeError: shapes, dtypes or devices do not fit, or a number of index is outside [0, G).
        NotImplementedError: an input carries a forward-mode tangent.
    """
    reverse_mode_only("channel_product", left, right)
    product: Tensor = torch.ops.reidops.channel_product(left, right, index)
    return product


def channel_gram(maps: Tensor) -> Tensor:
    """``(G, C, M)`` -> ``(G, M, M)``: every map with itself, symmetric, the bits of :func:`channel_product`."""
    reverse_mode_only("channel_gram", maps)
    gram: Tensor = torch.ops.reidops.channel_gram(maps)
    return gram


# What torch needs to know about the operators besides their kernels.


@torch.library.register_fake(_OP)
def _fake(left: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    check_one_device("channel_product", left=left, right=right, index=index)
    partners = right.shape[0] if index is None else index.shape[1]
    shape = (left.shape[0], left.shape[2], partners, right.shape[2])
    return left.new_empty(shape, dtype=computing_dtype(left.dtype))


@torch.library.register_fake(_GRAM)
def _fake_gram(maps: Tensor) -> Tensor:
    return maps.new_empty((maps.shape[0], maps.shape[2], maps.shape[2]), dtype=computing_dtype(maps.dtype))


def _setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    reverse_mode_only("channel_product", grad)
    left, right, index = ctx.saved_tensors
    wide_left, wide_right = left.to(grad.dtype), right.to(grad.dtype)
    of_left = _of_left(grad, wide_right, index).to(left.dtype) if ctx.needs_input_grad[0] else None
    of_right = _of_right(grad, wide_left, wide_right, index).to(right.dtype) if ctx.needs_input_grad[1] else None
    return of_left, of_right, None


def _of_left(grad: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    """(P, C, N): sum over k, m of right[g, c, m] grad[p, n, k, m]."""
    if index is None:
        return weighted_sums(grad, right)
    rows = [weighted_sums(of[None], right[one])[0] for one, of in zip(index, grad, strict=True)]
    return torch.stack(rows) if rows else grad.new_zeros(0, right.shape[1], grad.shape[1])


def _of_right(grad: Tensor, left: Tensor, right: Tensor, index: Tensor | None) -> Tensor:
    """(G, C, M): sum over p, n of left[p, c, n] grad[p, n, k, m], where k is g or index[p, k] is."""
    if index is None:
        return weighted_sums(grad.permute(2, 3, 0, 1), left)
    total = torch.zeros_like(right)
    for partners, one, of in zip(index, left, grad, strict=True):  # one probe after another: a fixed order of sums
        total = total.index_add(0, partners, weighted_sums(of.permute(1, 2, 0)[:, :, None], one[None]))
    return total


def _setup_gram(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward_of_gram(ctx: Any, grad: Tensor) -> Tensor:
    reverse_mode_only("channel_gram", grad)
    (maps,) = ctx.saved_tensors
    product: Tensor = maps.to(grad.dtype) @ (grad + grad.mT)
    return product.to(maps.dtype)


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
    """More left maps where only they are mapped, more right ones where only those are; else more of both, and each
    item's partners are its own."""
    left, right, index = args
    size, (of_left, of_right, of_index) = info.batch_size, in_dims
    if of_left is None and of_index is None and index is None:
        G = right.shape[1 if of_right == 0 else 0]
        product = torch.ops.reidops.channel_product(left, folded(right, of_right, size), None)
        return product.unflatten(2, (size, G)), 2
    items, maps = _item(left, of_left).shape[0], _item(right, of_right).shape[0]
    partners = None
    if index is not None or of_right is not None:
        if index is None:
            index = torch.arange(maps, device=left.device).expand(items, maps)
        partners = folded(index, of_index, size)
    if of_right is not None:
        assert partners is not None
        partners = partners + maps * torch.arange(size, device=left.device).repeat_interleave(items)[:, None]
        right = folded(right, of_right, size)
    product = torch.ops.reidops.channel_product(folded(left, of_left, size), right, partners)
    return product.unflatten(0, (size, items)), 0


def _item(value: Tensor, dim: int | None) -> Tensor:
    return value if dim is None else value.select(dim, 0)


def _vmap_of_gram(info: Any, in_dims: tuple[int | None, ...], maps: Tensor) -> tuple[Tensor, int]:
    gram = torch.ops.reidops.channel_gram(folded(maps, in_dims[0], info.batch_size))
    return gram.unflatten(0, (info.batch_size, -1)), 0


register_derivatives(_OP, _setup_context, _backward)
register_derivatives(_GRAM, _setup_gram, _backward_of_gram)
torch.library.register_vmap(_OP, _vmap)
torch.library.register_vmap(_GRAM, _vmap_of_gram)
torch.library.register_kernel(_OP, "cuda", reference.channel_product)
torch.library.register_kernel(_GRAM, "cuda", reference.channel_gram)
