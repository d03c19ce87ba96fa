"""The torso's garment: its outline and the pattern on it."""

from __future__ import annotations

from PIL import Image, ImageDraw

from reidops_models.data.synthetic.figure import Figure
from reidops_models.data.synthetic.people import Person
from reidops_models.data.synthetic.pose import Pose, Skeleton

__all__ = ["draw_garment"]


def draw_garment(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton) -> None:
    """The shirt or coat: a patterned cloth, cut to the torso's outline."""
    outline = [figure.point(x, y) for x, y in _outline(person, skeleton)]
    left, top = int(min(x for x, _ in outline)), int(min(y for _, y in outline))
    right, bottom = int(max(x for x, _ in outline)) + 2, int(max(y for _, y in outline)) + 2
    cloth = Image.new("RGB", (right - left, bottom - top), person.upper)
    _draw_pattern(cloth, person, pose, figure.scale)
    cut = Image.new("L", cloth.size, 0)
    ImageDraw.Draw(cut).polygon([(x - left, y - top) for x, y in outline], fill=255)
    figure.image.paste(cloth, (left, top), cut)


def _outline(person: Person, skeleton: Skeleton) -> list[tuple[float, float]]:
    shoulder, hip = skeleton.shoulder_half_width, 1.08 * skeleton.hip_half_width
    hem, hem_y = (1.20 * hip, 0.64) if person.coat else (1.02 * hip, 0.515)
    right = [(0.55 * shoulder, 0.165), (shoulder, 0.2), (hip, 0.42), (hem, hem_y)]
    return right + [(-x, y) for x, y in reversed(right)]


def _draw_pattern(cloth: Image.Image, person: Person, pose: Pose, scale: float) -> None:
    """Paint the second colour onto a cloth; `scale` is the person's height in pixels.

    Open jackets and logos are seen from the front only.
    """
    draw, color, pattern = ImageDraw.Draw(cloth), person.second, person.pattern
    width, height = cloth.size
    step = max(3.0, 0.035 * scale * person.pattern_scale)
    middle = width / 2 + 0.05 * pose.sideways * scale
    if pattern in ("hstripe", "check"):
        for i in range(int(height / step) + 1):
            y = (i + 0.5) * step
            draw.rectangle([0, y, width, y + 0.45 * step], fill=color)
    if pattern in ("vstripe", "check"):
        for i in range(int(width / step) + 1):
            x = (width / 2) % step + i * step
            draw.rectangle([x, 0, x + 0.38 * step, height], fill=color)
    if pattern == "dots":
        for row in range(int(height / step) + 1):
            for column in range(int(width / step) + 1):
                x, y = (column + 0.5 * (row % 2)) * step, row * step
                draw.ellipse([x, y, x + 0.45 * step, y + 0.45 * step], fill=color)
    if pattern == "twotone":
        draw.rectangle([0, 0.1575 * scale, width, height], fill=color)
    if pattern == "band":
        draw.rectangle([0, 0.10 * scale, width, (0.10 + 0.055 * person.pattern_scale) * scale], fill=color)
    if pattern == "open" and pose.facing > 0.1:
        top, hem = 0.04 * scale * pose.facing, 0.028 * scale * pose.facing
        draw.polygon([(middle - top, 0), (middle + top, 0), (middle + hem, height), (middle - hem, height)], fill=color)
    if pattern == "logo" and pose.facing > 0.1:
        radius, y = 0.045 * scale * person.pattern_scale, 0.13 * scale
        x0, y0, x1, y1 = middle - radius * pose.facing, y - radius, middle + radius * pose.facing, y + radius
        if person.logo == 0:
            draw.ellipse([x0, y0, x1, y1], fill=color)
        elif person.logo == 1:
            draw.rectangle([x0, y0, x1, y1], fill=color)
        else:
            draw.polygon([(x0, y1), (x1, y1), (middle, y0)], fill=color)
