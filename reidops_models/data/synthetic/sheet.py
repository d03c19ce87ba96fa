"""A sheet of images: what the benchmark looks like at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reidops_models.data.synthetic.cameras import sample_cameras
from reidops_models.data.synthetic.occlusion import sample_crop
from reidops_models.data.synthetic.people import GROUP_SIZE, Person, sample_people
from reidops_models.data.synthetic.rendering import render

__all__ = ["draw_sheet"]

_HEIGHT, _WIDTH, _GAP, _HEADING = 128, 64, 6, 20
_CAMERAS, _PARTIAL, _OCCLUDED = 6, 2, 2
_INK, _COLORS = (60, 60, 60), 200


def draw_sheet(seed: int = 0, groups: int = 2) -> Image.Image:
    """One row an identity: an image from each camera, partial probes at their own scale, occluded probes.

    Two look-alikes of each group stand one below the other.
    """
    people = sample_people(groups * GROUP_SIZE, seed)
    people = [person for i, person in enumerate(people) if i % GROUP_SIZE < 2]
    columns = _CAMERAS + _PARTIAL + _OCCLUDED
    size = (columns * (_WIDTH + _GAP) + 3 * _GAP, _HEADING + len(people) * (_HEIGHT + _GAP))
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for first, last, text in (
        (0, 6, "one identity a row, six cameras, look-alikes in pairs"),
        (6, 8, "partial"),
        (8, 10, "occluded"),
    ):
        draw.text(((_left(first) + _left(last - 1) + _WIDTH) / 2, _HEADING / 2), text, _INK, font, anchor="mm")
    for row, person in enumerate(people):
        for column, pixels in enumerate(_row(person, seed, row)):
            sheet.paste(Image.fromarray(pixels), (_left(column), _HEADING + row * (_HEIGHT + _GAP)))
    # Sensor noise defeats PNG's prediction; a palette keeps the file small, and the eye sees no difference.
    return sheet.quantize(_COLORS, dither=Image.Dither.NONE)


def save_sheet(path: str | Path, seed: int = 0) -> Path:
    """Draw the sheet into a PNG file; missing folders above it are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet(seed).save(path, optimize=True)
    return path


def _left(column: int) -> int:
    groups = (column >= _CAMERAS) + (column >= _CAMERAS + _PARTIAL)
    return _GAP + column * (_WIDTH + _GAP) + groups * _GAP


def _row(person: Person, seed: int, row: int) -> list[np.ndarray]:
    cameras, rng = sample_cameras(seed), np.random.default_rng([seed, row, 5])

    def take(column: int, occluded: bool = False) -> np.ndarray:
        return render(person, cameras[column % len(cameras)], (seed, row, column, 77), _HEIGHT, _WIDTH, occluded)[0]

    images = [take(column) for column in range(_CAMERAS)]
    for column in range(_CAMERAS, _CAMERAS + _PARTIAL):
        left, top, right, bottom = sample_crop(rng, _HEIGHT, _WIDTH)
        images.append(take(column)[top:bottom, left:right])
    return images + [take(_CAMERAS + _PARTIAL + i, occluded=True) for i in range(_OCCLUDED)]
