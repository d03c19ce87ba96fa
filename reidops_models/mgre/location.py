"""The location module, eq. 1 and 2: where the regions of a stage are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reidops_models.mgre.regions import Region

POOLED = 2


class LocationModule(nn.Module):
    r"""Convolution, ReLU, batch normalisation, max pooling and a linear layer: four numbers for each region, eq. 1.

    .. math::
        (\Delta c_x, \Delta c_y) = \tanh(a_x, a_y), \qquad (l_1, l_2) = \exp(b_1, b_2)

    It starts with every region at its predefined centre and of its sampled size, a plain crop. The box, eq. 2, in
    shares of the image, has the centre c + delta and the size l.

    Args:
        channels: of the stage's maps.
        map_size: their (height, width).
        regions: to locate.
        sizes: (height, width) of each region's sampled maps.
        width: channels of the convolution, which the paper does not give: with 224 the network has the operations of
            table 8 (docs/mgre.md).

    Example:
        >>> from reidops_models.mgre.regions import regions_of
        >>> module = LocationModule(512, (32, 16), regions_of(2), [(16, 16), (16, 16)]).eval()
        >>> module(torch.rand(1, 512, 32, 16)).round(decimals=3)[0, 0]  # left, top, right, bottom of the upper body
        tensor([0.0000, 0.0830, 1.0000, 0.5830], grad_fn=<SelectBackward0>)
    """

    centres: Tensor

    def __init__(
        self,
        channels: int,
        map_size: tuple[int, int],
        regions: Sequence[Region],
        sizes: Sequence[tuple[int, int]],
        width: int = 224,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(POOLED)
        self.linear = nn.Linear(width * (map_size[0] // POOLED) * (map_size[1] // POOLED), 4 * len(regions))
        starts = [(0, 0, math.log(columns / map_size[1]), math.log(rows / map_size[0])) for rows, columns in sizes]
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            self.linear.bias.copy_(torch.tensor(starts, dtype=torch.float32).flatten())
        self.register_buffer("centres", torch.tensor([region.centre for region in regions]), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, C, H, W) -> boxes (B, R, 4): left, top, right, bottom, as shares of the image."""
        found = self.pool(self.norm(self.convolution(maps).relu())).flatten(1)
        # Adam moves every weight by the rate. The sum of some thousand that move alike would throw the boxes out of the
        # image at the first steps, where tanh has no gradient to bring them back.
        found = found / found.shape[1] ** 0.5
        offsets, lengths = self.linear(found).unflatten(1, (-1, 2, 2)).unbind(dim=2)
        centres, half = self.centres + offsets.tanh(), lengths.exp() / 2
        return torch.cat((centres - half, centres + half), dim=2)
