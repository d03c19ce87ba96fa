"""The modules of a stage: location (eq. 1 and 2), sampling (eq. 4 and 5) and embedding (fig. 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import reidops
from reidops_models.mgre.regions import Region

POOLED = 2  # side of the location module's max pooling


class LocationModule(nn.Module):
    r"""Where the regions of a stage are: four numbers per region, eq. 1.

    The layers are a convolution, ReLU, batch normalisation, max pooling and a linear layer.

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


def sample_regions(maps: Tensor, boxes: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    r"""What each box shows of the maps, by bilinear interpolation; nothing beyond their edges.

    .. math::
        x^s = c_x W + (x^t - M / 2) \, l_1 / M, \qquad
        V(x^t, y^t) = \sum_{n, m} U_{nm} \max(0, 1 - |x^s - m|) \max(0, 1 - |y^s - n|)

    Coordinates are those of the pixels' centres, 1/2, 3/2, ... on either side, so that a box of the sampled size is a
    crop. Boxes of one size share a call.

    Args:
        maps: (B, C, H, W).
        boxes: (B, R, 4) left, top, right, bottom, as shares of the maps.
        sizes: (N, M) of each of the R regions.

    Returns:
        R maps (B, C, N, M), with gradients to maps and boxes.

    Example:
        >>> import torch
        >>> whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
        >>> maps = torch.rand(1, 2, 8, 4)
        >>> torch.allclose(sample_regions(maps, whole, [(8, 4)])[0], maps, atol=1e-6)
        True
    """
    theta = reidops.boxes_to_theta(boxes)
    found: dict[int, Tensor] = {}
    for size in dict.fromkeys(sizes):
        chosen = [region for region, one in enumerate(sizes) if one == size]
        sampled = reidops.affine_sample(maps[:, None], theta[:, chosen], size)
        found.update(zip(chosen, sampled.unbind(dim=1), strict=True))
    return [found[region] for region in range(len(sizes))]


class Embedding(nn.Module):
    """From the maps of a stage's regions to one vector, and from there to identities (fig. 3).

    Each region's maps are pooled twice, by average and by maximum, and the two are added. The regions are put side by
    side, and a linear layer makes the stage's feature. Batch normalisation stands between feature and classifier.

    Args:
        channels: of the maps of all regions together.
        dimensions: of the feature.
        identities: of training.

    Example:
        >>> embedding = Embedding(2 * 512, 512, identities=751).eval()
        >>> embedding([torch.rand(3, 512, 16, 16), torch.rand(3, 512, 8, 8)]).shape
        torch.Size([3, 512])
    """

    def __init__(self, channels: int, dimensions: int, identities: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, dimensions, bias=False)
        self.norm = nn.BatchNorm1d(dimensions)
        self.classifier = nn.Linear(dimensions, identities, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.01)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_r, h_r, w_r) of each region -> (B, dimensions)."""
        feature: Tensor = self.linear(torch.cat([pooled(one) for one in maps], dim=1))
        return feature

    def classify(self, feature: Tensor) -> Tensor:
        """(B, dimensions) -> logits (B, identities)."""
        logits: Tensor = self.classifier(self.norm(feature))
        return logits


def pooled(maps: Tensor) -> Tensor:
    """GAP + GMP: (B, C, h, w) -> (B, C)."""
    return maps.mean(dim=(2, 3)) + maps.amax(dim=(2, 3))
