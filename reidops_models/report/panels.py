"""The layout of an explanation's panels: one height and one size of letters on every card.

Panels stand in rows, bottoms aligned; a row that is too long for the window flows on below. A panel whose blocks lean
on the next panel stays beside it, because lines run from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reidops_models.matching import Box, Explanation, Panel
from reidops_models.report.pixels import data_uri, heat, pale

HEIGHT = 180.0  # of a panel, in CSS pixels
WIDEST = 260.0  # of an image
SMALLEST = 90.0  # of the longer side of an image drawn to scale, however small the image
NARROWEST = 56.0  # of a panel: room for its caption
LINES = 56.0  # between two panels that lines connect
BEYOND = 0.25  # of an image's size, by which an outline may be drawn outside it


@dataclass(frozen=True)
class Frame:
    """One panel in its place: the image (`width` x `height`), and the margins around it, all in CSS pixels.

    Attributes:
        outlines: the points of an SVG polygon for each of the panel's.
        lines: an SVG path for each of the panel's blocks, "" for a block that leans on nothing.
        leans_on: the image of the panel that follows, as seen from this image's corner; None without blocks.
    """

    panel: Panel
    href: str
    width: float
    height: float
    left: float
    right: float
    above: float
    below: float
    outlines: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    leans_on: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Drawing:
    """Everything the template draws: rows of groups of frames. A group is never broken, and its frames are one panel,
    or panels that lines connect."""

    title: str
    rows: tuple[tuple[tuple[Frame, ...], ...], ...]
    legend: dict[str, str]  # colours by label
    facts: str
    gap: float = LINES

    @property
    def points(self) -> bool:
        """Whether there is something to point at."""
        return any(frame.panel.blocks for row in self.rows for group in row for frame in group)


def lay_out(explanation: Explanation) -> Drawing | None:
    """The drawing of an explanation; None where it has no panels."""
    panels = explanation.panels()
    if not panels:
        return None
    sizes = _sizes(panels)
    rows: list[list[list[Frame]]] = []
    joined = False
    for row in _rows(panels):
        above, below = (max(_overshoot(panels[i], sizes[i])[side] for i in row) for side in ("above", "below"))
        rows.append([])
        for index in row:
            frame = _frame(panels[index], sizes[index], above, below)
            if joined:
                group = rows[-1][-1]
                group[-1] = _connected(group[-1], frame)
                group.append(frame)
            else:
                rows[-1].append([frame])
            joined = bool(panels[index].blocks) and index != row[-1]
    outlines = [outline for panel in panels for outline in panel.outlines]
    return Drawing(
        title=explanation.title,
        rows=tuple(tuple(tuple(group) for group in row) for row in rows),
        legend={outline.label: outline.colour for outline in outlines if outline.label},
        facts=explanation.facts,
    )


def _rows(panels: Sequence[Panel]) -> list[list[int]]:
    rows: list[list[int]] = []
    for index, panel in enumerate(panels):
        if panel.starts_row or not rows:
            rows.append([])
        rows[-1].append(index)
    return rows


def _sizes(panels: Sequence[Panel]) -> list[tuple[float, float]]:
    """(width, height) of each image as it is drawn."""
    shapes = [(int(panel.image.shape[2]), int(panel.image.shape[1])) for panel in panels]
    common = min((_fitting(shape) for shape, panel in zip(shapes, panels, strict=True) if panel.to_scale), default=1.0)
    scales = [
        max(common, SMALLEST / max(shape)) if panel.to_scale else _fitting(shape)
        for shape, panel in zip(shapes, panels, strict=True)
    ]
    return [(width * scale, height * scale) for (width, height), scale in zip(shapes, scales, strict=True)]


def _fitting(shape: tuple[int, int]) -> float:
    return min(WIDEST / shape[0], HEIGHT / shape[1])


def _frame(panel: Panel, size: tuple[float, float], above: float, below: float) -> Frame:
    width, height = size
    beyond = _overshoot(panel, size)
    spare = max(0.0, (NARROWEST - width) / 2)
    image = pale(panel.image) if panel.marks or panel.blocks else panel.image
    if panel.heat is not None:
        image = heat(panel.image, panel.heat)
    return Frame(
        panel=panel,
        href=data_uri(image, 360),
        width=width,
        height=height,
        left=max(beyond["left"], spare),
        right=max(beyond["right"], spare),
        above=above + HEIGHT - height,
        below=below,
        outlines=tuple(_points(outline.points, width, height) for outline in panel.outlines),
    )


def _overshoot(panel: Panel, size: tuple[float, float]) -> dict[str, float]:
    """By how much the panel's outlines leave its image, on each side."""
    places = [(_near(x), _near(y)) for outline in panel.outlines for x, y in outline.points]
    width, height = size
    xs, ys = [0.0, 1.0, *(x for x, _ in places)], [0.0, 1.0, *(y for _, y in places)]
    return {
        "left": -min(xs) * width,
        "right": (max(xs) - 1) * width,
        "above": -min(ys) * height,
        "below": (max(ys) - 1) * height,
    }


def _near(share: float) -> float:
    return min(max(share, -BEYOND), 1 + BEYOND)


def _points(points: Iterable[tuple[float, float]], width: float, height: float) -> str:
    return " ".join(f"{_near(x) * width:.1f},{_near(y) * height:.1f}" for x, y in points)


def _connected(frame: Frame, following: Frame) -> Frame:
    """The frame with lines from its blocks to the marks on the frame that follows."""
    across = frame.width + frame.right + LINES + following.left
    down = following.above - frame.above
    seen = (across, down, following.width, following.height)
    lines = tuple(
        _line(_middle(block.mark.box, 0, 0, frame.width, frame.height), _middle(block.leans_on[0].box, *seen))
        if block.leans_on
        else ""
        for block in frame.panel.blocks
    )
    return replace(frame, lines=lines, leans_on=seen)


def _middle(box: Box, x: float, y: float, width: float, height: float) -> tuple[float, float]:
    left, top, right, bottom = box
    return x + (left + right) / 2 * width, y + (top + bottom) / 2 * height


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    """SVG path between two points, level at both ends."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    return f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
