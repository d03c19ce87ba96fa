"""Affine sampling as torch has it: the input expanded, the grid made, every pixel sampled from it."""

from __future__ import annotations

import math

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
    samples = math.prod(batch)
    maps = input.expand(*batch, *input.shape[-3:]).reshape(samples, *input.shape[-3:])
    thetas = theta.expand(*batch, 2, 3).reshape(samples, 2, 3)
    channels = input.shape[-3]
    if not (samples and channels):
        return (input.sum() + theta.sum()) * input.new_ones(*batch, channels, h, w)
    sums = torch.float64 if input.dtype == torch.float64 else torch.float32
    grid = F.affine_grid(thetas.to(sums), [samples, channels, h, w], align_corners=align_corners)
    sampled = F.grid_sample(
        maps.to(sums),
        grid,
        mode=MODES[mode],
        padding_mode=PADDING_MODES[padding_mode],
        align_corners=align_corners,
    )
    return sampled.to(input.dtype).reshape(*batch, channels, h, w)


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
    sums = torch.float64 if input.dtype == torch.float64 else torch.float32
    with torch.enable_grad():
        maps = input.detach().to(sums).requires_grad_()
        thetas = theta.detach().to(sums).expand(*grad.shape[:-3], 2, 3).clone().requires_grad_()
        h, w = grad.shape[-2:]
        output = affine_sample(maps, thetas, h, w, mode, padding_mode, align_corners)
        grad_input, grad_theta = torch.autograd.grad(output, (maps, thetas), grad.to(sums))
    nothing = input.new_empty(0)
    return grad_input.to(input.dtype) if of_input else nothing, grad_theta if of_theta else nothing.to(sums)
