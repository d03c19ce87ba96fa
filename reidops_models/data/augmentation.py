"""Random changes to training pictures, on float tensors (3, H, W) in [0, 1].

Every draw comes from torch's global generator, so `torch.manual_seed` (and a DataLoader's seeding of its workers)
repeats a run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .images import resize_image

__all__ = ["Augmentation", "adjust_colors", "crop_partially", "erase_rectangle", "shift"]


@dataclass(frozen=True)
class Augmentation:
    """How likely and how strong the changes are; 0 turns one off. Applied in the order of the fields.

    Attributes:
        flip: probability of a mirror image.
        partial_crop: probability of a partial picture, 20 to 60 % of it cut off a random side.
        shift: largest shift, as a part of height and of width; the edge's pixels fill the gap.
        brightness, contrast, saturation: largest relative change of each; a factor in [1 - s, 1 + s].
        white_balance: the same for each colour channel on its own.
        erasing: probability of random erasing.

    Example:
        >>> image = torch.rand(3, 128, 64)
        >>> Augmentation(flip=0.5, shift=0.05, brightness=0.2)(image).shape
        torch.Size([3, 128, 64])
    """

    flip: float = 0.5
    partial_crop: float = 0.0
    shift: float = 0.05
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    white_balance: float = 0.1
    erasing: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"Augmentation: {name} must be in [0, 1], got {value}")

    def __call__(self, image: Tensor) -> Tensor:
        """A changed copy of a picture (3, H, W), of the same size and range."""
        height, width = image.shape[-2:]
        if _chance(self.flip):
            image = image.flip(-1)
        if _chance(self.partial_crop):
            image = resize_image(crop_partially(image), height, width)
        if self.shift:
            image = shift(
                image, round(_uniform(-1, 1) * self.shift * height), round(_uniform(-1, 1) * self.shift * width)
            )
        if self.brightness or self.contrast or self.saturation or self.white_balance:
            gain = self.brightness * torch.empty(1, 1, 1).uniform_(-1, 1) + 1
            gain = gain * (self.white_balance * torch.empty(3, 1, 1).uniform_(-1, 1) + 1)
            contrast = 1 + self.contrast * _uniform(-1, 1)
            image = adjust_colors(image, gain, contrast, saturation=1 + self.saturation * _uniform(-1, 1))
        if _chance(self.erasing):
            image = erase_rectangle(image)
        return image


def crop_partially(image: Tensor, least: float = 0.2, most: float = 0.6) -> Tensor:
    """Cut a part between `least` and `most` off a random side: how partial probes come about. At least a pixel
    stays."""
    height, width = image.shape[-2:]
    part, side = _uniform(least, most), int(torch.randint(4, ()))
    rows, columns = min(round(part * height), height - 1), min(round(part * width), width - 1)
    return [
        image[..., rows:, :],
        image[..., : height - rows, :],
        image[..., :, columns:],
        image[..., :, : width - columns],
    ][side]


def shift(image: Tensor, rows: int, columns: int) -> Tensor:
    """Move a picture down and to the right (up and left if negative); the edge's pixels fill the gap."""
    height, width = image.shape[-2:]
    pad = [max(columns, 0), max(-columns, 0), max(rows, 0), max(-rows, 0)]
    padded = F.pad(image.unsqueeze(0), pad, mode="replicate").squeeze(0)
    top, left = max(-rows, 0), max(-columns, 0)
    return padded[..., top : top + height, left : left + width]


def adjust_colors(image: Tensor, gain: Tensor, contrast: float, saturation: float) -> Tensor:
    """Scale by `gain` (1 or 3, 1, 1), then stretch about the mean grey and about each pixel's grey; clipped to [0,
    1]."""
    image = image * gain
    weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)  # luma of ITU-R BT.601
    grey = (image * weights).sum(0, keepdim=True)
    image = grey + saturation * (image - grey)  # leaves the grey as it is, so the mean grey may be used after it
    mean = grey.mean()
    return (mean + contrast * (image - mean)).clamp_(0, 1)


def erase_rectangle(image: Tensor, least: float = 0.02, most: float = 0.4, aspect: float = 0.3) -> Tensor:
    """Fill a random rectangle with the picture's mean colour.

    Z. Zhong et al., "Random Erasing Data Augmentation", AAAI 2020: area a part in [least, most] of the picture,
    height by width in [aspect, 1 / aspect]. A rectangle that does not fit is drawn again, ten times at most.
    """
    height, width = image.shape[-2:]
    for _ in range(10):
        area = _uniform(least, most) * height * width
        ratio = math.exp(_uniform(math.log(aspect), -math.log(aspect)))
        h, w = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < h < height and 0 < w < width:
            top, left = int(torch.randint(height - h + 1, ())), int(torch.randint(width - w + 1, ()))
            erased = image.clone()
            erased[..., top : top + h, left : left + w] = image.mean((-2, -1), keepdim=True)
            return erased
    return image


def _chance(probability: float) -> bool:
    return probability > 0 and bool(torch.rand(()) < probability)


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))
