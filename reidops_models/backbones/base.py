"""What all backbones share: normalisation of the input, and images smaller than the trunk can take."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Mean and deviation of ImageNet's RGB in [0, 1], which torchvision's weights were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A trunk of convolutions and poolings; a subclass has a `trunk` method.

    Attributes:
        channels: of the maps.
        stride: image pixels between neighbouring map locations.
        minimum_size: the least height and width the trunk can take. A smaller image is padded up to it by repeating
            its last row and column, so that a partial probe of any size has a map.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: int, stride: int, minimum_size: int = 1) -> None:
        super().__init__()
        self.channels = channels
        self.stride = stride
        self.minimum_size = minimum_size
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of images.

        Args:
            images: (B, 3, H, W), RGB in [0, 1].

        Returns:
            (B, channels, h, w), not normalised.

        Raises:
            ValueError: not three channels, or an empty image.
        """
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[-2:]:
            raise ValueError(f"{type(self).__name__}: images: expected (B, 3, H, W), got {tuple(images.shape)}")
        down = max(0, self.minimum_size - images.shape[-2])
        right = max(0, self.minimum_size - images.shape[-1])
        if down or right:
            images = F.pad(images, (0, right, 0, down), mode="replicate")
        return self.trunk(self.normalise(images))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (*B, 3, H, W) in [0, 1] as the trunk takes them."""
        return (images - self.mean) / self.deviation

    def trunk(self, images: Tensor) -> Tensor:
        """The maps of normalised images."""
        raise NotImplementedError


def initialise(module: nn.Module) -> None:
    """He's initialisation for convolutions followed by ReLU; batch normalisation starts as the identity."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
