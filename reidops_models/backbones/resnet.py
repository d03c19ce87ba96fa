"""Residual networks up to their last maps (He et al. 2016), with the stride of the last stage as an option.

Parameters are named as in torchvision (`layer1.0.conv1.weight`, ...); strides are where torchvision has them, in the
3x3 convolution of a bottleneck.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from reidops_models.backbones.base import Backbone, initialise

Stride = Literal[1, 2]


class Basic(nn.Module):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
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

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
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
    """

    def __init__(
        self,
        block: type[Basic | Bottleneck],
        blocks: Sequence[int],
        width: int = 64,
        last_stride: Stride = 2,
        stem: int = 7,
    ) -> None:
        if last_stride not in (1, 2):
            raise ValueError(f"ResNet: last_stride: expected 1 or 2, got {last_stride!r}")
        super().__init__(channels=8 * width * block.expansion, stride=16 * last_stride)
        self.conv1 = nn.Conv2d(3, width, stem, stride=2, padding=stem // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        strides = (1, 2, 2, last_stride)
        before = width
        for stage, (count, stride) in enumerate(zip(blocks, strides, strict=True)):
            stage_width = width * 2**stage
            layers = []
            for index in range(count):
                layers.append(block(before, stage_width, stride if index == 0 else 1))
                before = stage_width * block.expansion
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        initialise(self)

    def stages(self) -> list[nn.Module]:
        """The four stages, for whoever needs the maps between them."""
        return [self.get_submodule(f"layer{number}") for number in (1, 2, 3, 4)]

    def trunk(self, images: Tensor) -> Tensor:
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in self.stages():
            maps = stage(maps)
        return maps


def resnet18(last_stride: Stride = 2) -> ResNet:
    """11,176,512 parameters, 512 channels."""
    return ResNet(Basic, (2, 2, 2, 2), last_stride=last_stride)


def resnet50(last_stride: Stride = 2) -> ResNet:
    """23,508,032 parameters, 2048 channels; its last maps are the paper's res5c (sec. 4.7)."""
    return ResNet(Bottleneck, (3, 4, 6, 3), last_stride=last_stride)


def resnet_slim(last_stride: Stride = 1, width: int = 24) -> ResNet:
    """One basic block a stage and a 3x3 stem, for minutes on a CPU: 0.69 M parameters, 192 channels, stride 16."""
    return ResNet(Basic, (1, 1, 1, 1), width=width, last_stride=last_stride, stem=3)


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    """The identity, or a projection where the shape changes."""
    if before == after and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
