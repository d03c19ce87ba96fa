"""The geometry of one drawing: where each part was looked for, and which part is believed hidden.

probe  |  part 1  |  part 2  |  ...
gallery image  |  part 1  |  part 2  |  ...
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reidops_models.matching import PartAttention
from reidops_models.report.pictures import data_uri, heat

HEIGHT = 120.0  # of every picture, in drawing units
GAP = 12.0
LINE = 36.0  # between the rows of pictures: captions
HIDDEN = 0.75  # of a part's weight in the gallery image: with less in the probe it is believed hidden there


@dataclass(frozen=True)
class Frame:
    """One picture in the drawing, its captions above and below, and whether it shows a part believed hidden."""

    href: str
    above: str
    below: str
    x: float
    y: float
    width: float
    hidden: bool = False
    height: float = HEIGHT


@dataclass(frozen=True)
class PartAttentionDrawing:
    """Everything the template draws."""

    width: float
    height: float
    frames: list[Frame]
    facts: str


def draw_part_attention(probe: Tensor, gallery: Tensor, explanation: PartAttention) -> PartAttentionDrawing:
    """Lay out the drawing; each map has its own scale of colours.

    Args:
        probe, gallery: RGB, (3, H, W) in [0, 1], of any size; drawn are the explanation's, as they were compared.
        explanation: of the pair.
    """
    height, width = explanation.probe.shape[-2:]
    wide = HEIGHT * width / height
    hidden = hidden_parts(explanation)
    frames = []
    for line, (image, name) in enumerate([(explanation.probe, "probe"), (explanation.gallery, "rank 1")]):
        y = line * (HEIGHT + LINE)
        frames.append(Frame(data_uri(image, 240), name, "", 0, y, wide))
        for part, attended in enumerate(explanation.maps[line], start=1):
            shown = heat(image, attended / attended.max().clamp(min=1e-12))
            presence = None if explanation.presence is None else float(explanation.presence[line, part - 1])
            frames.append(
                Frame(
                    data_uri(shown, 240),
                    f"part {part}" if line == 0 else "",
                    "" if presence is None else f"{presence:.2f}",
                    part * (wide + GAP),
                    y,
                    wide,
                    hidden=line == 0 and part in hidden,
                )
            )
    return PartAttentionDrawing(
        width=frames[-1].x + wide, height=frames[-1].y + HEIGHT, frames=frames, facts=_facts(explanation)
    )


def hidden_parts(explanation: PartAttention) -> list[int]:
    """Parts, from 1, that are believed hidden in the probe: with a quarter less weight than in the gallery image.

    Some parts have more presence than others in every image, so that a part is compared with itself.
    """
    if explanation.presence is None:
        return []
    probe, gallery = explanation.presence
    return [part for part, less in enumerate((probe < HIDDEN * gallery).tolist(), start=1) if less]


def _facts(explanation: PartAttention) -> str:
    facts = f"distance {explanation.distance:.4f}"
    if explanation.presence is None:
        return facts
    hidden = hidden_parts(explanation)
    believed = f"part{'s' if len(hidden) > 1 else ''} {', '.join(map(str, hidden))}" if hidden else "no part"
    return f"{facts}; {believed} believed hidden (a quarter less weight than in rank 1)"
