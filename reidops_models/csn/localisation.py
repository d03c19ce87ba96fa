"""The localisation net of a level, table 1 and sec. 3.1: where in a stripe the part lies that is worth comparing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reidops_models.csn.layers import ConvolutionBlock

WIDTHS = (32, 32, 128)


class LocalisationNet(nn.Module):
    """Table 1's three convolutions, average pooling, and six numbers through tanh: eq. 1's theta.

    Starts with `start`, whatever it is shown.

    Args:
        channels: of the maps.
        start: (s_w, s_h), the scales at first.

    Example:
        >>> LocalisationNet(96, (0.5, 0.5)).eval()(torch.rand(1, 96, 20, 15))
        tensor([[[0.5000, 0.0000, 0.0000],
                 [0.0000, 0.5000, 0.0000]]], grad_fn=<ViewBackward0>)
    """

    def __init__(self, channels: int, start: tuple[float, float]) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.layers = nn.Sequential(
            ConvolutionBlock(channels, first, 3, pooled=True),
            ConvolutionBlock(first, second, 3, pooled=True),
            ConvolutionBlock(second, third, 1),
        )
        self.embedding = nn.Linear(third, 6)
        nn.init.zeros_(self.embedding.weight)
        with torch.no_grad():
            self.embedding.bias.copy_(torch.tensor([start[0], 0, 0, 0, start[1], 0]).atanh())

    def forward(self, stripes: Tensor) -> Tensor:
        """theta (B, 2, 3) of stripes (B, C, h, w)."""
        return self.embedding(self.layers(stripes).mean(dim=(2, 3))).tanh().view(-1, 2, 3)
