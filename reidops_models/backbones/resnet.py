"""Residual networks up to their last maps (He et al. 2016), with the stride of the last stage as an option, and with
instance normalisation beside batch normalisation (IBN-a; Pan et al., ECCV 2018).

Parameters are named as in torchvision (`layer1.0.conv1.weight`, ...), those of IBN as in its authors' files
(`layer1.0.bn1.IN.weight`); strides are where torchvision has them, in the 3x3 convolution of a bottleneck.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from reidops_models.backbones.base import Backbone, initialise

Stride = Literal[1, 2]


class InstanceBatchNorm(nn.Module):
    """IBN-a: the first half of the channels is normalised by each image's own statistics, the rest by the batch's.

    So half of the channels lose what a whole image shares, such as a camera's tint.

    Args:
        channels: C, of maps (B, C, h, w).

    Example:
        >>> InstanceBatchNorm(64)(torch.rand(2, 64, 8, 4)).shape
        torch.Size([2, 64, 8, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sizes = [channels // 2, channels - channels // 2]
        self.IN = nn.InstanceNorm2d(self.sizes[0], affine=True)
        self.BN = nn.BatchNorm2d(self.sizes[1])

    def forward(self, maps: Tensor) -> Tensor:
        one, other = maps.split(self.sizes, dim=1)
        # One location has no variance, and torch refuses it in training: what is left of it is the bias.
        own = self.IN(one) if one.shape[2:].numel() > 1 else self.IN.bias.view(1, -1, 1, 1).expand_as(one)
        return torch.cat((own, self.BN(other)), dim=1)


class Basic(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int, ibn: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = _norm(width, ibn)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, maps: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(maps)))
        out: Tensor = self.relu(self.bn2(self.conv2(residual)) + self.downsample(maps))
        return out


class Bottleneck(nn.Module):
    """1x1 down to the width, 3x3, 1x1 up to four times the width."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int, ibn: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = _norm(width, ibn)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(before, width * self.expansion, stride)

    def forward(self, maps: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        out: Tensor = self.relu(self.bn3(self.conv3(residual)) + self.downsample(maps))
        return out


class ResNet(Backbone):
    """A stem of stride 4 and four stages, of strides 1, 2, 2 and `last_stride`.

    Args:
        block: `Basic` or `Bottleneck`.
        blocks: in each of the four stages.
        width: of the stem and the first stage; doubled from stage to stage.
        last_stride: of the fourth stage; 1 keeps maps of stride 16, with twice the locations in height and width.
        stem: size of the first convolution's window.
        ibn: the first normalisation of each block of the first three stages is IBN-a.
    """

    def __init__(
        self,
        block: type[Basic | Bottleneck],
        blocks: Sequence[int],
        width: int = 64,
        last_stride: Stride = 2,
        stem: int = 7,
        ibn: bool = False,
    ) -> None:
        if last_stride not in (1, 2):
            raise ValueError(f"ResNet: last_stride: expected 1 or 2, got {last_stride!r}")
        widths = [width * 2**stage for stage in range(4)]
        super().__init__([each * block.expansion for each in widths], (4, 8, 16, 16 * last_stride))
        self.conv1 = nn.Conv2d(3, width, stem, stride=2, padding=stem // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        strides = (1, 2, 2, last_stride)
        before = width
        for stage, (count, stride) in enumerate(zip(blocks, strides, strict=True), start=1):
            layers = []
            for index in range(count):
                layers.append(block(before, widths[stage - 1], stride if index == 0 else 1, ibn and stage < 4))
                before = widths[stage - 1] * block.expansion
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
        initialise(self)

    def trunk(self, images: Tensor) -> Iterator[Tensor]:
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for number in (1, 2, 3, 4):
            maps = self.get_submodule(f"layer{number}")(maps)
            yield maps


def resnet18(last_stride: Stride = 2) -> ResNet:
    """11,176,512 parameters, 512 channels."""
    return ResNet(Basic, (2, 2, 2, 2), last_stride=last_stride)


def resnet50(last_stride: Stride = 2) -> ResNet:
    """23,508,032 parameters, 2048 channels; its last maps are the paper's res5c (sec. 4.7)."""
    return ResNet(Bottleneck, (3, 4, 6, 3), last_stride=last_stride)


def resnet50_ibn_a(last_stride: Stride = 2) -> ResNet:
    """ResNet-50 with IBN-a: as many parameters, for either normalisation has a weight and a bias a channel."""
    return ResNet(Bottleneck, (3, 4, 6, 3), last_stride=last_stride, ibn=True)


def resnet_slim(last_stride: Stride = 1, width: int = 24) -> ResNet:
    """One basic block a stage and a 3x3 stem, for minutes on a CPU: 0.69 M parameters, 192 channels, stride 16."""
    return ResNet(Basic, (1, 1, 1, 1), width=width, last_stride=last_stride, stem=3)


def resnet50_slim(last_stride: Stride = 1, width: int = 16, ibn: bool = False) -> ResNet:
    """One bottleneck a stage and a 3x3 stem: 0.50 M parameters, 512 channels. For miniatures of ResNet-50."""
    return ResNet(Bottleneck, (1, 1, 1, 1), width=width, last_stride=last_stride, stem=3, ibn=ibn)


def resnet50_ibn_a_slim(last_stride: Stride = 1) -> ResNet:
    """`resnet50_slim` with IBN-a."""
    return resnet50_slim(last_stride, ibn=True)


def _norm(channels: int, ibn: bool) -> nn.Module:
    return InstanceBatchNorm(channels) if ibn else nn.BatchNorm2d(channels)


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    """The identity, or a projection where the shape changes."""
    if before == after and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
