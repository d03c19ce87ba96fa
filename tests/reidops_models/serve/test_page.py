"""The page in a browser: by file, by drop, by paste and by keyboard; wide and narrow, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect

from reidops_models import Gallery

from .server import CHROMIUM, Server, chromium, serving

expect.set_options(timeout=60_000)  # the machine may be busy
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def threshold(gallery: Path, probe: Path) -> float:
    """The middle between the first two distances of the probe."""
    (ranked,) = Gallery.open(gallery).search(probe, top=2)
    return sum(match.distance for match in ranked.matches) / 2


@pytest.fixture(scope="module")
def server(gallery: Path, threshold: float) -> Iterator[Server]:
    with serving(gallery, "--threshold", threshold, "--most-megabytes", 1) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page. Whatever the browser complains of, or asks for elsewhere, fails the test."""
    complaints, asked = [], []
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    context.set_default_timeout(60_000)
    page = context.new_page()

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    yield page
    context.close()
    expected = ("status of 422", "status of 413")  # a wrong image is a wrong answer, which the browser notes
    assert [text for text in complaints if not any(code in text for code in expected)] == []
    assert [url for url in asked if not url.startswith((server.url, "data:", f"blob:{server.url}"))] == []


def transfer(page: Page, path: Path) -> object:
    """A file as the browser's own drag or paste carries it."""
    data = base64.b64encode(path.read_bytes()).decode()
    return page.evaluate_handle(
        """([data, name]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return transfer;
        }""",
        [data, path.name],
    )


def shows_ranks(page: Page, gallery: Path, probe: Path, top: int = 10) -> None:
    """The page shows what the gallery says."""
    (ranked,) = Gallery.open(gallery).search(probe, top=top)
    expect(page.locator("#matches li")).to_have_count(len(ranked.matches))
    expect(page.locator("#status")).to_have_text(f"{probe.name}: {top} ranks. The image was not kept.")
    texts = page.locator("#matches li").all_inner_texts()
    assert [text.split()[:2] for text in texts] == [[str(m.rank), f"{m.distance:.4f}"] for m in ranked.matches]
    for image in page.locator("#matches img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("it => it.naturalWidth") > 10


def test_a_chosen_file_is_ranked_and_drawn(page: Page, gallery: Path, probe: Path, threshold: float) -> None:
    expect(page.locator("#facts")).to_contain_text("12")
    page.set_input_files("#file", probe)
    shows_ranks(page, gallery, probe)
    expect(page.locator("#verdict")).to_have_text("known")
    assert page.locator("#matches li.beyond").count() == 9
    drawing = page.locator("#drawing .drawing")
    assert drawing.locator("g.block").count() > 4
    # The sizes that the drawing asks for hold, so the policy lets them through.
    wide = drawing.locator("figure.panel").first
    assert wide.evaluate("it => parseFloat(it.style.width)") == pytest.approx(wide.bounding_box()["width"], abs=0.5)


def test_a_block_shows_what_it_leans_on(page: Page, probe: Path) -> None:
    page.set_input_files("#file", probe)
    block = page.locator("#drawing g.block").nth(3)
    expect(block.locator(".weights")).to_have_css("opacity", "0")
    block.locator(".place").hover()
    expect(block.locator(".weights")).to_have_css("opacity", "1")


def test_a_drop_is_ranked(page: Page, gallery: Path, probe: Path) -> None:
    carried = transfer(page, probe)
    page.dispatch_event("#drop", "dragover", {"dataTransfer": carried})
    expect(page.locator("#drop")).to_have_class("over")
    page.dispatch_event("#drop", "drop", {"dataTransfer": carried})
    expect(page.locator("#drop")).not_to_have_class("over")
    shows_ranks(page, gallery, probe)


def test_a_paste_is_ranked(page: Page, gallery: Path, probe: Path) -> None:
    page.evaluate(
        "carried => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: carried }))",
        transfer(page, probe),
    )
    shows_ranks(page, gallery, probe)


def test_the_keyboard_is_enough(page: Page, gallery: Path, probe: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Tab")
        expect(page.locator("#file")).to_be_focused()
        assert page.locator("#drop").evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
        page.keyboard.press("Enter")
    chooser.value.set_files(probe)
    shows_ranks(page, gallery, probe)
    page.keyboard.press("Tab")
    expect(page.locator("#top")).to_be_focused()
    page.keyboard.press("ArrowUp")
    shows_ranks(page, gallery, probe, top=5)


def test_somebody_else_is_unknown(page: Page, tmp_path: Path) -> None:
    Image.effect_noise((40, 80), 90).convert("RGB").save(tmp_path / "noise.png")
    page.set_input_files("#file", tmp_path / "noise.png")
    expect(page.locator("#verdict")).to_have_text("unknown")
    expect(page.locator("#summary")).to_contain_text("nobody in the gallery is nearer than")


def test_what_is_wrong_is_said(page: Page, probe: Path, tmp_path: Path) -> None:
    status = page.locator("#status")
    page.set_input_files("#file", probe)
    expect(page.locator("#result")).to_be_visible()

    (tmp_path / "text.png").write_text("no image")
    page.set_input_files("#file", tmp_path / "text.png")
    expect(status).to_contain_text("the image: not an image in a format that is taken")
    expect(status).to_have_class("error")
    expect(page.locator("#result")).to_be_hidden()

    Image.new("RGB", (3000, 3000)).save(tmp_path / "bomb.png")
    page.set_input_files("#file", tmp_path / "bomb.png")
    expect(status).to_have_text("the image: 3000 x 3000 pixels, expected 4000000 or fewer")

    (tmp_path / "large.png").write_bytes(bytes(10**6 + 1))
    page.set_input_files("#file", tmp_path / "large.png")
    expect(status).to_have_text("large.png has 1000001 bytes, expected 1000000 or fewer")

    page.set_input_files("#file", probe)
    expect(page.locator("#result")).to_be_visible()
    expect(status).not_to_have_class("error")


def test_names_are_text(page: Page, probe: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"

    def answer(route: Route) -> None:
        values = route.fetch().json()
        values["matches"][0]["entry"].update(name=evil, id=evil)
        values["remark"] = evil
        route.fulfill(json=values)

    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.route("**/api/search*", answer)
    page.set_input_files("#file", probe)
    expect(page.locator("#matches li span").first).to_have_text(evil)
    expect(page.locator("#remark")).to_have_text(evil)
    assert page.locator("#matches img").count() == 10


@pytest.mark.parametrize("width", [500, 800, 1400])
def test_it_fits_the_window(page: Page, probe: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.set_input_files("#file", probe)
    expect(page.locator("#explanation")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_by_day_and_by_night(page: Page, probe: Path, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_input_files("#file", probe)
    expect(page.locator("#explanation")).to_be_visible()
    expect(page.locator("#result")).not_to_have_class("old")
    for place in (
        "h1",
        "#invitation",
        "#status",
        "#summary",
        "#verdict",
        "#matches span",
        "#hint",
        ".panel figcaption",
    ):
        assert contrast(page, place) >= 4.5, place  # WCAG 2.2, AA


def contrast(page: Page, place: str) -> float:
    """Of a text's colour and what lies behind it."""
    ink, paper = page.locator(place).first.evaluate(
        """it => {
            const values = (colour) => colour.match(/[\\d.]+/g).map(Number);
            let behind = it;
            while (values(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
            return [values(getComputedStyle(it).color), values(getComputedStyle(behind).backgroundColor)];
        }"""
    )
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    linear = [(c / 255 / 12.92) if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
