"""Explanation of a pair: where in the gallery image the parts of the probe were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reidops_models.matching.explanations.panel import Outline, Panel

THREE_PARTS = ("upper part", "middle part", "lower part")


@dataclass(frozen=True)
class ScoreMaps:
    """Where in the gallery image the parts of the probe were found.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        facts: what the distance is made of, in words and numbers.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        maps: (T, h, w) of each level, by its name; the more alike, the higher.
        parts: (T, 4, 2), the corners (x, y) of each part as fractions of the probe, for each level.
    """

    title: ClassVar[str] = "where in the gallery image the parts of the probe were found"

    distance: float
    facts: str
    probe: Tensor
    gallery: Tensor
    maps: Mapping[str, Tensor]
    parts: Mapping[str, Tensor]

    def panels(self) -> list[Panel]:
        """A row for each level: the probe with its parts outlined, then the gallery image under the map of each part.

        The maps of a level share one scale of colours.
        """
        panels = []
        for level, maps in self.maps.items():
            outlines = tuple(Outline(tuple((x, y) for x, y in part)) for part in self.parts[level].tolist())
            panels.append(Panel(self.probe, f"probe, {level}", outlines=outlines, starts_row=True))
            low, high = float(maps.min()), float(maps.max())
            for name, one in zip(_part_names(len(maps)), maps, strict=True):
                panels.append(Panel(self.gallery, name, heat=(one - low) / max(high - low, 1e-12)))
        return panels


def _part_names(count: int) -> tuple[str, ...]:
    if count == 1:
        return ("the part",)
    return THREE_PARTS if count == 3 else tuple(f"part {number}" for number in range(1, count + 1))
