"""Table 1's unit: a convolution, batch normalisation, ReLU, and 2x2 max-pooling where the table has it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class ConvolutionBlock(nn.Module):
    """Sizes follow TensorFlow's SAME rule: a convolution keeps them, a pooling halves them and rounds up.

    Example:
        >>> import torch
        >>> ConvolutionBlock(96, 96, 3, pooled=True)(torch.rand(1, 96, 40, 15)).shape
        torch.Size([1, 96, 20, 8])
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, pooled: bool = False) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.pooled = pooled

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W), or half as high and wide."""
        return self.after(self.convolution(maps))

    def after(self, convolved: Tensor) -> Tensor:
        """What follows the convolution."""
        maps = F.relu(self.norm(convolved))
        return pool(maps) if self.pooled else maps


def pool(maps: Tensor) -> Tensor:
    """2x2 max-pooling of maps (B, C, H, W)."""
    return F.max_pool2d(maps, 2, ceil_mode=True)
