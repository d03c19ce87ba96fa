"""The modules of the network: table 1's unit, localisation net, similarity network of a level, ranking net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import reidops

LOCALISATION_WIDTHS = (32, 32, 128)  # channels of its three convolutions, table 1
RANKING_DIMENSIONS = 256


class ConvolutionBlock(nn.Module):
    """Table 1's unit: a convolution, batch normalisation, ReLU, and 2x2 max-pooling where the table has it.

    Sizes follow TensorFlow's SAME rule: a convolution keeps them, a pooling halves them and rounds up.

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


class LocalisationNet(nn.Module):
    """Where in a stripe the part lies that is worth comparing (table 1 and sec. 3.1): eq. 1's theta.

    Three convolutions, average pooling, and six numbers through tanh. At first the answer is `start` for every input.

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
        first, second, third = LOCALISATION_WIDTHS
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


class ConvolutionSimilarityNetwork(nn.Module):
    """One level: parts of one image, slid over the maps of the other (sec. 3.1, fig. 3).

    The maps are cut into stripes, which share a localisation net, and each stripe gives a part of `size` x `size`.

    Args:
        channels: of the level's maps.
        map_size: their (height, width).
        size: of a part; the paper's f.
        stripes: 3 overlapping ones of half the height, or 1, the whole map (table 4, C1).
        learnt: whether a localisation net finds the part; otherwise it is the middle of the stripe (table 4, C2).

    Example:
        >>> network = ConvolutionSimilarityNetwork(96, (40, 15), 10).eval()
        >>> one, other = torch.rand(2, 96, 40, 15), torch.rand(2, 96, 40, 15)
        >>> parts, theta = network.parts(one)
        >>> parts.shape, network.correlate(other, parts).shape
        (torch.Size([2, 3, 96, 10, 10]), torch.Size([2, 3, 96, 40, 15]))
    """

    def __init__(
        self, channels: int, map_size: tuple[int, int], size: int, *, stripes: int = 3, learnt: bool = True
    ) -> None:
        super().__init__()
        self.size = size
        self.rows = stripe_rows(map_size[0], stripes)
        # At this scale a part is a crop: f x f of the stripe's own pixels.
        rows = self.rows[0][1] - self.rows[0][0]
        self.start = (min(size / map_size[1], 0.95), min(size / rows, 0.95))
        self.localisation = LocalisationNet(channels, self.start) if learnt else None

    def parts(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, C, H, W) -> parts (B, T, C, f, f) and theta (B, T, 2, 3), from a part to its stripe, eq. 1."""
        stripes = torch.stack([maps[:, :, top:bottom] for top, bottom in self.rows], dim=1)
        theta = self._theta(stripes)
        return reidops.affine_sample(stripes, theta, (self.size, self.size)), theta

    def correlate(self, maps: Tensor, parts: Tensor) -> Tensor:
        """Score maps (*B, T, C, H, W), eq. 2: parts (*B, T, C, f, f) slid over maps (*B, C, H, W). *B broadcast."""
        return reidops.depthwise_xcorr(maps.unsqueeze(-4), parts)

    def _theta(self, stripes: Tensor) -> Tensor:
        if self.localisation is not None:
            return self.localisation(stripes.flatten(0, 1)).unflatten(0, stripes.shape[:2])
        width, height = self.start
        fixed = stripes.new_tensor([[width, 0, 0], [0, height, 0]])
        return fixed.expand(*stripes.shape[:2], 2, 3)


def stripe_rows(height: int, stripes: int) -> list[tuple[int, int]]:
    """(first, beyond the last) row of each stripe: of half the height, each overlapping the next by half.

    Example:
        >>> stripe_rows(40, 3)
        [(0, 20), (10, 30), (20, 40)]
        >>> stripe_rows(40, 1)
        [(0, 40)]
    """
    if stripes == 1:
        return [(0, height)]
    tall = (height + 1) // 2
    return [(top, top + tall) for top in (0, (height - tall) // 2, height - tall)]


class RankingNet(nn.Module):
    """One vector per image from its parts, for the contrastive loss and eq. 7 (sec. 3.1).

    Each level has a convolution with pooling. Its stripes are put together from top to bottom and go through a second
    convolution, which all levels share. The average over the locations of all levels gives 256 dimensions of unit
    length. So the net has the paper's three convolutions and its number of parameters (docs/csn.md has the arithmetic).
    Each level has its own batch statistics.

    Example:
        >>> net = RankingNet(96, levels=2).eval()
        >>> net([torch.rand(1, 3, 96, 10, 10), torch.rand(1, 3, 96, 5, 5)]).shape
        torch.Size([1, 256])
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(ConvolutionBlock(channels, channels, 3, pooled=True) for _ in range(levels))
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels))
        self.embedding = nn.Linear(channels, RANKING_DIMENSIONS)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Parts (B, T, C, f, f) of each level -> (B, 256) of unit length."""
        locations = []
        for level, first, norm in zip(parts, self.first, self.norms, strict=True):
            maps = first(level.flatten(0, 1)).unflatten(0, level.shape[:2])
            stacked = maps.movedim(1, 2).flatten(2, 3)  # (B, C, T rows, columns)
            locations.append(F.relu(norm(self.second(stacked))).flatten(2))
        return F.normalize(self.embedding(torch.cat(locations, dim=2).mean(dim=2)), dim=1)
