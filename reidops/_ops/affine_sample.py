"""One-to-many affine grid sampling: a picture under many affine maps, without a copy of it and without a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_broadcast, check_choice, check_count, check_tensor, describe
from .._common.maps import batched, new_maps
from .._common.precision import computing_dtype, result_dtype
from .._common.registration import check_batch_dims, float32_under_autocast, reverse_mode_only

__all__ = ["affine_sample", "boxes_to_theta"]

MODES = ("bilinear", "nearest")  # in the order of `enum class Mode` in csrc; so below
PADDING_MODES = ("zeros", "border", "reflection")

_OP = "reidops::affine_sample"
_BACKWARD = "reidops::affine_sample_backward"


def affine_sample(
    input: Tensor,
    theta: Tensor,
    size: Sequence[int],
    *,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Tensor:
    r"""Samples pictures or feature maps where affine maps say (STNReID and CSN, eq. 1).

    Output pixel (i, j) lies at (x_j, y_i) in [-1, 1] x [-1, 1], its value is the input's at

    .. math::  (x, y)' = \theta \, (x_j, y_i, 1)'

    in the same normalised coordinates, between pixels bilinearly. The result equals
    ``F.grid_sample(input, F.affine_grid(theta, ...), ...)`` of the expanded input, but the batch dimensions broadcast,
    nothing is expanded or copied, and the grid is never made: one picture under K maps is
    ``affine_sample(input[:, None], theta, size)`` with ``input (B, C, H, W)`` and ``theta (B, K, 2, 3)``.

    Args:
        input: ``(*B, C, H, W)``, any strides. Channels-last input gives channels-last output. H W < 2^30.
        theta: ``(*B, 2, 3)``, from output to input coordinates; any finite or other numbers.
        size: ``(h, w)`` of the output, pixels; h w < 2^30.
        mode: ``"bilinear"`` or ``"nearest"`` (of two pixels as near, the even one).
        padding_mode: what lies outside: ``"zeros"``, ``"border"`` (the nearest pixel of the picture) or
            ``"reflection"``.
        align_corners: whether -1 and 1 are the centres of the corner pixels, or their outer edges, as in
            :func:`torch.nn.functional.grid_sample`.

    Returns:
        ``(*B, C, h, w)`` of input's dtype; float16 and bfloat16 are computed in float32.

    Raises:
        TypeError: an argument is no tensor or number of the kind above, or input and theta differ in dtype.
        ValueError: a shape, a device or a name does not fit; more than 8 batch dimensions.

    Gradients go to input and theta (zero to theta where ``mode="nearest"``), bit for bit the same in every run; they
    have no gradients themselves.

    Example
    -------
    >>> import torch, reidops
    >>> picture = torch.arange(16.0).reshape(1, 4, 4)
    >>> halves = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.5, -0.5]], [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]])
    >>> reidops.affine_sample(picture, halves, (2, 4))[:, 0]
    tensor([[[ 0.,  1.,  2.,  3.],
             [ 4.,  5.,  6.,  7.]],
    <BLANKLINE>
            [[ 8.,  9., 10., 11.],
             [12., 13., 14., 15.]]])
    """
    op = "affine_sample"
    check_tensor(op, "input", input, "(*B, C, H, W)", 3)
    check_tensor(op, "theta", theta, "(*B, 2, 3)", 2)
    if theta.shape[-2:] != (2, 3):
        raise ValueError(f"{op}: theta must have shape (*B, 2, 3), got {describe(theta)}")
    check_alike(op, "theta", theta, "input", input)
    if not isinstance(size, Sequence) or len(size) != 2:
        raise TypeError(f"{op}: size must be two ints (h, w), got {describe(size)}")
    for name, value in zip(("size[0]", "size[1]"), size, strict=True):
        check_count(op, name, value)
    check_choice(op, "mode", mode, MODES)
    check_choice(op, "padding_mode", padding_mode, PADDING_MODES)
    if min(input.shape[-2:]) < 1:
        raise ValueError(f"{op}: input must have pictures of at least one pixel, got {describe(input)}")
    batch = check_broadcast(op, "theta", theta, theta.shape[:-2], "input", input.shape[:-3])
    check_batch_dims(op, "input and theta", batch)
    reverse_mode_only(op, input, theta)
    dtype = result_dtype(input)
    if input.dtype != theta.dtype or dtype != input.dtype:  # autocast
        input, theta = input.to(computing_dtype(dtype)), theta.to(computing_dtype(dtype))
    result: Tensor = torch.ops.reidops.affine_sample(
        input, theta, *size, MODES.index(mode), PADDING_MODES.index(padding_mode), bool(align_corners)
    )
    return result


def boxes_to_theta(boxes: Tensor) -> Tensor:
    r"""The maps that sample axis-aligned boxes: for :func:`affine_sample` without aligned corners (MGRe, eq. 4).

    A box of centre (c_x, c_y) and size (s_x, s_y), as shares of the picture, is seen through

    .. math::  \theta = \begin{pmatrix} s_x & 0 & 2 c_x - 1 \\ 0 & s_y & 2 c_y - 1 \end{pmatrix}

    Args:
        boxes: ``(*B, 4)``, left, top, right and bottom edge; 0 and 1 are the picture's edges, and a box may go beyond
            them. A box whose right edge is left of its left one is a mirrored box.

    Returns:
        ``(*B, 2, 3)`` of the boxes' dtype, with gradients.

    Raises:
        TypeError: boxes are no tensor of floating-point numbers.
        ValueError: the last dimension is not 4.

    Example
    -------
    >>> import torch, reidops
    >>> reidops.boxes_to_theta(torch.tensor([0.0, 0.5, 1.0, 1.0]))  # the lower half
    tensor([[1.0000, 0.0000, 0.0000],
            [0.0000, 0.5000, 0.5000]])
    """
    check_tensor("boxes_to_theta", "boxes", boxes, "(*B, 4)", 1)
    if boxes.shape[-1] != 4:
        raise ValueError(f"boxes_to_theta: boxes must have shape (*B, 4), got {describe(boxes)}")
    left, top, right, bottom = boxes.unbind(-1)
    zero = torch.zeros_like(left)
    rows = (right - left, zero, left + right - 1, zero, bottom - top, top + bottom - 1)
    return torch.stack(rows, -1).unflatten(-1, (2, 3))


# What torch needs to know about the operators besides their kernels.


@torch.library.register_fake(_OP)
def _fake(input: Tensor, theta: Tensor, h: int, w: int, mode: int, padding_mode: int, align_corners: bool) -> Tensor:
    batch = torch.broadcast_shapes(input.shape[:-3], theta.shape[:-2])
    return new_maps(input, (*batch, input.shape[-3], h, w))


@torch.library.register_fake(_BACKWARD)
def _fake_backward(
    grad: Tensor,
    input: Tensor,
    theta: Tensor,
    mode: int,
    padding_mode: int,
    align_corners: bool,
    of_input: bool,
    of_theta: bool,
) -> tuple[Tensor, Tensor]:
    sums = torch.float64 if input.dtype == torch.float64 else torch.float32
    grad_input = new_maps(input, input.shape) if of_input else input.new_empty(0)
    return grad_input, input.new_empty((*grad.shape[:-3], 2, 3) if of_theta else (0,), dtype=sums)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, theta, _, _, *options = inputs
    ctx.options = options
    ctx.save_for_backward(input, theta)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, theta = ctx.saved_tensors
    of_input, of_theta = ctx.needs_input_grad[:2]
    grad_input, each = torch.ops.reidops.affine_sample_backward(grad, input, theta, *ctx.options, of_input, of_theta)
    # A map that several pictures share gets the sum over them.
    grad_theta = each.sum_to_size(theta.shape).to(theta.dtype) if of_theta else None
    return grad_input if of_input else None, grad_theta, *(None,) * 5


def _no_gradient_of_gradients(ctx: Any, *_: Any) -> None:
    raise NotImplementedError("affine_sample: its gradients have no gradients themselves")


def _ranks(input: Tensor, theta: Tensor, in_dims: tuple[int | None, ...]) -> int:
    """Batch dimensions of a single call."""
    of_input = input.dim() - 3 - (in_dims[0] is not None)
    return max(of_input, theta.dim() - 2 - (in_dims[1] is not None))


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
    input, theta, *options = args
    rank = _ranks(input, theta, in_dims)
    input, theta = batched(input, in_dims[0], rank + 3), batched(theta, in_dims[1], rank + 2)
    return torch.ops.reidops.affine_sample(input, theta, *options), 0


def _vmap_backward(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
    grad, input, theta, *options = args
    shape = list(input.shape)
    if in_dims[1] is not None:
        shape.pop(in_dims[1])
    rank = _ranks(input, theta, in_dims[1:])
    grad, input, theta = (
        batched(value, dim, rank + own) for value, dim, own in zip((grad, input, theta), in_dims, (3, 3, 2))
    )
    # Every item has a gradient of its own, even where all share an input.
    items = (info.batch_size, *input.shape[1:])
    grad = grad.expand(info.batch_size, *grad.shape[1:])
    grad_input, grad_theta = torch.ops.reidops.affine_sample_backward(grad, input.expand(items), theta, *options)
    of_input, of_theta = options[-2:]
    if of_input:
        grad_input = grad_input.reshape(info.batch_size, *shape)
    return (grad_input, grad_theta), (0 if of_input else None, 0 if of_theta else None)


torch.library.register_autograd(_OP, _backward, setup_context=_setup_context)
torch.library.register_autograd(_BACKWARD, _no_gradient_of_gradients)
torch.library.register_vmap(_OP, _vmap)
torch.library.register_vmap(_BACKWARD, _vmap_backward)
float32_under_autocast(_OP)
