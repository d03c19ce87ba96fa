"""Images in rows and columns, with headings, as one PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from reidops_models.report.pixels import to_pillow

CELL = 128  # pixels of an image's height
GAP = 8
HEAD = 24  # pixels of a heading's line
INK, PAPER = "#1d2129", "#ffffff"


def draw_grid(rows: Sequence[Sequence[Tensor | None]], headings: Sequence[str], path: str | Path) -> Path:
    """Write images, all drawn at one height, under the headings of their columns.

    Args:
        rows: RGB images (3, H, W) in [0, 1] of any sizes, or None for an empty place; each row as long as `headings`.
        headings: of the columns.
        path: the PNG file.

    Returns:
        The path written.

    Raises:
        ValueError: a row of another length, or no row.

    Example:
        >>> draw_grid([[image, other]], ["holistic", "affined"], "figure.png")  # doctest: +SKIP
    """
    if not rows or any(len(row) != len(headings) for row in rows):
        raise ValueError(f"draw_grid: expected rows of {len(headings)} images, got {[len(row) for row in rows]}")
    font = ImageFont.load_default(13)
    shown = [[None if image is None else _scaled(image) for image in row] for row in rows]
    widths = [
        max([round(font.getlength(title)), *(one.width for row in shown if (one := row[column]) is not None)])
        for column, title in enumerate(headings)
    ]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), HEAD + (CELL + GAP) * len(rows)), PAPER)
    draw = ImageDraw.Draw(sheet)
    left = GAP
    for column, (title, width) in enumerate(zip(headings, widths, strict=True)):
        draw.text((left + (width - font.getlength(title)) / 2, 4), title, INK, font)
        for line, row in enumerate(shown):
            if (one := row[column]) is not None:
                sheet.paste(one, (left + (width - one.width) // 2, HEAD + line * (CELL + GAP)))
        left += width + GAP
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    return path


def _scaled(image: Tensor) -> Image.Image:
    whole = to_pillow(image)
    return whole.resize((max(1, round(whole.width * CELL / whole.height)), CELL), Image.Resampling.LANCZOS)
