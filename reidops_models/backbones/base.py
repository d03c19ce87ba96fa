"""What all backbones share: normalisation of the input, and images smaller than the trunk can take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Mean and deviation of ImageNet's RGB in [0, 1], which torchvision's weights were trained with.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Backbone(nn.Module):
    """A trunk of convolutions and poolings in stages; a subclass has a `trunk` method.

    Attributes:
        stage_channels: of the maps of each stage, the first stage first.
        stage_strides: image pixels between neighbouring locations of each stage's maps.
        channels, stride: of the last stage.
        minimum_size: the least height and width the trunk can take. A smaller image is padded up to it by repeating
            its last row and column, so that a partial probe of any size has a map.

    Example:
        >>> from reidops_models.backbones import build_backbone
        >>> backbone = build_backbone("resnet50", last_stride=1)
        >>> backbone.stage_channels, backbone.stage_strides
        ((256, 512, 1024, 2048), (4, 8, 16, 16))
        >>> [tuple(maps.shape) for maps in backbone.stage_maps(torch.rand(1, 3, 64, 32))]
        [(1, 256, 16, 8), (1, 512, 8, 4), (1, 1024, 4, 2), (1, 2048, 4, 2)]
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, stage_channels: Sequence[int], stage_strides: Sequence[int], minimum_size: int = 1) -> None:
        super().__init__()
        self.stage_channels = tuple(stage_channels)
        self.stage_strides = tuple(stage_strides)
        self.channels = self.stage_channels[-1]
        self.stride = self.stage_strides[-1]
        self.minimum_size = minimum_size
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """The last stage's maps of images.

        Args:
            images: (B, 3, H, W), RGB in [0, 1].

        Returns:
            (B, channels, h, w), not normalised.

        Raises:
            ValueError: not three channels, or an empty image.
        """
        for maps in self.trunk(self._prepared(images)):
            last = maps  # the others are not kept
        return last

    def stage_maps(self, images: Tensor) -> list[Tensor]:
        """The maps of every stage, (B, stage_channels[i], h_i, w_i); arguments and errors as of `forward`."""
        return list(self.trunk(self._prepared(images)))

    def _prepared(self, images: Tensor) -> Tensor:
        """Checked, padded and normalised."""
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[-2:]:
            raise ValueError(f"{type(self).__name__}: images: expected (B, 3, H, W), got {tuple(images.shape)}")
        down = max(0, self.minimum_size - images.shape[-2])
        right = max(0, self.minimum_size - images.shape[-1])
        if down or right:
            images = F.pad(images, (0, right, 0, down), mode="replicate")
        return self.normalise(images)

    def normalise(self, images: Tensor) -> Tensor:
        """Images (*B, 3, H, W) in [0, 1] as the trunk takes them."""
        return (images - self.mean) / self.deviation

    def trunk(self, images: Tensor) -> Iterator[Tensor]:
        """The maps of normalised images, stage after stage."""
        raise NotImplementedError


def initialise(module: nn.Module) -> None:
    """He's initialisation for convolutions followed by ReLU; batch normalisation starts as the identity."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
