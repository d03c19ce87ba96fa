"""The geometry of one drawing: which part of the gallery image the probe was compared with.

gallery image, the sampled part outlined  |  the affined image  |  probe, as it was compared
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reidops_models.matching import Alignment
from reidops_models.report.pictures import data_uri

HEIGHT = 240.0  # of every picture, in drawing units
GAP = 40.0  # between two of them
BEYOND = 0.25  # of a picture's size, by which the outline may be drawn outside it


@dataclass(frozen=True)
class Frame:
    """One picture in the drawing."""

    href: str
    caption: str
    x: float
    width: float
    height: float = HEIGHT


@dataclass(frozen=True)
class AlignmentDrawing:
    """Everything the template draws: pictures from left to right, and the outline on the first."""

    width: float
    height: float
    frames: list[Frame]
    outline: str  # points of an SVG polygon
    distance: float


def draw_alignment(probe: Tensor, gallery: Tensor, alignment: Alignment) -> AlignmentDrawing:
    """Lay out the drawing of one alignment.

    Args:
        probe: not drawn; the alignment has it as it was compared.
        gallery: RGB, (3, H, W) in [0, 1], of any size.
        alignment: of the pair.
    """
    # The gallery image was resized before it was sampled; drawn so, what was cut out of it has its own proportions.
    height, width = alignment.affined.shape[-2:]
    wide = HEIGHT * width / height
    pictures = [
        (gallery, "rank 1, what was sampled"),
        (alignment.affined, "affined image"),
        (alignment.probe, "probe, resized"),
    ]
    frames = [
        Frame(data_uri(image, 360), caption, index * (wide + GAP), wide)
        for index, (image, caption) in enumerate(pictures)
    ]
    places = [(_near(x) * wide, _near(y) * HEIGHT) for x, y in alignment.corners()]
    return AlignmentDrawing(
        width=frames[-1].x + wide,
        height=HEIGHT,
        frames=frames,
        outline=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        distance=alignment.distance,
    )


def _near(share: float) -> float:
    return min(max(share, -BEYOND), 1 + BEYOND)
