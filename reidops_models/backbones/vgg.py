"""The fully convolutional network of DSR, sec. 3.1: VGG-16 without its classifier."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from reidops_models.backbones.base import Backbone, initialise

# Channels of the 13 convolutions; "pool" halves the map.
LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")


class FCN(Backbone):
    """13 convolutions of 3x3 with ReLU and 5 poolings of 2x2; the last pooling gives the identity maps.

    A 320x120 image gives 10x3x512, the 15,360 values of sec. 4.2: poolings round down (120 -> 60 -> 30 -> 15 -> 7
    -> 3). Parameters are named as in torchvision's `vgg16` (`features.0.weight`, ...).
    """

    def __init__(self) -> None:
        super().__init__((64, 128, 256, 512, 512), (2, 4, 8, 16, 32), minimum_size=32)
        layers: list[nn.Module] = []
        before = 3
        for layer in LAYERS:
            if isinstance(layer, int):
                layers += [nn.Conv2d(before, layer, 3, padding=1), nn.ReLU(inplace=True)]
                before = layer
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        initialise(self)

    def trunk(self, images: Tensor) -> Iterator[Tensor]:
        """A stage ends with its pooling."""
        maps = images
        for layer in self.features:
            maps = layer(maps)
            if isinstance(layer, nn.MaxPool2d):
                yield maps
