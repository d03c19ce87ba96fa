"""Explanation of a pair: where each part of a person was looked for, and which part is believed hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reidops_models.matching.explanations.panel import Outline, Panel

HIDDEN = 0.75  # of a part's weight in the gallery image: with less in the probe it is believed hidden there
WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class PartAttention:
    """Where each part of a person was looked for in either image, and how much of it is believed to be there.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        maps: (2, N, h, w) attention over the probe and over the gallery image; each map has the sum 1.
        presence: (2, N), the weight of each part in the distance, 1 on the average over the parts; the less, the more a
            part is believed hidden. None where parts are not weighted.
    """

    title: ClassVar[str] = "where each part was looked for, and which part is believed hidden"

    distance: float
    probe: Tensor
    gallery: Tensor
    maps: Tensor
    presence: Tensor | None

    @property
    def facts(self) -> str:
        """The distance, and which parts of the probe are believed hidden."""
        facts = f"distance {self.distance:.4f}"
        if self.presence is None:
            return facts
        hidden = self.hidden_parts()
        believed = f"part{'s' if len(hidden) > 1 else ''} {', '.join(map(str, hidden))}" if hidden else "no part"
        return f"{facts}; {believed} believed hidden (a quarter less weight than in rank 1)"

    def hidden_parts(self) -> list[int]:
        """Parts, from 1, that are believed hidden in the probe: with a quarter less weight than in the gallery image.

        Some parts have more presence than others in every image, so that a part is compared with itself.
        """
        if self.presence is None:
            return []
        probe, gallery = self.presence
        return [part for part, less in enumerate((probe < HIDDEN * gallery).tolist(), start=1) if less]

    def panels(self) -> list[Panel]:
        """A row for the probe and a row for the gallery image: the image, then the attention of each part over it.

        Each map has its own scale of colours. The note of a part is its weight.
        """
        hidden = self.hidden_parts()
        panels = []
        for line, (image, name) in enumerate([(self.probe, "probe"), (self.gallery, "rank 1")]):
            panels.append(Panel(image, name, starts_row=True))
            for part, attended in enumerate(self.maps[line], start=1):
                believed = line == 0 and part in hidden
                panels.append(
                    Panel(
                        image,
                        f"part {part}",
                        note="" if self.presence is None else f"{float(self.presence[line, part - 1]):.2f}",
                        heat=attended / attended.max().clamp(min=1e-12),
                        outlines=(Outline.of_box(WHOLE, label="believed hidden"),) if believed else (),
                    )
                )
        return panels
