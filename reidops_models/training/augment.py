"""Augmentation of whole batches, on the device where they are.

Every image of a batch draws its own parameters. The geometric changes (mirror, shift, crop) are one affine map an
image and cost one sampling together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.recipe import Images
from reidops_models.training.augmix import augmix

CROPPED = (0.2, 0.6)  # the share of an image that a partial crop takes away, as in STNReID


def augment(images: Tensor, options: Images, affine: Tensor | None = None) -> Tensor:
    """A random variation of each image.

    Args:
        images: (B, 3, H, W) float in [0, 1].
        options: how much of what; all zero returns the images unchanged.
        affine: (B, 2, 3) of :func:`draw_affine`, for whoever must know where a point of an image went; None: drawn.

    Returns:
        (B, 3, H, W) in [0, 1].

    Example:
        >>> augment(torch.rand(4, 3, 128, 64), Images(size=(128, 64), flip=0.5, shift=0.06, jitter=0.2)).shape
        torch.Size([4, 3, 128, 64])
    """
    if options.flip or options.shift or options.partial:
        images = _sample(images, draw_affine(images, options) if affine is None else affine)
    if options.augmix:
        images = augmix(images, options.augmix)
    if options.jitter:
        images = _jitter(images, options.jitter)
    if options.erase:
        images = _erase(images, options.erase)
    return images


def draw_affine(images: Tensor, options: Images) -> Tensor:
    """Mirror, shift and crop of each image as one map: (B, 2, 3), from output to input in normalised coordinates, -1
    to 1 along both axes; without rotation or shear."""
    batch, _, height, width = images.shape
    random = torch.rand(6, batch, device=images.device)
    mirror = torch.where(random[0] < options.flip, -1.0, 1.0)

    # Shifts by whole pixels: sampling then copies pixels, it does not blur them.
    down = ((2 * random[1] - 1) * options.shift * height).round() * (2 / height)
    right = ((2 * random[2] - 1) * options.shift * width).round() * (2 / width)

    # A crop takes `gone` away from one of four sides: the window that is left has scale 1 - gone and its centre off
    # by gone, towards the other side.
    low, high = CROPPED
    gone = torch.where(random[3] < options.partial, low + (high - low) * random[4], 0.0)
    side = (4 * random[5]).long()
    vertical, sign = side < 2, torch.where(side % 2 == 0, 1.0, -1.0)
    scale_y, scale_x = 1 - gone * vertical, 1 - gone * ~vertical
    centre_y, centre_x = sign * gone * vertical, sign * gone * ~vertical

    zero = torch.zeros_like(mirror)
    rows_x = torch.stack((mirror * scale_x, zero, centre_x + right * scale_x), dim=1)
    rows_y = torch.stack((zero, scale_y, centre_y + down * scale_y), dim=1)
    return torch.stack((rows_x, rows_y), dim=1)


def _sample(images: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _jitter(images: Tensor, amount: float) -> Tensor:
    """Contrast about the image's mean and brightness within 1 +- amount, a gain for each channel within half that."""
    batch = images.shape[0]
    contrast, brightness = 1 + amount * (2 * torch.rand(2, batch, 1, 1, 1, device=images.device) - 1)
    gains = 1 + amount / 2 * (2 * torch.rand(batch, 3, 1, 1, device=images.device) - 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (((images - mean) * contrast + mean) * (brightness * gains)).clamp(0, 1)


def _erase(images: Tensor, probability: float) -> Tensor:
    """Random erasing: a rectangle of 2 to 40 % of the area, of aspect 0.3 to 3.3, in the image's mean colour."""
    batch, _, height, width = images.shape
    random = torch.rand(5, batch, 1, 1, device=images.device)
    area = (0.02 + 0.38 * random[0]) * height * width
    aspect = 0.3 * (3.3 / 0.3) ** random[1]
    tall = (area * aspect).sqrt().clamp(max=height)
    wide = (area / aspect).sqrt().clamp(max=width)
    top, left = random[2] * (height - tall), random[3] * (width - wide)
    y = torch.arange(height, device=images.device).view(1, -1, 1)
    x = torch.arange(width, device=images.device).view(1, 1, -1)
    erased = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide) & (random[4] < probability)
    return torch.where(erased[:, None], images.mean(dim=(2, 3), keepdim=True), images)
