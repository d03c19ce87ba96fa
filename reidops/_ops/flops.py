"""What torch's FlopCounterMode counts for the operators: two for each multiplication whose product is added."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from . import channel_product as _channel_product  # noqa: F401  which define operators
from . import implicit, sparse_reconstruct_gram  # noqa: F401

Shape = tuple[int, ...]
_ops = torch.ops.reidops


@register_flop_formula(_ops.affine_sample)
def affine_sample(
    input: Shape, theta: Shape, h: int, w: int, mode: int, *options: Any, out_shape: Shape, **_: Any
) -> int:
    """Four pixels a sample and channel, or none where the nearest is copied; positions are shared by the channels."""
    return 0 if mode == 1 else 2 * 4 * prod(out_shape)


@register_flop_formula(_ops.affine_sample_backward)
def affine_sample_backward(
    grad: Shape, input: Shape, theta: Shape, mode: int, padding: int, corners: bool, of_input: bool, of_theta: bool,
    **_: Any,
) -> int:  # fmt: skip
    """As many for the input.  For theta, two products a slope and one with the gradient, for two slopes."""
    return 0 if mode == 1 else 2 * (4 * of_input + 6 * of_theta) * prod(grad)


@register_flop_formula(_ops.depthwise_xcorr)
def depthwise_xcorr(
    search: Shape, template: Shape, top: int, left: int, h: int, w: int, *options: Any, **_: Any
) -> int:
    """All taps of all outputs, as of a convolution; those beside the map too.  Sums over the batch count each item."""
    batch = torch.broadcast_shapes(search[:-3], template[:-3])
    return 2 * prod(batch) * search[-3] * h * w * template[-2] * template[-1]


@register_flop_formula(_ops.projected_xcorr)
def projected_xcorr(
    search: Shape, template: Shape, weight: Shape, top: int, left: int, h: int, w: int, *options: Any,
    out_shape: Shape, **_: Any,
) -> int:  # fmt: skip
    """The correlations, and a product of T C channels for each output."""
    maps = depthwise_xcorr.__wrapped__((*search[:-3], 1, *search[-3:]), template, top, left, h, w)  # type: ignore[attr-defined]
    return int(maps) + 2 * prod(out_shape) * weight[1] * weight[2]


@register_flop_formula([_ops.sparse_reconstruct_gram, _ops.sparse_reconstruct_fista])
def gram_form(gram: Shape, correlation: Shape, *options: Any, **_: Any) -> int:
    """A lower bound, for the steps depend on the data: w'c of each column, as its error needs at least."""
    return 2 * prod(correlation)


@register_flop_formula(_ops.lasso_adjoint)
def lasso_adjoint(gram: Shape, coefficients: Shape, *options: Any, **_: Any) -> int:
    """A lower bound: a system of one active atom a column."""
    return 2 * prod(coefficients[:-1])


@register_flop_formula(_ops.channel_product)
def channel_product(left: Shape, right: Shape, *options: Any, out_shape: Shape, **_: Any) -> int:
    """The product over the channels of each pair of locations."""
    return 2 * left[1] * prod(out_shape)


@register_flop_formula(_ops.weighted_sums)
def weighted_sums(weights: Shape, maps: Shape, **_: Any) -> int:
    """As many as a matrix product; a lower number, where weights are zero, depends on the data."""
    return 2 * prod(weights) * maps[1]


@register_flop_formula(_ops.channel_gram)
def channel_gram(maps: Shape, *options: Any, **_: Any) -> int:
    """The product over the channels of each two locations of a map, one of the two halves."""
    return maps[0] * maps[1] * maps[2] * (maps[2] + 1)
