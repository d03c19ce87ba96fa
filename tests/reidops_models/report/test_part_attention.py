"""The drawing of parts: a frame a part, captions that mean what they say, and a page that holds it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.matching import PartAttention
from reidops_models.report import RankedImage, RankedProbe, write_report
from reidops_models.report.part_attention import HEIGHT, draw_part_attention

PRESENCE = torch.tensor([[0.1, 1.4, 0.49, 2.01], [0.3, 1.2, 1.2, 1.6]])  # parts 1 and 3: a quarter less


def explanation(presence: torch.Tensor | None = PRESENCE) -> PartAttention:
    return PartAttention(0.125, torch.rand(3, 128, 64), torch.rand(3, 128, 64), torch.rand(2, 4, 8, 4), presence)


def test_two_rows_of_the_picture_and_its_parts() -> None:
    drawing = draw_part_attention(torch.rand(3, 90, 40), torch.rand(3, 128, 64), explanation())
    assert len(drawing.frames) == 2 * (1 + 4)
    assert [frame.above for frame in drawing.frames[:5]] == ["probe", "part 1", "part 2", "part 3", "part 4"]
    assert [frame.below for frame in drawing.frames[1:5]] == ["0.10", "1.40", "0.49", "2.01"]
    assert [frame.hidden for frame in drawing.frames] == [False, True, False, True] + [False] * 6
    assert all(frame.width == HEIGHT / 2 for frame in drawing.frames)
    assert drawing.width == max(frame.x + frame.width for frame in drawing.frames)
    assert drawing.height == max(frame.y + frame.height for frame in drawing.frames)


def test_facts_name_the_hidden_parts_of_the_probe() -> None:
    def facts(presence: torch.Tensor | None) -> str:
        image = torch.rand(3, 128, 64)
        return draw_part_attention(image, image, explanation(presence)).facts

    assert facts(PRESENCE) == "distance 0.1250; parts 1, 3 believed hidden (a quarter less weight than in rank 1)"
    assert "; no part believed hidden" in facts(PRESENCE.flip(0))
    assert facts(None) == "distance 0.1250"


@pytest.mark.parametrize("presence", [PRESENCE, None])
def test_a_page_holds_the_drawing(tmp_path: Path, presence: torch.Tensor | None) -> None:
    ranked = [RankedImage(1, "a.jpg", torch.rand(3, 64, 32), 0.125, True)]
    probe = RankedProbe("p.jpg", torch.rand(3, 48, 32), ranked, explanation(presence), 1)
    html = write_report(tmp_path / "report.html", [probe]).read_text()
    assert html.count('<svg class="parts"') == 1
    assert html.count("<image ") == 10
    assert html.count('<rect class="hidden"') == (2 if presence is not None else 0)
    assert "Point at a block" not in html


def test_a_map_of_zeros_is_drawn() -> None:
    image = torch.rand(3, 128, 64)
    dark = PartAttention(0.0, image, image, torch.zeros(2, 4, 8, 4), None)
    assert len(draw_part_attention(image, image, dark).frames) == 10
