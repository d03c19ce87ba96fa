"""Explanation of a pair: where the regions of a body were located."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reidops_models.matching.explanations.colours import css, position_colours
from reidops_models.matching.explanations.panel import Outline, Panel


@dataclass(frozen=True)
class LocatedRegions:
    """Where the regions of a body were located in either image.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        names: of the R regions.
        boxes: (2, R, 4) left, top, right and bottom edges as shares of the probe and of the gallery image.
    """

    title: ClassVar[str] = "where the regions of a body were located"

    distance: float
    probe: Tensor
    gallery: Tensor
    names: Sequence[str]
    boxes: Tensor

    @property
    def facts(self) -> str:
        """The distance."""
        return f"distance {self.distance:.4f}"

    def panels(self) -> list[Panel]:
        """Both images, with a box for each region in the colour of the region."""
        colours = [css(colour) for colour in position_colours(max(2, len(self.names)), 1)]
        panels = []
        for image, boxes, caption in zip((self.probe, self.gallery), self.boxes, ("probe", "rank 1"), strict=True):
            outlines = tuple(
                Outline.of_box((left, top, right, bottom), colour, name)
                for (left, top, right, bottom), colour, name in zip(boxes.tolist(), colours, self.names, strict=False)
            )
            panels.append(Panel(image, caption, outlines=outlines))
        return panels
