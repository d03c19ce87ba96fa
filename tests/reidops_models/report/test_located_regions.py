"""The drawing of located regions: a box a region, in its colour, on both pictures."""

from __future__ import annotations

from pathlib import Path

import torch

from reidops_models.matching import LocatedRegions
from reidops_models.report import RankedImage, RankedProbe, write_report
from reidops_models.report.located_regions import BEYOND, HEIGHT, draw_located_regions

NAMES = ("head", "legs", "whole body")


def explanation() -> LocatedRegions:
    boxes = torch.tensor([[[0.25, 0.0, 0.75, 0.25], [0.0, 0.5, 1.0, 1.0], [-9.0, -9.0, 9.0, 9.0]]]).repeat(2, 1, 1)
    return LocatedRegions(0.125, torch.rand(3, 128, 64), torch.rand(3, 128, 64), NAMES, boxes)


def test_boxes_lie_where_they_are() -> None:
    drawing = draw_located_regions(torch.rand(3, 90, 40), torch.rand(3, 128, 64), explanation())
    wide = HEIGHT / 2
    for frame in drawing.frames:
        head, legs, far = frame.boxes
        assert (head.x - frame.x, head.y, head.width, head.height) == (wide / 4, 0, wide / 2, HEIGHT / 4)
        assert (legs.x - frame.x, legs.y, legs.width, legs.height) == (0, HEIGHT / 2, wide, HEIGHT / 2)
        assert (far.x - frame.x, far.y) == (-BEYOND * wide, -BEYOND * HEIGHT)  # kept near the picture
    assert [box.name for box in drawing.legend] == list(NAMES)
    assert len({box.colour for box in drawing.legend}) == 3
    assert [box.colour for box in drawing.frames[0].boxes] == [box.colour for box in drawing.legend]


def test_a_page_holds_the_drawing(tmp_path: Path) -> None:
    ranked = [RankedImage(1, "a.jpg", torch.rand(3, 64, 32), 0.125, True)]
    probe = RankedProbe("p.jpg", torch.rand(3, 48, 32), ranked, explanation(), 1)
    html = write_report(tmp_path / "report.html", [probe]).read_text()
    assert html.count('<svg class="regions"') == 1
    assert html.count('<rect class="region"') == 6
    assert html.count(">whole body</text>") == 1
    assert "distance 0.1250" in html
