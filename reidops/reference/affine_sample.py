"""Affine sampling as torch has it: the input expanded, the grid made, every pixel sampled from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MODES = ("bilinear", "nearest")
PADDING_MODES = ("zeros", "border", "reflection")


def affine_sample(
    input: Tensor, theta: Tensor, h: int, w: int, mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """``(*B, C, h, w)`` of ``input (*B, C, H, W)`` at ``theta (*B, 2, 3)``; mode and padding by their place above."""
    batch = torch.broadcast_shapes(input.shape[:-3], theta.shape[:-2])
    if not (math.prod(batch) and input.shape[-3]):
        return (input.sum() + theta.sum()) * input.new_ones(*batch, input.shape[-3], h, w)
    maps, grid = _expanded(input, theta, batch, h, w, align_corners)
    sampled = F.grid_sample(
        maps, grid, mode=MODES[mode], padding_mode=PADDING_MODES[padding_mode], align_corners=align_corners
    )
    return sampled.to(input.dtype).reshape(*batch, *sampled.shape[1:])


def affine_sample_backward(
    grad: Tensor,
    input: Tensor,
    theta: Tensor,
    mode: int,
    padding_mode: int,
    align_corners: bool,
    of_input: bool,
    of_theta: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of input and, one for each sample, of theta; ``(0,)`` where not wanted."""
    batch, (h, w) = grad.shape[:-3], grad.shape[-2:]
    nothing = input.new_empty(0)
    sums = _sums(input)
    if not grad.numel():
        of_maps, of_thetas = torch.zeros_like(input), theta.new_zeros(*batch, 2, 3, dtype=sums)
        return of_maps if of_input else nothing, of_thetas if of_theta else nothing.to(sums)
    maps, grid = _expanded(input, theta, batch, h, w, align_corners)
    # Torch's own backward by name: where this stands in for a kernel, nothing is being recorded.
    of_maps, of_grid = torch.ops.aten.grid_sampler_2d_backward(
        grad.reshape(-1, *grad.shape[-3:]).to(sums), maps, grid, mode, padding_mode, align_corners, [of_input, True]
    )
    of_thetas = torch.ops.aten.affine_grid_generator_backward(of_grid, [*grid.shape[:1], 1, h, w], align_corners)
    grad_theta = of_thetas.reshape(*batch, 2, 3) if of_theta else nothing.to(sums)
    if not of_input:
        return nothing, grad_theta
    return of_maps.reshape(*batch, *input.shape[-3:]).sum_to_size(input.shape).to(input.dtype), grad_theta


def _sums(input: Tensor) -> torch.dtype:
    return torch.float64 if input.dtype == torch.float64 else torch.float32


def _expanded(
    input: Tensor, theta: Tensor, batch: Sequence[int], h: int, w: int, align_corners: bool
) -> tuple[Tensor, Tensor]:
    """One image and one grid for each sample, in the dtype of the sums."""
    samples = math.prod(batch)
    maps = input.expand(*batch, *input.shape[-3:]).reshape(samples, *input.shape[-3:]).to(_sums(input))
    thetas = theta.expand(*batch, 2, 3).reshape(samples, 2, 3).to(_sums(input))
    return maps, F.affine_grid(thetas, [samples, input.shape[-3], h, w], align_corners=align_corners)
