"""Depthwise cross-correlation, pooled and projected by a 1x1 convolution, without its maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_broadcast, check_tensor, describe
from .._common.derivatives import keep, register_derivatives
from .._common.maps import batched
from .._common.precision import computing_dtype, result_dtype
from .._common.registration import (
    MOST_BATCH_DIMS,
    check_batch_dims,
    check_one_device,
    float32_under_autocast,
    refuse_tracing,
)
from ..reference.projected_xcorr import pooled_maps
from .depthwise_xcorr import resolve_padding

__all__ = ["projected_xcorr"]

_OP = "reidops::projected_xcorr"


def projected_xcorr(
    search: Tensor, template: Tensor, weight: Tensor, *, padding: str | int = "same", pool: bool = False
) -> Tensor:
    r"""Score maps of several templates, pooled if wanted, through a 1x1 convolution (CSN, sec. 3.1: eq. 2 to conv4).

    .. math::  out_o = \sum_{t,c} weight_{o,t,c} \; pool(search_c \star template_{t,c})

    where :math:`\star` is :func:`depthwise_xcorr`. The T C score maps are never held, on the CPU or on a GPU: for one
    pair of CSN's images at level 2 they take 1.4 MB, and the result takes 20 kB.

    Args:
        search: ``(*B, C, H, W)``, any strides. Batch dimensions broadcast.
        template: ``(*B, T, C, kh, kw)``, T templates per item, in the dtype of search.
        weight: ``(O, T, C)`` in the dtype of search.
        padding: as in :func:`depthwise_xcorr`.
        pool: 2x2 max-pooling of the score maps. Where a size is odd, the last row or column is pooled alone.

    Returns:
        ``(*B, O, h, w)``, or ``(*B, O, ceil(h / 2), ceil(w / 2))`` with pooling, in the dtype of search.

        All three inputs are differentiable to any order; backward makes the score maps again. Forward mode works too,
        with the score maps in memory.

    Raises:
        TypeError: an argument is not a floating-point tensor, or the dtypes differ.
        ValueError: a shape or a device does not fit, the template is larger than the padded map, or padding is unknown.

    Example:
        >>> import torch, reidops
        >>> search, template = torch.rand(7, 1, 96, 40, 15), torch.rand(5, 3, 96, 10, 10)
        >>> weight = torch.rand(32, 3, 96)
        >>> reidops.projected_xcorr(search, template, weight, pool=True).shape  # 7 images x 5 images with 3 parts each
        torch.Size([7, 5, 32, 20, 8])
    """
    op = "projected_xcorr"
    check_tensor(op, "search", search, "(*B, C, H, W)", 3)
    check_tensor(op, "template", template, "(*B, T, C, kh, kw)", 4)
    check_tensor(op, "weight", weight, "(O, T, C)", 3)
    check_alike(op, "template", template, "search", search)
    check_alike(op, "weight", weight, "search", search)
    if template.shape[-3] != search.shape[-3] or min(template.shape[-4:-3] + template.shape[-2:]) < 1:
        raise ValueError(
            f"{op}: template must have one T or more, search's {search.shape[-3]} channels and at least one pixel, got "
            f"{describe(template)}"
        )
    if min(search.shape[-2:]) < 1:
        raise ValueError(f"{op}: search must have maps of at least one pixel, got {describe(search)}")
    if weight.dim() != 3 or weight.shape[1:] != template.shape[-4:-2]:
        raise ValueError(
            f"{op}: weight must have shape (O, {', '.join(map(str, template.shape[-4:-2]))}), got {describe(weight)}"
        )
    refuse_tracing(op)
    batch = check_broadcast(op, "template", template, template.shape[:-4], "search", search.shape[:-3])
    check_batch_dims(op, "search and template", batch, MOST_BATCH_DIMS - 1)  # T is one more
    (top, h), (left, w) = (
        resolve_padding(op, size, k, padding) for size, k in zip(search.shape[-2:], template.shape[-2:], strict=True)
    )
    dtype = result_dtype(search)
    if len({search.dtype, template.dtype, weight.dtype, dtype}) > 1:  # autocast
        search, template, weight = (value.to(computing_dtype(dtype)) for value in (search, template, weight))
    result: Tensor = torch.ops.reidops.projected_xcorr(search, template, weight, top, left, h, w, bool(pool), batch)
    return result


# What torch needs to know about the operator besides its kernels.


@torch.library.register_fake(_OP)
def _fake(
    search: Tensor,
    template: Tensor,
    weight: Tensor,
    top: int,
    left: int,
    h: int,
    w: int,
    pooled: bool,
    batch: Sequence[int],
) -> Tensor:
    check_one_device("projected_xcorr", search=search, template=template, weight=weight)
    size = ((h + 1) // 2, (w + 1) // 2) if pooled else (h, w)
    return search.new_empty(*batch, weight.shape[0], *size)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    search, template, weight, *ctx.place, ctx.pooled, ctx.batch = inputs
    keep(ctx, search, template, weight)


def _jvp(
    ctx: Any, kept: Sequence[Tensor], of_search: Tensor, of_template: Tensor, of_weight: Tensor, *_: Any
) -> Tensor:
    """Linear in each of the three; where maps are pooled, their tangent is taken where the maxima are."""
    search, template, weight = kept
    xcorr, options = torch.ops.reidops.depthwise_xcorr, (*ctx.place, False, [*ctx.batch, template.shape[-4]])
    maps = xcorr(search.unsqueeze(-4), template, *options)
    of_maps = xcorr(of_search.unsqueeze(-4), template, *options) + xcorr(search.unsqueeze(-4), of_template, *options)
    if ctx.pooled:
        maps, places = pooled_maps(maps)
        of_maps = of_maps.flatten(-2).gather(-1, places.flatten(-2)).reshape(maps.shape)
    return torch.einsum("otc,...tcyx->...oyx", weight, of_maps) + torch.einsum("otc,...tcyx->...oyx", of_weight, maps)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    search, template, weight = ctx.saved_tensors
    search, (top, left, h, w) = search.unsqueeze(-4), ctx.place
    (H, W), (kh, kw) = search.shape[-2:], template.shape[-2:]
    xcorr = torch.ops.reidops.depthwise_xcorr
    maps = xcorr(search, template, top, left, h, w, False, [*grad.shape[:-3], template.shape[-4]])
    of_maps = torch.einsum("otc,...oyx->...tcyx", weight, grad)
    if ctx.pooled:
        pooled, places = pooled_maps(maps)
        of_maps = torch.zeros_like(maps).flatten(-2).scatter(-1, places.flatten(-2), of_maps.flatten(-2))
        of_maps = of_maps.reshape(maps.shape)
    else:
        pooled = maps
    of_search = of_template = of_weight = None
    if ctx.needs_input_grad[0]:
        of_search = xcorr(of_maps, template, kh - 1 - top, kw - 1 - left, H, W, True, search.shape[:-3]).squeeze(-4)
    if ctx.needs_input_grad[1]:
        of_template = xcorr(search, of_maps, top, left, kh, kw, False, template.shape[:-3])
    if ctx.needs_input_grad[2]:
        of_weight = torch.einsum("...oyx,...tcyx->otc", grad, pooled)
    return of_search, of_template, of_weight, *(None,) * 6


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
    search, template, weight, *options, batch = args
    if in_dims[2] is not None:  # every item has a weight of its own: one after another
        sides = zip(args[:3], in_dims, strict=False)
        items = zip(*(_items(value, dim, info.batch_size) for value, dim in sides), strict=True)
        return torch.stack([torch.ops.reidops.projected_xcorr(*item, *options, batch) for item in items]), 0
    rank = len(batch)
    search, template = batched(search, in_dims[0], rank + 3), batched(template, in_dims[1], rank + 4)
    whole = [info.batch_size, *batch]
    return torch.ops.reidops.projected_xcorr(search, template, weight, *options, whole), 0


def _items(value: Tensor, dim: int | None, count: int) -> Sequence[Tensor]:
    return [value] * count if dim is None else value.unbind(dim)


register_derivatives(_OP, _setup_context, _backward, _jvp)
torch.library.register_vmap(_OP, _vmap)
float32_under_autocast(_OP)
