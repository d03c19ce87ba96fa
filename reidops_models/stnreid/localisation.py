"""The localisation network, table 1: which part of a holistic image a partial image shows."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
WIDTHS = (512, 128, 32)  # of the fully connected layers before the last


class LocalisationNetwork(nn.Module):
    """Table 1: two convolutions, two poolings, four fully connected layers; the last is linear and starts at theta =
    identity.

    Table 1 pads conv1 by 1, which would make 126x62 of 256x128; the 128x64 that it prints need 3, and so it is here.
    For 256x128 images it has 2,177,062 parameters.

    Its first layer is linear in the pair, conv1([h; p]) = conv1_h(h) + conv1_p(p), and in evaluation so is bn1 behind
    it. P x G pairs therefore need P + G convolutions (:meth:`holistic_maps`, :meth:`partial_maps`), and a pair begins
    with a sum (:meth:`theta_of`).

    Args:
        image_size: (height, width), 16 pixels or more each.

    Raises:
        ValueError: a smaller image.

    Example:
        >>> network = LocalisationNetwork((256, 128))
        >>> network(torch.rand(1, 3, 256, 128), torch.rand(1, 3, 256, 128))
        tensor([[[1., 0., 0.],
                 [0., 1., 0.]]], grad_fn=<ViewBackward0>)
    """

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        if min(image_size) < 16:
            raise ValueError(f"LocalisationNetwork: image_size: expected 16 or more each, got {image_size}")
        self.conv1 = nn.Conv2d(6, 16, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        height, width = (_pooled(_halved(_pooled(_halved(side)))) for side in image_size)
        widths = (32 * height * width, *WIDTHS)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.last = nn.Linear(WIDTHS[-1], len(IDENTITY))
        nn.init.zeros_(self.last.weight)
        with torch.no_grad():
            self.last.bias.copy_(torch.tensor(IDENTITY))

    def forward(self, holistic: Tensor, partial: Tensor) -> Tensor:
        """theta (B, 2, 3) of pairs of normalised images (B, 3, H, W)."""
        maps = self.bn1(self.conv1(torch.cat((holistic, partial), dim=1)))
        return self._theta(F.max_pool2d(F.relu(maps), 2))

    def holistic_maps(self, images: Tensor) -> Tensor:
        """What holistic images (G, 3, H, W) add to the maps behind bn1, (G, 16, H/2, W/2), in evaluation."""
        scale, shift = self._bn1()
        return self._half(images, self.conv1.weight[:, :3] * scale, shift)

    def partial_maps(self, images: Tensor) -> Tensor:
        """What partial images (P, 3, H, W) add to the maps behind bn1, (P, 16, H/2, W/2), in evaluation."""
        scale, _ = self._bn1()
        return self._half(images, self.conv1.weight[:, 3:] * scale, None)

    def theta_of(self, maps: Tensor) -> Tensor:
        """theta (B, 2, 3) of pairs from the sums (B, 16, H/2, W/2) of their two images' maps."""
        # The largest of four values above 0 is the largest of four, above 0: a quarter of the work.
        return self._theta(F.relu_(F.max_pool2d(maps, 2)))

    def _theta(self, maps: Tensor) -> Tensor:
        values = F.max_pool2d(F.relu(self.bn2(self.conv2(maps))), 2).flatten(1)
        for layer in self.hidden:
            values = F.relu(layer(values))
        return self.last(values).view(-1, 2, 3)

    def _bn1(self) -> tuple[Tensor, Tensor]:
        """bn1 as y = scale x + shift: scale (16, 1, 1, 1), as conv1's weights take it, and shift (16,)."""
        assert self.bn1.running_mean is not None
        assert self.bn1.running_var is not None
        scale = self.bn1.weight / (self.bn1.running_var + self.bn1.eps).sqrt()
        return scale.view(-1, 1, 1, 1), self.bn1.bias - self.bn1.running_mean * scale

    def _half(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(images, weight, bias, stride=2, padding=3)


def _halved(side: int) -> int:
    """Outputs of a convolution of stride 2 that pads by half its window."""
    return (side + 1) // 2


def _pooled(side: int) -> int:
    return side // 2
