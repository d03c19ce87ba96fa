"""The report: what a page holds, and that its colours and geometry mean what they say."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidops_models.matching import BlockGrid, Reconstruction
from reidops_models.report import RankedImage, RankedProbe, draw_cmc, draw_roc, write_report
from reidops_models.report.colours import css, error_colours, mixed_colours, position_colours
from reidops_models.report.pictures import data_uri
from reidops_models.report.reconstruction import draw_reconstruction, location_weights

VOID = {"meta", "img", "br", "link"}


class WellFormed(HTMLParser):
    """Collects tags, and insists that each is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def explanation() -> Reconstruction:
    """A 3x2 probe in a 4x2 gallery map; block n is rebuilt from gallery block n alone, the last one from nothing."""
    coefficients = torch.zeros(8, 6)
    coefficients[torch.arange(5), torch.arange(5)] = 0.8
    error = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 1.0])
    return Reconstruction(1 / 3, (BlockGrid(3, 2),), (BlockGrid(4, 2),), error, coefficients, (48, 32), (64, 32))


def page(path: Path, explanation: Reconstruction | None, **options: object) -> tuple[str, WellFormed]:
    images = [
        RankedImage(1, "a & b.jpg", torch.rand(3, 64, 32), 0.25, True),
        RankedImage(2, "c.jpg", torch.rand(3, 20, 30), 0.5, False),
    ]
    write_report(path, [RankedProbe("<probe>.jpg", torch.rand(3, 48, 32), images, explanation, 1)], **options)
    html = path.read_text()
    parser = WellFormed()
    parser.feed(html)
    assert parser.open == []
    return html, parser


def test_page_shows_probe_ranks_and_reconstruction(tmp_path: Path, explanation: Reconstruction) -> None:
    html, parser = page(tmp_path / "deep" / "report.html", explanation, facts={"model": "dsr"}, notes=["x.jpg: broken"])
    pictures = [attributes["src"] for tag, attributes in parser.seen if tag == "img"]
    assert len(pictures) == 3  # the probe and two ranks
    assert all(source is not None and source.startswith("data:image/jpeg;base64,") for source in pictures)
    assert "&lt;probe&gt;.jpg" in html  # names are escaped
    assert "a &amp; b.jpg" in html
    assert "<probe>" not in html
    assert "0.2500" in html
    assert "right at rank 1" in html
    assert "x.jpg: broken" in html
    blocks = [attributes for tag, attributes in parser.seen if attributes.get("class") == "block"]
    arcs = [attributes for tag, attributes in parser.seen if attributes.get("class") == "arc"]
    assert len(blocks) == 6
    assert len(arcs) == 5  # the last block leans on nothing
    assert not list(tmp_path.rglob("*.part"))


def test_page_needs_nothing_from_outside(tmp_path: Path, explanation: Reconstruction) -> None:
    html, _ = page(tmp_path / "report.html", explanation)
    links = re.findall(r'(?:src|href)="([^"]*)"', html) + re.findall(r"url\(([^)]*)\)", html)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)


def test_page_without_explanation_has_no_drawing(tmp_path: Path) -> None:
    _, parser = page(tmp_path / "report.html", None, tables=[[("", "rank-1"), ("dsr", "50.0 %")]])
    assert "svg" not in {tag for tag, _ in parser.seen}
    assert sum(tag == "td" for tag, _ in parser.seen) == 2


def test_page_holds_the_figures(tmp_path: Path) -> None:
    cmc = draw_cmc({"DSR": [0.4, 0.7]}, tmp_path / "cmc.png")
    roc = draw_roc({"DSR": ([0, 0.1, 1], [0, 0.8, 1])}, tmp_path / "roc.png")
    _, parser = page(tmp_path / "report.html", None, figures={"CMC": cmc, "ROC": roc})
    shown = {attributes["alt"]: attributes["src"] for tag, attributes in parser.seen if tag == "img"}
    for name, path in (("CMC curves", cmc), ("ROC curves", roc)):
        assert shown[name] == "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def test_a_photograph_is_not_drawn_block_by_block(tmp_path: Path) -> None:
    grid = BlockGrid(33, 32)
    explanation = Reconstruction(
        0.5, (grid,), (BlockGrid(2, 1),), torch.rand(1056), torch.rand(2, 1056), (528, 512), (32, 16)
    )
    html, _ = page(tmp_path / "report.html", explanation)
    assert "<svg" not in html


def test_drawing_keeps_the_pictures_relative_size(explanation: Reconstruction) -> None:
    drawing = draw_reconstruction(torch.rand(3, 48, 32), torch.rand(3, 64, 32), explanation)
    assert drawing.probe.height / drawing.gallery.height == pytest.approx(48 / 64)
    assert drawing.probe.width == pytest.approx(drawing.gallery.width)
    (heat,) = drawing.heat_maps
    assert len(heat.cells) == 6
    assert heat.cells[0].opacity == 0
    assert drawing.largest_error == 1.0
    # Each block leans on the gallery block of the same place, whose colour is therefore its own.
    for block, cell in list(zip(drawing.probe_blocks, drawing.gallery_cells, strict=False))[:5]:
        assert [(used.x, used.y) for used in block.weights] == [(cell.x, cell.y)]
        assert cell.colour == block.cell.colour
    assert drawing.probe_blocks[5].weights == []
    assert {cell.opacity for cell in drawing.gallery_cells[5:]} == {0.0}


def test_every_block_size_has_its_heat_map() -> None:
    grids = (BlockGrid(4, 3), BlockGrid(4, 3, 2), BlockGrid(4, 3, 3))
    count = sum(map(len, grids))
    error = torch.linspace(0, 2, count)
    explanation = Reconstruction(1.0, grids, grids, error, torch.rand(count, count), (64, 48), (64, 48))
    drawing = draw_reconstruction(torch.rand(3, 64, 48), torch.rand(3, 64, 48), explanation)
    assert [heat.caption for heat in drawing.heat_maps] == ["1x1", "2x2", "3x3"]
    assert [len(heat.cells) for heat in drawing.heat_maps] == [12, 6, 2]
    assert drawing.largest_error == 2.0  # one scale of colours for all
    labels = [cell.label for heat in drawing.heat_maps for cell in heat.cells]
    assert labels == [f"error {value:.3f}" for value in error.tolist()]
    frames = [heat.frame for heat in drawing.heat_maps]
    assert all(left.x + left.width < right.x for left, right in pairwise([*frames, drawing.probe, drawing.gallery]))
    # The middle of the first 3x3 block, on a map of 4x3, is location (1, 1).
    last = drawing.heat_maps[2]
    assert last.cells[0].x == pytest.approx(last.frame.x + last.frame.width / 3)
    assert last.cells[0].y == pytest.approx(last.frame.height / 4)


@pytest.mark.parametrize(
    ("probe", "gallery"), [((20, 300), (128, 64)), ((150, 300), (128, 64)), ((9, 7), (128, 64)), ((900, 800), (60, 30))]
)
def test_drawing_of_unlike_sizes_stays_within_bounds(probe: tuple[int, int], gallery: tuple[int, int]) -> None:
    grids = (BlockGrid(2, 3), BlockGrid(2, 3, 2))
    explanation = Reconstruction(1.0, grids, grids, torch.rand(8), torch.rand(8, 8), probe, gallery)
    drawing = draw_reconstruction(torch.rand(3, *probe), torch.rand(3, *gallery), explanation)
    frames = [*(heat.frame for heat in drawing.heat_maps), drawing.probe, drawing.gallery]
    for frame, (height, width) in zip(frames, [probe, probe, probe, gallery], strict=True):
        assert frame.width / frame.height == pytest.approx(width / height)
        assert frame.width <= 260.1
        assert frame.height <= 240.1
        assert max(frame.width, frame.height) >= 89.9
        assert frame.y + frame.height <= drawing.height
    first, second = frames[:2]
    if probe[1] > probe[0]:
        assert second.x == first.x
        assert second.y > first.y + first.height
    else:
        assert second.y == first.y
        assert second.x > first.x + first.width
    assert first.x + first.width < drawing.probe.x < drawing.probe.x + drawing.probe.width < drawing.gallery.x


def test_location_weights_are_the_poolings_transpose() -> None:
    grids = (BlockGrid(4, 3), BlockGrid(4, 3, 2), BlockGrid(4, 3, 3))
    maps = torch.rand(5, 4, 3, dtype=torch.float64)
    atoms = torch.cat([torch.nn.functional.avg_pool2d(maps, grid.size, stride=1).flatten(1) for grid in grids], dim=1)
    coefficients = torch.rand(sum(map(len, grids)), 7, dtype=torch.float64)
    folded = location_weights(coefficients.numpy(), grids)
    np.testing.assert_allclose(maps.flatten(1).numpy() @ folded, (atoms @ coefficients).numpy(), rtol=1e-12)


def test_multi_scale_drawing_shows_the_finest_probe_blocks() -> None:
    grids = (BlockGrid(3, 3), BlockGrid(3, 3, 2))
    explanation = Reconstruction(0.1, grids, grids, torch.rand(13), torch.rand(13, 13), (48, 48), (48, 48))
    drawing = draw_reconstruction(torch.rand(3, 48, 48), torch.rand(3, 48, 48), explanation)
    assert len(drawing.probe_blocks) == 9
    assert len(drawing.gallery_cells) == 9


def test_colours() -> None:
    colours = position_colours(8, 4)
    assert colours.shape == (32, 3)
    assert len({css(colour) for colour in colours}) == 32
    mixed, strength = mixed_colours(np.array([[0.5, -0.5], [0.0, 0.0]]), np.array([[1.0, 0, 0], [0, 0, 1.0]]))
    np.testing.assert_allclose(mixed[0], [0.5, 0, 0.5])
    np.testing.assert_allclose(strength, [1, 0])
    heat = error_colours(np.array([0.0, 1.0]), 1.0)
    assert heat[0].mean() > heat[1].mean()  # from light to dark
    assert css(np.array([1.0, 0.5, 0.0])) == "#ff8000"


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    def size(image: torch.Tensor) -> tuple[int, int]:
        return Image.open(io.BytesIO(base64.b64decode(data_uri(image, 100).partition(",")[2]))).size

    assert size(torch.rand(3, 400, 200)) == (50, 100)
    assert size(torch.rand(3, 9, 7)) == (7, 9)


def test_cmc_picture(tmp_path: Path) -> None:
    path = draw_cmc({"Resizing model": [0.2, 0.5, 0.6], "DSR": [0.4, 0.7, 0.9]}, tmp_path / "new" / "cmc.png", "t")
    with Image.open(path) as image:
        assert image.size[0] > 600


@pytest.mark.parametrize("logarithmic", [True, False])
def test_roc_picture(tmp_path: Path, logarithmic: bool) -> None:
    curves = {"Resizing model": ([0, 0.2, 1], [0, 0.5, 1]), "DSR": (np.array([0, 0, 1]), np.array([0, 0.9, 1]))}
    path = draw_roc(curves, tmp_path / "new" / "roc.svg", "verified", logarithmic=logarithmic)
    drawn = path.read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("verified", "Resizing model", "DSR", "false positive rate"))
    assert ("<!-- 0.1% -->" in drawn) == logarithmic  # the left edge
    assert "<!-- 0% -->" in drawn
