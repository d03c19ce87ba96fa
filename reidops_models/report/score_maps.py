"""The geometry of one drawing: where in the gallery image the parts of the probe were found.

A row for each level: probe, its parts outlined  |  for each part, the gallery image under the part's score map
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reidops_models.matching import ScoreMaps
from reidops_models.report.pictures import data_uri, heat

HEIGHT = 150.0  # of every picture, in drawing units
GAP = 34.0
CAPTION = 24.0
PART_NAMES = {1: ("the part",), 3: ("upper part", "middle part", "lower part")}


@dataclass(frozen=True)
class Frame:
    """One picture in the drawing, and the outlines on it: points of SVG polygons."""

    href: str
    caption: str
    x: float
    y: float
    width: float
    outlines: list[str]
    height: float = HEIGHT


@dataclass(frozen=True)
class ScoreMapsDrawing:
    """Everything the template draws."""

    width: float
    height: float
    frames: list[Frame]
    facts: str


def draw_score_maps(probe: Tensor, gallery: Tensor, explanation: ScoreMaps) -> ScoreMapsDrawing:
    """Lay out the drawing; the maps of a level share one scale of colours. Drawn are the explanation's own images, as
    they were compared."""
    height, width = explanation.probe.shape[-2:]
    wide = HEIGHT * width / height
    frames = []
    for line, (level, maps) in enumerate(explanation.maps.items()):
        top = line * (HEIGHT + CAPTION)
        outlines = [_points(corners, wide) for corners in explanation.parts[level]]
        frames.append(Frame(data_uri(explanation.probe, 240), f"probe, {level}", 0, top, wide, outlines))
        low, high = float(maps.min()), float(maps.max())
        for index, (name, one) in enumerate(zip(PART_NAMES[len(maps)], maps, strict=True), start=1):
            shown = heat(explanation.gallery, (one - low) / max(high - low, 1e-12))
            frames.append(Frame(data_uri(shown, 240), name, index * (wide + GAP), top, wide, []))
    return ScoreMapsDrawing(
        width=max(frame.x for frame in frames) + wide,
        height=max(frame.y for frame in frames) + HEIGHT,
        frames=frames,
        facts=explanation.facts,
    )


def _points(corners: Tensor, wide: float) -> str:
    return " ".join(f"{x * wide:.1f},{y * HEIGHT:.1f}" for x, y in corners.clamp(-0.1, 1.1).tolist())
