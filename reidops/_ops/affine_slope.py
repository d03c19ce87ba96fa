"""How affine sampling changes along a change of theta, in plain torch: for forward mode and second derivatives.

Between the pixels a sample is bilinear in its position (X, Y).  With the four values v around it and the fractions f,

    d / d X = (1 - f_y) (v_1 - v_0) + f_y (v_3 - v_2),     d / d Y = (1 - f_x) (v_2 - v_0) + f_x (v_3 - v_1).

Along a tangent t of theta the position moves by dX = slope_x (t_xx x_j + t_xy y_i + t_x), and dY alike, so the sample
moves by dX d / dX + dY d / dY = sum_k a_k v_k.  Of the second derivatives by X and Y only the mixed one,
v_0 - v_1 - v_2 + v_3, is not zero.  The steps are those of csrc/affine_sample/affine_sample.h.  Autograd differentiates
what is here, as often as is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._common.precision import computing_dtype


class Move(NamedTuple):
    """How samples ``(*B, 1, h, w)`` move with a tangent of theta.  Corner 2 dy + dx is at (low y + dy, low x + dx)."""

    places: list[Tensor]  #: of the four pixels along the image's rows, 0 where there is none
    there: list[Tensor]  #: whether there is one
    weights: list[Tensor]  #: a_k
    by_x: Tensor  #: the mixed derivative times this is the derivative by X, normalised: slope_x dY
    by_y: Tensor  #: slope_y dX
    x_j: Tensor  #: the output's coordinates
    y_i: Tensor

    @staticmethod
    def of(
        theta: Tensor, tangent: Tensor, size: Sequence[int], image: Sequence[int], padding: int, align_corners: bool
    ) -> Move:
        y_i, x_j = _base(size[0], align_corners, theta)[:, None], _base(size[1], align_corners, theta)
        (x, dx), (y, dy) = (
            [a[..., None, None] * x_j + (b[..., None, None] * y_i + c[..., None, None]) for a, b, c in rows]
            for rows in ([rows[..., i, None, :].unbind(-1) for rows in (theta, tangent)] for i in (0, 1))
        )
        low_x, f_x, slope_x = _cell(x, image[1], padding, align_corners)
        low_y, f_y, slope_y = _cell(y, image[0], padding, align_corners)
        dx, dy = dx * slope_x, dy * slope_y
        places, there = [], []
        for row in (low_y, low_y + 1):
            for column in (low_x, low_x + 1):
                there.append((column >= 0) & (column < image[1]) & (row >= 0) & (row < image[0]))
                places.append(torch.where(there[-1], row * image[1] + column, 0))
        weights = [
            -dx * (1 - f_y) - dy * (1 - f_x),
            dx * (1 - f_y) - dy * f_x,
            dy * (1 - f_x) - dx * f_y,
            dx * f_y + dy * f_x,
        ]
        return Move(places, there, weights, slope_x * dy, slope_y * dx, x_j, y_i)

    def values(self, input: Tensor) -> list[Tensor]:
        """The four values ``(*B, C, h, w)`` around each sample; zero where there is no pixel."""
        channels, size = input.shape[-3], self.by_x.shape[-2:]
        batch = torch.broadcast_shapes(input.shape[:-3], self.by_x.shape[:-3])
        pixels = _in_a_row(input).expand(*batch, channels, -1)
        found = [pixels.gather(-1, _in_a_row(place).expand(*batch, channels, -1)) for place in self.places]
        return [
            torch.where(there, one.reshape(*batch, channels, *size), 0)
            for one, there in zip(found, self.there, strict=True)
        ]


def slope_along(
    input: Tensor, theta: Tensor, tangent: Tensor, size: Sequence[int], padding: int, align_corners: bool
) -> Tensor:
    """``(*B, C, h, w)``: how bilinear samples move along ``tangent (*B, 2, 3)``, in the dtype of ``input``."""
    dtype = computing_dtype(input.dtype)
    move = Move.of(theta.to(dtype), tangent.to(dtype), size, input.shape[-2:], padding, align_corners)
    moved = [a * v for a, v in zip(move.weights, move.values(input.to(dtype)), strict=True)]
    return (moved[0] + moved[1] + moved[2] + moved[3]).to(input.dtype)


def slope_gradients(
    grad: Tensor, input: Tensor, theta: Tensor, tangent: Tensor, padding: int, align_corners: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of ``sum(grad * slope_along(input, theta, tangent))`` by input and, one for each sample, by theta."""
    dtype = computing_dtype(input.dtype)
    wide, size, (height, width) = grad.to(dtype), grad.shape[-2:], input.shape[-2:]
    move = Move.of(theta.to(dtype), tangent.to(dtype), size, (height, width), padding, align_corners)
    of_input = wide.new_zeros(*grad.shape[:-2], height * width)
    for place, there, a in zip(move.places, move.there, move.weights, strict=True):
        part = _in_a_row(torch.where(there, a * wide, 0))
        of_input = of_input.scatter_add(-1, _in_a_row(place).expand(part.shape), part)
    of_input = of_input.reshape(*grad.shape[:-2], height, width).sum_to_size(input.shape)
    v = move.values(input.to(dtype))
    mixed = (wide * (v[0] - v[1] - v[2] + v[3])).sum(-3, keepdim=True)
    rows = [
        torch.stack([(by * base).sum((-3, -2, -1)) for base in (move.x_j, move.y_i, torch.ones_like(move.x_j))], -1)
        for by in (mixed * move.by_x, mixed * move.by_y)
    ]
    return of_input.to(input.dtype), torch.stack(rows, -2)


def _in_a_row(maps: Tensor) -> Tensor:
    """``(..., h, w) -> (..., h w)``"""
    return maps.reshape(*maps.shape[:-2], maps.shape[-2] * maps.shape[-1])


def _base(n: int, align_corners: bool, like: Tensor) -> Tensor:
    """The output's normalised coordinates along one axis."""
    if n == 1:
        return like.new_zeros(1)
    aligned = torch.linspace(-1, 1, n, dtype=like.dtype, device=like.device)
    return aligned if align_corners else aligned * (n - 1) / n


def _cell(normalised: Tensor, size: int, padding: int, align_corners: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The pixel below each position, -2 where none is near; the fraction; and d position / d normalised coordinate."""
    scale, offset = ((size - 1) / 2, 0.0) if align_corners else (size / 2, 0.5)
    position, slope = (normalised + 1) * scale - offset, torch.full_like(normalised, scale)
    if padding == 2:  # mirrored at the ends until it lies inside
        span = size - 1 if align_corners else size
        from_low = position + offset
        distance = torch.where(from_low < 0, -from_low, from_low)
        rest = distance - torch.floor(distance / (2 * max(span, 1))) * (2 * span)
        first = rest < 2 * span - rest
        position = torch.where(first, rest, 2 * span - rest) - offset
        slope = torch.where(first == (from_low < 0), -slope, slope)
    if padding > 0:  # to the outer pixels' centres
        inside = (position > 0) & (position < size - 1)
        edge = torch.where(position > 0, position.new_full((), size - 1), 0)
        position, slope = torch.where(inside, position, edge), torch.where(inside, slope, 0)
    near = (position > -1) & (position < size)
    low = torch.where(near, torch.floor(position), -2)
    return low.long(), torch.where(near, position - low, position - position), slope
