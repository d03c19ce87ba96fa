"""The geometry of one drawing: where the regions of a body were located.

probe, regions outlined  |  gallery image, regions outlined  |  names of the regions in their colours
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reidops_models.matching import LocatedRegions
from reidops_models.report.colours import css, position_colours
from reidops_models.report.pictures import data_uri

HEIGHT = 240.0  # of both pictures, in drawing units
GAP = 36.0
LINE = 20.0  # of the legend
LEGEND = 170.0  # its width
BEYOND = 0.25  # of a picture's size, by which a box may be drawn outside it


@dataclass(frozen=True)
class Box:
    """An outline, in drawing units."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    name: str


@dataclass(frozen=True)
class Frame:
    """One picture in the drawing, and the outlines on it."""

    href: str
    caption: str
    x: float
    width: float
    boxes: list[Box]
    height: float = HEIGHT


@dataclass(frozen=True)
class LocatedRegionsDrawing:
    """Everything the template draws."""

    width: float
    height: float
    frames: list[Frame]
    legend: list[Box]  # its height and width are those of a swatch
    distance: float


def draw_located_regions(probe: Tensor, gallery: Tensor, explanation: LocatedRegions) -> LocatedRegionsDrawing:
    """Lay out the drawing.

    Args:
        probe, gallery: RGB, (3, H, W) in [0, 1], of any size; drawn are the explanation's, as they were compared.
        explanation: of the pair.
    """
    height, width = explanation.probe.shape[-2:]
    wide = HEIGHT * width / height
    colours = [css(colour) for colour in position_colours(max(2, len(explanation.names)), 1)]
    frames = []
    for index, (image, caption) in enumerate([(explanation.probe, "probe"), (explanation.gallery, "rank 1")]):
        left = index * (wide + GAP)
        boxes = [
            Box(left + x0 * wide, y0 * HEIGHT, (x1 - x0) * wide, (y1 - y0) * HEIGHT, colour, name)
            for (x0, y0, x1, y1), colour, name in zip(
                explanation.boxes[index].clamp(-BEYOND, 1 + BEYOND).tolist(), colours, explanation.names, strict=False
            )
        ]
        frames.append(Frame(data_uri(image, 360), caption, left, wide, boxes))
    legend = [
        Box(2 * (wide + GAP), 20 + number * LINE, 12, 12, colour, name)
        for number, (name, colour) in enumerate(zip(explanation.names, colours, strict=False))
    ]
    return LocatedRegionsDrawing(
        width=2 * (wide + GAP) + LEGEND, height=HEIGHT, frames=frames, legend=legend, distance=explanation.distance
    )
