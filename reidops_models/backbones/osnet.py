"""OSNet: omni-scale feature learning (Zhou et al., ICCV 2019), up to its last maps.

Parameters are named as in its authors' files (`conv2.0.conv2a.conv1.weight`, ...).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.backbones.base import Backbone, initialise

REDUCTION = 4  # of channels inside a block
GATE_REDUCTION = 16
STREAMS = "abcd"  # of 1, 2, 3 and 4 convolutions of 3x3: receptive fields of 3, 5, 7 and 9


class Unit(nn.Module):
    """Convolution and batch normalisation, and ReLU unless it is linear."""

    def __init__(self, before: int, after: int, size: int = 1, stride: int = 1, *, linear: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
        self.bn = nn.BatchNorm2d(after)
        self.linear = linear

    def forward(self, maps: Tensor) -> Tensor:
        normalised: Tensor = self.bn(self.conv(maps))
        return normalised if self.linear else F.relu(normalised, inplace=True)


class LightConvolution(nn.Module):
    """A 3x3 convolution in two: 1x1 over channels, then 3x3 in each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv2(self.conv1(maps))), inplace=True)


class ChannelGate(nn.Module):
    """Weighs the channels of a stream by what is in it; all streams of a block share one gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // GATE_REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // GATE_REDUCTION, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        pooled = maps.mean(dim=(2, 3), keepdim=True)
        gate: Tensor = self.fc2(F.relu(self.fc1(pooled))).sigmoid()
        return maps * gate


class OmniScaleBlock(nn.Module):
    """Four streams of growing receptive fields, gated and added, and a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        inner = after // REDUCTION
        self.conv1 = Unit(before, inner)
        self.conv2a: nn.Module = LightConvolution(inner)
        for count, name in enumerate(STREAMS[1:], start=2):
            self.add_module(f"conv2{name}", nn.Sequential(*(LightConvolution(inner) for _ in range(count))))
        self.gate = ChannelGate(inner)
        self.conv3 = Unit(inner, after, linear=True)
        self.downsample = Unit(before, after, linear=True) if before != after else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        reduced = self.conv1(maps)
        scales = [self.gate(self.get_submodule(f"conv2{name}")(reduced)) for name in STREAMS]
        return F.relu(self.conv3(sum(scales)) + self.downsample(maps))


class OSNet(Backbone):
    """A stem of stride 4, three stages of two blocks, the first two followed by a halving, and a 1x1 convolution.

    The halving belongs to the stage after it: the maps of stages 1 to 4 have strides 4, 8, 16 and 16, like those of a
    ResNet whose last stride is 1.

    Args:
        channels: of the stem and of the three stages.
    """

    def __init__(self, channels: Sequence[int] = (64, 256, 384, 512)) -> None:
        super().__init__((*channels[1:], channels[-1]), (4, 8, 16, 16), minimum_size=16)
        self.conv1 = Unit(3, channels[0], 7, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = _stage(channels[0], channels[1], halved=True)
        self.conv3 = _stage(channels[1], channels[2], halved=True)
        self.conv4 = _stage(channels[2], channels[3], halved=False)
        self.conv5 = Unit(channels[3], channels[3])
        initialise(self)

    def trunk(self, images: Tensor) -> Iterator[Tensor]:
        maps = self.maxpool(self.conv1(images))
        for stage in (self.conv2, self.conv3, self.conv4):
            first, second, *halving = stage
            maps = second(first(maps))
            yield maps
            for layer in halving:
                maps = layer(maps)
        yield self.conv5(maps)


def osnet_x1_0() -> OSNet:
    """1,905,828 parameters, 512 channels; 2.2 M with the embedding that follows in the paper."""
    return OSNet()


def osnet_x0_25() -> OSNet:
    """A quarter of the channels: for miniatures."""
    return OSNet((16, 64, 96, 128))


def _stage(before: int, after: int, *, halved: bool) -> nn.Sequential:
    layers: list[nn.Module] = [OmniScaleBlock(before, after), OmniScaleBlock(after, after)]
    if halved:
        layers.append(nn.Sequential(Unit(after, after), nn.AvgPool2d(2, stride=2)))
    return nn.Sequential(*layers)
