"""Depthwise cross-correlation: each channel of a template slides over the same channel of a search map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_broadcast, check_tensor, describe
from .._common.derivatives import keep, register_derivatives
from .._common.maps import batched, new_maps
from .._common.precision import computing_dtype, result_dtype
from .._common.registration import check_batch_dims, check_one_device, float32_under_autocast, refuse_tracing

__all__ = ["depthwise_xcorr"]

_OP = "reidops::depthwise_xcorr"


def depthwise_xcorr(search: Tensor, template: Tensor, *, padding: str | int = "same") -> Tensor:
    r"""Slide each channel of a template over the same channel of a search map (CSN, eq. 2).

    .. math::  out_{c,y,x} = \sum_{i,j} template_{c,i,j} \; search_{c,\, y + i - p,\, x + j - p}

    The search map is zero outside. The template is not flipped, as in ``F.conv2d``. Batch dimensions broadcast, so all
    templates meet all maps without a copy of either: ``depthwise_xcorr(search[:, None], template)`` with
    ``search (G, C, H, W)`` and ``template (P, C, kh, kw)`` is ``(G, P, C, h, w)``.

    Args:
        search: ``(*B, C, H, W)``, any strides. Channels-last maps give channels-last results.
        template: ``(*B, C, kh, kw)`` in the dtype of search.
        padding: rows and columns of zeros around the search map. ``"same"`` puts (k - 1) // 2 before and k // 2 after,
            so the result has the size of the map. ``"valid"`` puts none. An int >= 0 puts that many on every side.

    Returns:
        ``(*B, C, h, w)`` in the dtype of search. float16 and bfloat16 are summed in float32.

        Both inputs are differentiable to any order, because the gradients are correlations themselves. They are the
        same bits in every run. Forward mode works too.

    Raises:
        TypeError: an argument is not a floating-point tensor, or the two dtypes differ.
        ValueError: a shape or a device does not fit, the template is larger than the padded map, or padding is unknown.

    Example:
        >>> import torch, reidops
        >>> search = torch.arange(9.0).reshape(1, 3, 3)
        >>> reidops.depthwise_xcorr(search, torch.ones(1, 2, 2), padding="valid")
        tensor([[[ 8., 12.],
                 [20., 24.]]])
    """
    op = "depthwise_xcorr"
    check_tensor(op, "search", search, "(*B, C, H, W)", 3)
    check_tensor(op, "template", template, "(*B, C, kh, kw)", 3)
    check_alike(op, "template", template, "search", search)
    if template.shape[-3] != search.shape[-3]:
        raise ValueError(f"{op}: template must have search's {search.shape[-3]} channels, got {describe(template)}")
    for name, value in (("search", search), ("template", template)):
        if min(value.shape[-2:]) < 1:
            raise ValueError(f"{op}: {name} must have maps of at least one pixel, got {describe(value)}")
    refuse_tracing(op)
    batch = check_broadcast(op, "template", template, template.shape[:-3], "search", search.shape[:-3])
    check_batch_dims(op, "search and template", batch)
    (top, h), (left, w) = (
        resolve_padding(op, size, k, padding) for size, k in zip(search.shape[-2:], template.shape[-2:], strict=True)
    )
    dtype = result_dtype(search)
    if search.dtype != template.dtype or dtype != search.dtype:  # autocast
        search, template = search.to(computing_dtype(dtype)), template.to(computing_dtype(dtype))
    result: Tensor = torch.ops.reidops.depthwise_xcorr(search, template, top, left, h, w, False, batch)
    return result


def resolve_padding(op: str, size: int, k: int, padding: object) -> tuple[int, int]:
    """Zeros before, and the result's size, along one dimension; `op` is named in errors."""
    if padding == "same":
        return (k - 1) // 2, size
    if padding == "valid":
        before = 0
    elif isinstance(padding, int) and not isinstance(padding, bool) and padding >= 0:
        before = padding
    else:
        raise ValueError(f"{op}: padding must be 'same', 'valid' or an int >= 0, got {describe(padding)}")
    if size + 2 * before < k:
        raise ValueError(
            f"{op}: template must be no larger than the padded search map, got {k} on {size} + 2 * {before}"
        )
    return before, size + 2 * before - k + 1


# What torch needs to know about the operator besides its kernels.


@torch.library.register_fake(_OP)
def _fake(
    search: Tensor, template: Tensor, top: int, left: int, h: int, w: int, turned: bool, batch: Sequence[int]
) -> Tensor:
    check_one_device("depthwise_xcorr", search=search, template=template)
    return new_maps(search, (*batch, search.shape[-3], h, w))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    search, template, *ctx.options = inputs
    keep(ctx, search, template)


def _jvp(ctx: Any, kept: Sequence[Tensor], of_search: Tensor, of_template: Tensor, *_: Any) -> Tensor:
    """Linear in each of the two."""
    search, template = kept
    xcorr = torch.ops.reidops.depthwise_xcorr
    tangent: Tensor = xcorr(of_search, template, *ctx.options) + xcorr(search, of_template, *ctx.options)
    return tangent


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    search, template = ctx.saved_tensors
    own_top, own_left, _, _, turned, _ = ctx.options
    (H, W), (kh, kw) = search.shape[-2:], template.shape[-2:]
    whole = torch.broadcast_shapes(search.shape[:-3], template.shape[:-3])
    grad = grad.expand(*whole, *grad.shape[-3:])  # what was summed has one gradient for all
    xcorr = torch.ops.reidops.depthwise_xcorr
    of_search = of_template = None
    if ctx.needs_input_grad[0]:
        top, left = kh - 1 - own_top, kw - 1 - own_left
        of_search = xcorr(grad, template, top, left, H, W, not turned, search.shape[:-3])
    if ctx.needs_input_grad[1]:
        of_template = xcorr(search, grad, own_top, own_left, kh, kw, False, template.shape[:-3])
        if turned:
            of_template = of_template.flip(-2, -1)
    return of_search, of_template, *(None,) * 6


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
    search, template, *options, batch = args
    rank = max(value.dim() - 3 - (dim is not None) for value, dim in zip((search, template), in_dims, strict=False))
    search, template = (batched(value, dim, rank + 3) for value, dim in zip((search, template), in_dims, strict=False))
    padded = (info.batch_size, *(1,) * (rank - len(batch)), *batch)
    result = torch.ops.reidops.depthwise_xcorr(search, template, *options, padded)
    return result.reshape(info.batch_size, *batch, *result.shape[-3:]), 0


register_derivatives(_OP, _setup_context, _backward, _jvp)
torch.library.register_vmap(_OP, _vmap)
float32_under_autocast(_OP)
