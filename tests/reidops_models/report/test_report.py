"""The report: what a page holds, and that its colours and geometry mean what they say."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidops_models.matching import BlockGrid, Reconstruction
from reidops_models.report import (
    RankedImage,
    RankedProbe,
    draw_cmc,
    draw_explanation,
    draw_roc,
    drawing_css,
    write_report,
)
from reidops_models.report.pixels import data_uri

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
    images = torch.rand(3, 48, 32), torch.rand(3, 64, 32)
    return Reconstruction(1 / 3, (BlockGrid(3, 2),), (BlockGrid(4, 2),), error, coefficients, *images)


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
    images = [attributes["src"] for tag, attributes in parser.seen if tag == "img"]
    assert len(images) == 3  # the probe and two ranks
    assert all(source is not None and source.startswith("data:image/jpeg;base64,") for source in images)
    assert "&lt;probe&gt;.jpg" in html  # names are escaped
    assert "a &amp; b.jpg" in html
    assert "<probe>" not in html
    assert "0.2500" in html
    assert "right at rank 1" in html
    assert "x.jpg: broken" in html
    blocks = [attributes for tag, attributes in parser.seen if attributes.get("class") == "block"]
    lines = [attributes for tag, attributes in parser.seen if attributes.get("class") == "line"]
    assert len(blocks) == 6
    assert len(lines) == 5  # the last block leans on nothing
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


def test_a_drawing_stands_in_any_page(tmp_path: Path, explanation: Reconstruction) -> None:
    html, _ = page(tmp_path / "report.html", explanation)
    fragment = draw_explanation(explanation)
    assert fragment is not None
    assert fragment.strip() in html  # the report's own
    other = draw_explanation(explanation, "b-2")
    assert other is not None
    assert re.findall(r'id="(.*?)"|url\(#(.*?)\)', other) == [("scale-b-2", ""), ("", "scale-b-2")]
    used = set(re.findall(r"var\((.*?)\)", drawing_css()))
    assert used == {"--ink", "--soft"}
    assert drawing_css().strip() in html


def test_a_photograph_is_not_drawn_block_by_block(tmp_path: Path) -> None:
    grid = BlockGrid(33, 32)
    explanation = Reconstruction(
        0.5,
        (grid,),
        (BlockGrid(2, 1),),
        torch.rand(1056),
        torch.rand(2, 1056),
        torch.rand(3, 528, 512),
        torch.rand(3, 32, 16),
    )
    assert explanation.panels() == []
    html, _ = page(tmp_path / "report.html", explanation)
    assert "<svg" not in html
    assert draw_explanation(explanation) is None


def test_images_are_shrunk_and_never_enlarged() -> None:
    def size(image: torch.Tensor) -> tuple[int, int]:
        return Image.open(io.BytesIO(base64.b64decode(data_uri(image, 100).partition(",")[2]))).size

    assert size(torch.rand(3, 400, 200)) == (50, 100)
    assert size(torch.rand(3, 9, 7)) == (7, 9)


def test_cmc_image(tmp_path: Path) -> None:
    path = draw_cmc({"Resizing model": [0.2, 0.5, 0.6], "DSR": [0.4, 0.7, 0.9]}, tmp_path / "new" / "cmc.png", "t")
    with Image.open(path) as image:
        assert image.size[0] > 600


@pytest.mark.parametrize("logarithmic", [True, False])
def test_roc_image(tmp_path: Path, logarithmic: bool) -> None:
    curves = {"Resizing model": ([0, 0.2, 1], [0, 0.5, 1]), "DSR": (np.array([0, 0, 1]), np.array([0, 0.9, 1]))}
    path = draw_roc(curves, tmp_path / "new" / "roc.svg", "verified", logarithmic=logarithmic)
    drawn = path.read_text()
    assert all(f"<!-- {text} -->" in drawn for text in ("verified", "Resizing model", "DSR", "false positive rate"))
    assert ("<!-- 0.1% -->" in drawn) == logarithmic  # the left edge
    assert "<!-- 0% -->" in drawn
