"""Image tensors as small images inside an HTML page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from reidops_models.matching.explanations.colours import error_colours


def to_pillow(image: Tensor) -> Image.Image:
    """The Pillow image of an RGB tensor (3, H, W) in [0, 1]."""
    values = image.detach().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(values, "RGB")


def pale(image: Tensor, colour: float = 0.25) -> Tensor:
    """An image with little of its own colour left, to lay other colours over; (3, H, W) as the image."""
    red, green, blue = 0.299, 0.587, 0.114  # luma of ITU-R BT.601
    grey = (red * image[0] + green * image[1] + blue * image[2]).expand_as(image)
    return (1 - colour) * grey + colour * image


def heat(image: Tensor, values: Tensor, strength: float = 0.65) -> Tensor:
    """An image (3, H, W), pale, under the heat colours of a map (h, w) of values in [0, 1], yellow to dark red."""
    size = image.shape[-2:]
    large = F.interpolate(values[None, None].float(), size, mode="bilinear", align_corners=False)[0, 0]
    colours = torch.from_numpy(error_colours(large.clamp(0, 1).cpu().numpy(), 1.0)).permute(2, 0, 1).to(image.dtype)
    return (1 - strength) * pale(image).cpu() + strength * colours


def thumbnail(image: Tensor, longest: int = 256) -> bytes:
    """An image as a JPEG file, shrunk (never enlarged) to at most `longest` pixels a side.

    Args:
        image: RGB, (3, H, W) in [0, 1].
        longest: most pixels along the longer side.
    """
    small = to_pillow(image)
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def data_uri(image: Tensor, longest: int = 256) -> str:
    """The :func:`thumbnail` of an image as a `data:` address."""
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(image, longest)).decode("ascii")


def png_uri(path: str | Path) -> str:
    """A PNG file as a `data:` address, as it is."""
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")
