"""What an explanation draws: images side by side, as plain data. A report lays them out and knows no paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Box = tuple[float, float, float, float]  # left, top, right, bottom as fractions of an image
Point = tuple[float, float]  # x, y as fractions of an image

ACCENT = "#e8590c"  # of an outline that stands alone


@dataclass(frozen=True)
class Mark:
    """A rectangle filled with one colour. Its label appears when somebody points at it."""

    box: Box
    colour: str
    opacity: float = 1.0
    label: str = ""


@dataclass(frozen=True)
class Outline:
    """A polygon. The labels of all outlines of a drawing are listed once, in their colours."""

    points: tuple[Point, ...]
    colour: str = ACCENT
    label: str = ""

    @staticmethod
    def of_box(box: Box, colour: str = ACCENT, label: str = "") -> Outline:
        """The outline of a box.

        Example:
            >>> Outline.of_box((0.0, 0.0, 1.0, 0.5)).points
            ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
        """
        left, top, right, bottom = box
        return Outline(((left, top), (right, top), (right, bottom), (left, bottom)), colour, label)


@dataclass(frozen=True)
class Block:
    """A part of one image that leans on parts of the next image.

    Attributes:
        mark: the part.
        leans_on: marks on the next panel, the most important one first. They appear when somebody points at the
            block, each with its label written into it.
        line: opacity of the line from the block to the first of them; with 0 it appears with the marks.
    """

    mark: Mark
    leans_on: tuple[Mark, ...] = ()
    line: float = 0.0


@dataclass(frozen=True)
class Scale:
    """What colours mean: (colour, opacity) from the lowest value to the highest, and the two values as text."""

    colours: tuple[tuple[str, float], ...]
    low: str
    high: str


@dataclass(frozen=True)
class Panel:
    """One image of a drawing, and what lies on it. Colours are `#rrggbb`.

    Attributes:
        image: (3, H, W), RGB in [0, 1]. It is drawn pale where something is laid over it.
        caption: stands under the image.
        note: a second line, such as a number.
        heat: (h, w) values in [0, 1], laid over the whole image, from yellow to dark red.
        marks: coloured rectangles.
        outlines: polygons. They may leave the image by a quarter of its size.
        blocks: parts that lean on the panel that follows.
        scale: what the colours of the marks mean.
        to_scale: all panels of a drawing with this flag show a pixel at the same size, so that a small image looks
            small. Without it the image fills the panel.
        starts_row: the panel begins a row of its own.
    """

    image: Tensor
    caption: str
    note: str = ""
    heat: Tensor | None = None
    marks: tuple[Mark, ...] = ()
    outlines: tuple[Outline, ...] = ()
    blocks: tuple[Block, ...] = ()
    scale: Scale | None = None
    to_scale: bool = False
    starts_row: bool = False


class Explanation(Protocol):
    """How one probe image was matched to one gallery image.

    Attributes:
        title: what the drawing shows, in a few words.
        distance: the distance of the pair, as `Matcher.distances` gives it.
        facts: one line under the drawing.
    """

    @property
    def title(self) -> str: ...

    @property
    def distance(self) -> float: ...

    @property
    def facts(self) -> str: ...

    def panels(self) -> list[Panel]:
        """What is drawn, from left to right; nothing where a drawing would show nothing."""
        ...
