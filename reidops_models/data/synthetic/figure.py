"""A canvas in a person's own coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from reidops_models.data.synthetic.people import Color

__all__ = ["Figure"]

Point = tuple[float, float]


class Figure:
    """Draws shapes given in the person frame (see `pose`) onto an image.

    Args:
        image: the image, changed in place.
        center: the body axis' x in pixels.
        top: the crown's y in pixels.
        scale: the person's height in pixels.
        lean: by how much of the height the crown stands aside of the soles.
    """

    def __init__(self, image: Image.Image, center: float, top: float, scale: float, lean: float) -> None:
        self.image, self.center, self.top, self.scale, self.lean = image, center, top, scale, lean
        self.draw = ImageDraw.Draw(image)

    def point(self, x: float, y: float) -> Point:
        """Pixel position of a point of the frame."""
        return self.center + (x + self.lean * (1 - y)) * self.scale, self.top + y * self.scale

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        self.draw.polygon([self.point(*point) for point in points], fill=color)

    def ellipse(self, x: float, y: float, half_width: float, half_height: float, color: Color) -> None:
        self.draw.ellipse(self._corners(x, y, half_width, half_height), fill=color)

    def box(self, x: float, y: float, half_width: float, half_height: float, color: Color, radius: float = 0.0) -> None:
        self.draw.rounded_rectangle(self._corners(x, y, half_width, half_height), radius * self.scale, fill=color)

    def line(self, points: Sequence[Point], width: float, color: Color, least: int = 1) -> None:
        """A line through the points, at least `least` pixels wide."""
        self.draw.line([self.point(*p) for p in points], fill=color, width=max(least, int(width * self.scale)))

    def limb(self, start: Point, end: Point, start_radius: float, end_radius: float, color: Color) -> None:
        """Two discs and the trapezium between them."""
        (x0, y0), (x1, y1) = self.point(*start), self.point(*end)
        r0, r1 = start_radius * self.scale, end_radius * self.scale
        length = math.hypot(x1 - x0, y1 - y0) + 1e-6
        nx, ny = (y0 - y1) / length, (x1 - x0) / length
        corners = [(x0 + nx * r0, y0 + ny * r0), (x1 + nx * r1, y1 + ny * r1), (x1 - nx * r1, y1 - ny * r1)]
        self.draw.polygon([*corners, (x0 - nx * r0, y0 - ny * r0)], fill=color)
        for x, y, r in ((x0, y0, r0), (x1, y1, r1)):
            self.draw.ellipse([x - r, y - r, x + r, y + r], fill=color)

    def _corners(self, x: float, y: float, half_width: float, half_height: float) -> list[float]:
        px, py = self.point(x, y)
        dx, dy = half_width * self.scale, half_height * self.scale
        return [px - dx, py - dy, px + dx, py + dy]
