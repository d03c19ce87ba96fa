"""The layout of panels: one height on every card, places that are kept, and a page for any explanation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from reidops_models.matching import (
    Alignment,
    Block,
    BlockGrid,
    Explanation,
    LocatedRegions,
    Mark,
    Outline,
    Panel,
    PartAttention,
    Reconstruction,
)
from reidops_models.report import RankedImage, RankedProbe, write_report
from reidops_models.report.panels import BEYOND, HEIGHT, SMALLEST, WIDEST, Frame, lay_out

HALF = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])  # the lower half
PRESENCE = torch.tensor([[0.1, 1.4, 0.49, 2.01], [0.3, 1.2, 1.2, 1.6]])  # parts 1 and 3: a quarter less


@dataclass(frozen=True)
class Own:
    """An explanation that no paper of ours has."""

    shown: tuple[Panel, ...]
    title: str = "what was found"
    distance: float = 0.5
    facts: str = "seen & found"

    def panels(self) -> list[Panel]:
        return list(self.shown)


def image(height: int = 128, width: int = 64) -> torch.Tensor:
    return torch.rand(3, height, width)


def frames(explanation: Explanation) -> list[Frame]:
    drawing = lay_out(explanation)
    assert drawing is not None
    return [frame for row in drawing.rows for group in row for frame in group]


def page(folder: Path, explanation: Explanation) -> str:
    ranked = [RankedImage(1, "a.jpg", image(64, 32), explanation.distance, True)]
    probe = RankedProbe("p.jpg", image(48, 32), ranked, explanation, 1)
    return write_report(folder / "report.html", [probe]).read_text()


def corners(points: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, point.split(","))) for point in points.split()]


def test_images_of_any_size_fill_the_panel() -> None:
    found = frames(Own((Panel(image(70, 30), "a"), Panel(image(900, 300), "b"), Panel(image(10, 900), "c"))))
    assert [frame.height for frame in found[:2]] == pytest.approx([HEIGHT, HEIGHT])
    assert found[2].width == pytest.approx(WIDEST)
    assert len({frame.above + frame.height + frame.below for frame in found}) == 1  # bottoms aligned


def test_outlines_lie_where_they_are_and_stay_in_sight() -> None:
    far = Outline.of_box((-9, -9, 9, 9), "#00ff00", "far")
    half = Outline.of_box((0, 0.5, 1, 1))
    (frame, other) = frames(Own((Panel(image(), "a", outlines=(half, far)), Panel(image(), "b"))))
    width = HEIGHT / 2
    assert corners(frame.outlines[0]) == [(0, HEIGHT / 2), (width, HEIGHT / 2), (width, HEIGHT), (0, HEIGHT)]
    assert corners(frame.outlines[1])[0] == pytest.approx((-BEYOND * width, -BEYOND * HEIGHT), abs=0.1)
    assert corners(frame.outlines[1])[2] == pytest.approx(((1 + BEYOND) * width, (1 + BEYOND) * HEIGHT), abs=0.1)
    # There is room for them, so that they cross no caption and no other panel.
    assert (frame.left, frame.right) == pytest.approx((BEYOND * width, BEYOND * width))
    assert (frame.above, frame.below) == pytest.approx((BEYOND * HEIGHT, BEYOND * HEIGHT))
    assert (other.above, other.left) == (frame.above, 0)


def test_an_alignment_is_drawn_as_theta_samples() -> None:
    gallery, *others = frames(Alignment(0.25, HALF, image(64, 32), image(64, 32), image(64, 32)))
    width = HEIGHT / 2
    assert corners(gallery.outlines[0]) == [(0, HEIGHT / 2), (width, HEIGHT / 2), (width, HEIGHT), (0, HEIGHT)]
    assert [frame.width for frame in (gallery, *others)] == [width] * 3


@pytest.mark.parametrize(
    ("probe", "gallery"), [((20, 300), (128, 64)), ((150, 300), (128, 64)), ((9, 7), (128, 64)), ((900, 800), (60, 30))]
)
def test_drawing_of_unlike_sizes_stays_within_bounds(probe: tuple[int, int], gallery: tuple[int, int]) -> None:
    grids = (BlockGrid(2, 3), BlockGrid(2, 3, 2))
    explanation = Reconstruction(1.0, grids, grids, torch.rand(8), torch.rand(8, 8), image(*probe), image(*gallery))
    found = frames(explanation)
    for frame, (height, width) in zip(found, [probe, probe, probe, gallery], strict=True):
        assert frame.width / frame.height == pytest.approx(width / height)
        assert frame.width <= WIDEST + 0.1
        assert frame.height <= HEIGHT + 0.1
        assert max(frame.width, frame.height) >= SMALLEST - 0.1
        assert frame.above + frame.height + frame.below == pytest.approx(HEIGHT)


def test_drawing_keeps_the_images_relative_size() -> None:
    grids = (BlockGrid(3, 2),), (BlockGrid(4, 2),)
    explanation = Reconstruction(1.0, *grids, torch.rand(6), torch.rand(8, 6), image(48, 32), image(64, 32))
    *_, probe, gallery = frames(explanation)
    assert probe.height / gallery.height == pytest.approx(48 / 64)
    assert probe.width == pytest.approx(gallery.width)


def test_lines_run_from_a_block_to_what_it_leans_on_most() -> None:
    block = Block(Mark((0, 0, 0.5, 0.5), "#ff0000"), (Mark((0.5, 0.5, 1, 1), "#ff0000", 1.0, "0.80"),), 0.5)
    alone = Block(Mark((0.5, 0.5, 1, 1), "#00ff00"))
    probe, gallery = frames(Own((Panel(image(), "a", blocks=(block, alone)), Panel(image(), "b"))))
    assert probe.leans_on is not None
    x, y, width, height = probe.leans_on
    assert (y, width, height) == (0, gallery.width, gallery.height)
    assert x > probe.width
    assert probe.lines[1] == ""
    start, end = probe.lines[0].removeprefix("M").split("C")[0], probe.lines[0].split(" ")[-2:]
    assert [float(value) for value in start.split()] == pytest.approx([probe.width / 4, HEIGHT / 4], abs=0.1)
    assert [float(value) for value in end] == pytest.approx([x + 0.75 * width, 0.75 * HEIGHT], abs=0.1)


def test_rows_begin_where_a_panel_says_so() -> None:
    drawing = lay_out(PartAttention(0.125, image(), image(), torch.rand(2, 4, 8, 4), PRESENCE))
    assert drawing is not None
    assert [len(row) for row in drawing.rows] == [5, 5]
    assert list(drawing.legend) == ["believed hidden"]
    assert not drawing.points


def test_an_explanation_without_panels_is_not_drawn() -> None:
    assert lay_out(Own(())) is None


def test_a_page_draws_an_explanation_that_it_does_not_know(tmp_path: Path) -> None:
    html = page(tmp_path, Own((Panel(image(), "left <half>", note="0.7"), Panel(image(), "right"))))
    assert html.count('<div class="drawing"') == 1
    assert "left &lt;half&gt;<b>0.7</b>" in html
    assert "seen &amp; found" in html
    assert "Point at a block" not in html


def test_a_page_draws_alignments_without_blocks(tmp_path: Path) -> None:
    html = page(tmp_path, Alignment(0.25, HALF, image(64, 32), image(64, 32), image(64, 32)))
    assert html.count('<figure class="panel"') == 3
    assert html.count('<polygon class="outline"') == 1
    assert "distance 0.2500" in html
    assert 'class="block"' not in html
    assert "Point at a block" not in html


@pytest.mark.parametrize("presence", [PRESENCE, None])
def test_a_page_draws_parts(tmp_path: Path, presence: torch.Tensor | None) -> None:
    html = page(tmp_path, PartAttention(0.125, image(), image(), torch.rand(2, 4, 8, 4), presence))
    assert html.count('<figure class="panel"') == 10
    assert html.count("<image ") == 10
    assert html.count('<polygon class="outline"') == (2 if presence is not None else 0)
    assert "Point at a block" not in html


def test_a_page_lists_the_regions_in_their_colours(tmp_path: Path) -> None:
    boxes = torch.tensor([[[0.25, 0.0, 0.75, 0.25], [0.0, 0.5, 1.0, 1.0], [-9.0, -9.0, 9.0, 9.0]]]).repeat(2, 1, 1)
    html = page(tmp_path, LocatedRegions(0.125, image(), image(), ("head", "legs", "whole body"), boxes))
    assert html.count('<polygon class="outline"') == 6
    assert html.count("</i>whole body</li>") == 1
    assert "distance 0.1250" in html
