"""One-to-many affine grid sampling: one image under many affine maps, without a copy of it and without a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_broadcast, check_choice, check_count, check_tensor, describe
from .._common.derivatives import keep, register_derivatives
from .._common.maps import batched, new_maps
from .._common.precision import computing_dtype, result_dtype
from .._common.registration import check_batch_dims, check_one_device, float32_under_autocast
from .affine_slope import slope_along, slope_gradients

__all__ = ["affine_sample", "boxes_to_theta"]

MODES = ("bilinear", "nearest")  # in the order of `enum class Mode` in csrc; so below
NEAREST = MODES.index("nearest")
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
    r"""Sample images or feature maps where affine maps point (eq. 1 of STNReID, eq. 1 of CSN).

    Output pixel (i, j) lies at (x_j, y_i). It takes the value that the input has at

    .. math::  X = \theta_{00} x_j + \theta_{01} y_i + \theta_{02}, \qquad
               Y = \theta_{10} x_j + \theta_{11} y_i + \theta_{12}

    between pixels by bilinear interpolation. The result equals ``F.grid_sample(input, F.affine_grid(theta, ...), ...)``
    on the expanded input, but batch dimensions broadcast, nothing is expanded or copied, and no grid is made. One image
    under K maps is ``affine_sample(input[:, None], theta, size)`` with ``input (B, C, H, W)``, ``theta (B, K, 2, 3)``.

    Convention:
        ===============  ==============================================================================================
        direction        theta maps **output** coordinates to **input** coordinates. A theta that scales by 0.5 reads
                         half of the input, so the output shows it enlarged.
        units            normalised: -1 and 1 are the edges of the image, whatever its size in pixels. 0 is the middle.
        order            x before y: row 0 of theta gives X (along the width), row 1 gives Y (along the height).
                         Column 2 is the shift. Sizes are the other way round: (h, w).
        align_corners    False: -1 and 1 are the outer edges of the corner pixels; pixel j of w has its centre at
                         (2 j + 1) / w - 1. True: -1 and 1 are the centres of the corner pixels.
        identity         ``[[1, 0, 0], [0, 1, 0]]`` with ``size=(H, W)`` gives the input back.
        outside          what ``padding_mode`` says. A sample that lies outside by less than a pixel still counts the
                         pixels near it.
        ===============  ==============================================================================================

    Args:
        input: ``(*B, C, H, W)``, any strides, at least one pixel and fewer than 2^30 pixels per image. Channels-last
            input gives channels-last output.
        theta: ``(*B, 2, 3)`` in the dtype of input. NaN and Inf give NaN where they matter, as in torch.
        size: ``(h, w)`` of the output in pixels, h w < 2^30.
        mode: ``"bilinear"`` or ``"nearest"``. If two pixels are equally near, the even one is taken.
        padding_mode: the value outside the image: ``"zeros"``, ``"border"`` (the nearest pixel) or ``"reflection"``.
        align_corners: see the convention.

    Returns:
        ``(*B, C, h, w)`` in the dtype of input. float16 and bfloat16 are computed in float32. An empty batch or no
        channels give an empty result.

        Gradients go to input and to theta; with ``mode="nearest"`` that of theta is zero. They are the same bits in
        every run. Forward mode and second derivatives work too; those run in plain torch where theta moves.

    Raises:
        TypeError: an argument is not a floating-point tensor or the number it should be, or the two dtypes differ.
        ValueError: a shape, a device or a name does not fit, or there are more than 8 batch dimensions.

    Example:
        >>> import torch, reidops
        >>> image = torch.arange(16.0).reshape(1, 4, 4)
        >>> halves = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.5, -0.5]], [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]])
        >>> reidops.affine_sample(image, halves, (2, 4))[:, 0]  # the upper half, the lower half
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
        raise ValueError(f"{op}: input must have images of at least one pixel, got {describe(input)}")
    batch = check_broadcast(op, "theta", theta, theta.shape[:-2], "input", input.shape[:-3])
    check_batch_dims(op, "input and theta", batch)
    dtype = result_dtype(input)
    if input.dtype != theta.dtype or dtype != input.dtype:  # autocast
        input, theta = input.to(computing_dtype(dtype)), theta.to(computing_dtype(dtype))
    result: Tensor = torch.ops.reidops.affine_sample(
        input, theta, *size, MODES.index(mode), PADDING_MODES.index(padding_mode), bool(align_corners)
    )
    return result


def boxes_to_theta(boxes: Tensor) -> Tensor:
    r"""Turn axis-aligned boxes into the theta that samples them by :func:`affine_sample` (MGRe, eq. 4).

    A box with centre (c_x, c_y) and size (s_x, s_y) is sampled by

    .. math::  \theta = \begin{pmatrix} s_x & 0 & 2 c_x - 1 \\ 0 & s_y & 2 c_y - 1 \end{pmatrix}

    Convention:
        ===============  ==============================================================================================
        direction        as :func:`affine_sample` takes it: theta maps the output to the part of the input in the box.
        units            fractions of the image: 0 and 1 are its outer edges. Pixels must be divided by width or height.
        order            left, top, right, bottom (x before y).
        align_corners    False. Edges of boxes are edges of pixels, not centres.
        whole image      ``[0, 0, 1, 1]`` gives the identity.
        outside          a box may reach beyond the image; ``padding_mode`` of :func:`affine_sample` says what is there.
        degenerate       right = left gives a box without width: every column shows the same line. right < left gives a
                         mirrored image. Neither is an error.
        ===============  ==============================================================================================

    Args:
        boxes: ``(*B, 4)``, floating point.

    Returns:
        ``(*B, 2, 3)`` in the dtype of the boxes, with gradients.

    Raises:
        TypeError: boxes are not a floating-point tensor.
        ValueError: the last dimension is not 4.

    Example:
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
    check_one_device("affine_sample", input=input, theta=theta)
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
    check_one_device("affine_sample_backward", grad=grad, input=input, theta=theta)
    sums = torch.float64 if input.dtype == torch.float64 else torch.float32
    grad_input = new_maps(input, input.shape) if of_input else input.new_empty(0)
    return grad_input, input.new_empty((*grad.shape[:-3], 2, 3) if of_theta else (0,), dtype=sums)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    input, theta, h, w, *ctx.options = inputs
    ctx.size = h, w
    keep(ctx, input, theta)


def _jvp(ctx: Any, kept: Sequence[Tensor], of_input: Tensor, of_theta: Tensor, *_: Any) -> Tensor:
    """Linear in the input; along theta by its slope, which the nearest pixel has not."""
    input, theta = kept
    mode, padding_mode, align_corners = ctx.options
    tangent: Tensor = torch.ops.reidops.affine_sample(of_input, theta, *ctx.size, *ctx.options)
    if mode == NEAREST:
        return tangent
    return tangent + slope_along(input, theta, of_theta, ctx.size, padding_mode, align_corners)


def _backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    input, theta = ctx.saved_tensors
    of_input, of_theta = ctx.needs_input_grad[:2]
    grad_input, each = torch.ops.reidops.affine_sample_backward(grad, input, theta, *ctx.options, of_input, of_theta)
    # A theta that several images share gets the sum over them.
    grad_theta = each.sum_to_size(theta.shape).to(theta.dtype) if of_theta else None
    return grad_input if of_input else None, grad_theta, *(None,) * 5


def _setup_context_of_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    grad, input, theta, *ctx.options, ctx.of_input, ctx.of_theta = inputs
    keep(ctx, grad, input, theta)


def _backward_of_backward(ctx: Any, by_input: Tensor, by_theta: Tensor) -> tuple[Any, ...]:
    """Gradients of <by_input, A'g> + <by_theta, d<g, A input> / d theta>, where A samples at theta, by g, input, theta.

    That is <g, A by_input> + <g, slope along by_theta>.
    """
    grad, input, theta = ctx.saved_tensors
    mode, padding_mode, align_corners = ctx.options
    of_grad = of_input = of_theta = None
    if ctx.of_input:
        of_grad = torch.ops.reidops.affine_sample(by_input, theta, *grad.shape[-2:], *ctx.options)
        each = torch.ops.reidops.affine_sample_backward(grad, by_input, theta, *ctx.options, False, True)[1]
        of_theta = each.sum_to_size(theta.shape).to(theta.dtype)
    if ctx.of_theta and mode != NEAREST:
        place = padding_mode, align_corners
        slope = slope_along(input, theta, by_theta, grad.shape[-2:], *place)
        of_input, own = slope_gradients(grad, input, theta, by_theta, *place)
        own = own.sum_to_size(theta.shape).to(theta.dtype)
        of_grad, of_theta = (b if a is None else a + b for a, b in ((of_grad, slope), (of_theta, own)))
    return of_grad, of_input, of_theta, *(None,) * 5


def _jvp_of_backward(
    ctx: Any, kept: Sequence[Tensor], of_grad: Tensor, of_input: Tensor, of_theta: Tensor, *_: Any
) -> tuple[Tensor, Tensor]:
    """Linear in g; that of theta is linear in the input as well; and along theta both move with the slope."""
    grad, input, theta = kept
    mode, padding_mode, align_corners = ctx.options
    backward, wanted = torch.ops.reidops.affine_sample_backward, (ctx.of_input, ctx.of_theta)
    by_input, by_theta = backward(of_grad, input, theta, *ctx.options, *wanted)
    if ctx.of_theta:
        by_theta = by_theta + backward(grad, of_input, theta, *ctx.options, False, True)[1]
    if mode != NEAREST:
        own_input, own_theta = slope_gradients(grad, input, theta, of_theta, padding_mode, align_corners)
        if ctx.of_input:
            by_input = by_input + own_input
        if ctx.of_theta:
            by_theta = by_theta + own_theta
    return by_input, by_theta


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


register_derivatives(_OP, _setup_context, _backward, _jvp)
register_derivatives(_BACKWARD, _setup_context_of_backward, _backward_of_backward, _jvp_of_backward)
torch.library.register_vmap(_OP, _vmap)
torch.library.register_vmap(_BACKWARD, _vmap_backward)
float32_under_autocast(_OP)
