"""What hides a person: the image's edge (partial probes) or an object (occluded probes)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from reidops_models.data.synthetic.people import pick, vary

__all__ = ["Box", "draw_occluder", "sample_crop"]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def sample_crop(
    rng: np.random.Generator, height: int, width: int, least: float = 0.2, most: float = 0.6
) -> tuple[int, int, int, int]:
    """The pixel box that is left when a part between `least` and `most` of the image is cut off a random side.

    The scheme of STNReID's partial probes (Luo et al., "STNReID: Deep Convolutional Networks With Pairwise Spatial
    Transformer Networks for Partial Person Re-Identification", IEEE Transactions on Multimedia, 2020).
    """
    side, part = int(rng.integers(4)), rng.uniform(least, most)
    rows, columns = round(part * height), round(part * width)
    return [
        (0, rows, width, height),
        (0, 0, width, height - rows),
        (columns, 0, width, height),
        (0, 0, width - columns, height),
    ][side]


def draw_occluder(rng: np.random.Generator, image: Image.Image) -> Box:
    """Draw a counter, a pillar or a crate over part of the image.

    Returns:
        The box that it covers, in fractions of the image.
    """
    width, height = image.size
    red, green, blue = rng.integers(30, 220, 3).tolist()
    part = rng.uniform(0.25, 0.5)
    boxes = [(0, 1 - part, 1, 1), (0, 0, part, 1), (1 - part, 0, 1, 1), (0.1, 1 - part, 0.9, 1)]
    left, top, right, bottom = pick(rng, boxes)
    draw = ImageDraw.Draw(image)
    draw.rectangle([left * width, top * height, right * width, bottom * height], fill=(red, green, blue))
    for _ in range(4):
        x, y = rng.uniform(left, right), rng.uniform(top, bottom)
        patch = [x * width, y * height, min(right, x + 0.2) * width, min(bottom, y + 0.1) * height]
        draw.rectangle(patch, fill=vary(rng, (red, green, blue), 35))
    return left, top, right, bottom
