"""The drawing of an alignment, and pictures in a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidops_models.matching import Alignment
from reidops_models.report import RankedImage, RankedProbe, draw_grid, write_report
from reidops_models.report.alignment import BEYOND, HEIGHT, draw_alignment

HALF = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])  # the lower half


def alignment(theta: torch.Tensor = HALF, align_corners: bool = False) -> Alignment:
    image = torch.rand(3, 64, 32)
    return Alignment(0.25, theta, image, image, align_corners)


def test_the_outline_is_what_theta_samples() -> None:
    drawing = draw_alignment(torch.rand(3, 70, 30), torch.rand(3, 90, 30), alignment())
    width = HEIGHT / 2
    points = [tuple(map(float, point.split(","))) for point in drawing.outline.split()]
    assert points == [(0, HEIGHT / 2), (width, HEIGHT / 2), (width, HEIGHT), (0, HEIGHT)]
    assert [frame.width for frame in drawing.frames] == [width] * 3
    assert drawing.frames[0].x < drawing.frames[1].x < drawing.frames[2].x


def test_an_outline_far_outside_stays_in_sight() -> None:
    far = torch.tensor([[5.0, 0.0, 3.0], [0.0, 5.0, 0.0]])
    points = [
        float(value)
        for value in draw_alignment(torch.rand(3, 64, 32), torch.rand(3, 64, 32), alignment(far))
        .outline.replace(",", " ")
        .split()
    ]
    assert min(points) >= -BEYOND * HEIGHT - 0.1
    assert max(points) <= (1 + BEYOND) * HEIGHT + 0.1


def test_corners_of_both_conventions() -> None:
    assert alignment(torch.eye(2, 3)).corners() == [(0, 0), (1, 0), (1, 1), (0, 1)]
    # The whole picture is the whole picture, wherever -1 and 1 are taken to be.
    whole = np.array(alignment(torch.eye(2, 3), align_corners=True).corners())
    assert np.abs(whole - [(0, 0), (1, 0), (1, 1), (0, 1)]).max() < 1e-6
    # A shift by one pixel of 32: 2/31 between the centres of the corner pixels, 2/32 between the edges.
    for aligned, step in ((True, 2 / 31), (False, 2 / 32)):
        shifted = alignment(torch.tensor([[1.0, 0.0, step], [0.0, 1.0, 0.0]]), aligned).corners()
        assert shifted[0][0] == pytest.approx(1 / 32, abs=1e-6)


def test_a_page_draws_alignments_without_blocks(tmp_path: Path) -> None:
    ranked = [RankedImage(1, "a.jpg", torch.rand(3, 64, 32), 0.25, True)]
    page = write_report(tmp_path / "report.html", [RankedProbe("p.jpg", torch.rand(3, 48, 32), ranked, alignment())])
    html = page.read_text()
    assert 'class="alignment"' in html
    assert "distance 0.2500" in html
    assert 'class="reconstruction"' not in html
    assert "Point at a block" not in html


def test_a_grid_of_pictures(tmp_path: Path) -> None:
    red, green = (torch.zeros(3, 64, 32).index_fill(0, torch.tensor([i]), 1.0) for i in (0, 1))
    path = draw_grid([[red, green], [None, red]], ["one", "two"], tmp_path / "deep" / "grid.png")
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    quarters = [pixels[height * r // 8, width * c // 4] for r, c in ((3, 1), (3, 3), (6, 1), (6, 3))]
    assert [tuple(value) for value in quarters] == [(255, 0, 0), (0, 255, 0), (255, 255, 255), (255, 0, 0)]
    with pytest.raises(ValueError, match=r"draw_grid: expected rows of 2 pictures, got \[1\]"):
        draw_grid([[red]], ["one", "two"], path)
