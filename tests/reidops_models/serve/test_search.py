"""What the server answers: the ranks of the gallery, and one line where it cannot."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from reidops_models import Gallery
from reidops_models.data import UPLOAD_FORMATS

from .conftest import LIMITS, client_of


def search(client: TestClient, image: bytes, query: str = "", kind: str = "image/png") -> tuple[int, Any]:
    answer = client.post(f"/api/search{query}", content=image, headers={"content-type": kind})
    return answer.status_code, answer.json()


def drawn(width: int, height: int, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(file, form)
    return file.getvalue()


def test_the_ranks_are_those_of_the_gallery(client: TestClient, gallery: Path, probe: Path) -> None:
    status, answer = search(client, probe.read_bytes(), "?top=5")
    (ranked,) = Gallery.open(gallery).search(probe, top=5)
    assert status == 200
    assert [(m["rank"], m["entry"]["number"], m["distance"]) for m in answer["matches"]] == [
        (match.rank, match.index, match.distance) for match in ranked.matches
    ]
    assert answer["method"] == "DSR multi-scale"
    assert (answer["height"], answer["width"]) == ranked.probe.size
    assert (answer["unknown"], answer["threshold"], answer["drawing"]) == (None, None, None)
    best, entry = answer["matches"][0]["entry"], ranked.matches[0].entry
    assert (best["id"], best["person"], best["camera"], best["file"]) == (
        entry.id,
        entry.pid,
        entry.camid,
        "as indexed",
    )
    assert client.get(f"/api/entries/{best['number']}").json() == best


def test_a_threshold_says_who_is_unknown(gallery: Path, probe: Path) -> None:
    (ranked,) = Gallery.open(gallery).search(probe, top=2)
    nearest, second = (match.distance for match in ranked.matches)
    for threshold, unknown, within in (
        (nearest / 2, True, [False, False]),
        (nearest, False, [True, False]),
        (second, False, [True, True]),
    ):
        with client_of(gallery, threshold) as client:
            _, answer = search(client, probe.read_bytes(), "?top=2")
            assert (answer["unknown"], answer["threshold"]) == (unknown, threshold)
            assert [match["within"] for match in answer["matches"]] == within
            assert client.get("/api/gallery").json()["threshold"] == threshold


def test_the_drawing_is_the_reports(client: TestClient, probe: Path) -> None:
    _, answer = search(client, probe.read_bytes(), "?top=1&drawing=true")
    assert answer["drawing"].startswith('<div class="drawing" role="group" aria-label="which gallery blocks rebuilt')
    assert answer["drawing"].count('<g class="block">') > 4
    assert answer["remark"] is None
    assert "<script" not in answer["drawing"]


def test_pictures_that_change_are_said_to(own: Path, probe: Path) -> None:
    with client_of(own) as client:
        _, answer = search(client, probe.read_bytes(), "?drawing=true")
        first, second = (Path(match["entry"]["id"]) for match in answer["matches"][:2])
        address = answer["matches"][0]["entry"]["thumbnail"]
        assert client.get(address).headers["content-type"] == "image/jpeg"

        os.utime(first, (1, 1))
        second.unlink()
        _, answer = search(client, probe.read_bytes(), "?drawing=true")
        assert [m["entry"]["file"] for m in answer["matches"]] == ["changed", "missing", "as indexed", "as indexed"]
        assert answer["drawing"]
        assert answer["remark"] == f"{first.name} is drawn as its file is now, not as it was indexed."

        first.unlink()
        _, answer = search(client, probe.read_bytes(), "?drawing=true")
        assert answer["drawing"] is None
        assert answer["remark"] == f"No drawing: the file of {first.name} cannot be read any more."
        placeholder = client.get(address)
        assert (placeholder.status_code, placeholder.headers["content-type"]) == (200, "image/svg+xml")


def test_what_others_add_or_remove_is_seen(own: Path, probe: Path) -> None:
    with client_of(own) as client:
        _, answer = search(client, probe.read_bytes())
        assert len(answer["matches"]) == 4
        gone = answer["matches"][0]["entry"]
        other = Gallery.open(own)
        other.add(probe)
        other.remove([gone["id"]])
        other.compact()
        assert client.get(gone["thumbnail"]).status_code == 404
        _, answer = search(client, probe.read_bytes())
        assert len(answer["matches"]) == 4
        assert answer["matches"][0]["entry"]["name"] == probe.name
        assert client.get("/api/gallery").json()["pictures"] == 4
        other.remove([entry.id for entry in other])
        assert search(client, probe.read_bytes()) == (503, {"error": f"{own}: has no pictures"})


@pytest.mark.parametrize("form", UPLOAD_FORMATS)
def test_every_format_is_taken(client: TestClient, form: str) -> None:
    status, answer = search(client, drawn(20, 40, form), "?top=1", f"image/{form.lower()}")
    assert (status, answer["height"], answer["width"]) == (200, 40, 20)


@pytest.mark.parametrize(
    ("image", "query", "kind", "status", "error"),
    [
        (b"x" * 200_001, "", "image/png", 413, "the image has 200001 bytes, expected 200000 or fewer"),
        (drawn(400, 251), "", "image/png", 413, "the image: 400 x 251 pixels, expected 100000 or fewer"),
        (b"", "", "image/png", 422, "the image: the file is empty (0 bytes)"),
        (b"text", "", "image/png", 422, "the image: not an image in a format that is taken: BMP, GIF, JPEG, PNG, WEBP"),
        (drawn(9, 9, "TIFF"), "", "image/png", 422, "the image: not an image in a format that is taken"),
        (drawn(40, 80)[:-40], "", "image/png", 422, "the image: damaged or truncated"),
        (drawn(9, 9), "", "text/plain", 415, "content-type: expected image/jpeg, "),
        (drawn(9, 9), "", "multipart/form-data; boundary=a", 415, "content-type: expected image/jpeg, "),
        (drawn(9, 9), "?top=0", "image/png", 422, "top: Input should be greater than or equal to 1, got '0'"),
        (drawn(9, 9), "?top=101", "image/png", 422, "top: Input should be less than or equal to 100, got '101'"),
        (drawn(9, 9), "?drawing=maybe", "image/png", 422, "drawing: Input should be a valid boolean"),
    ],
)
def test_what_cannot_be_searched_for_is_said_in_one_line(
    client: TestClient, image: bytes, query: str, kind: str, status: int, error: str
) -> None:
    found, answer = search(client, image, query, kind)
    assert found == status
    assert answer["error"].startswith(error)
    assert len(answer["error"].splitlines()) == 1


@pytest.mark.parametrize(
    ("address", "status", "error"),
    [
        ("/api/entries/99", 404, "number: no entry 99"),
        ("/api/entries/99/thumbnail", 404, "number: no entry 99"),
        ("/api/entries/-1/thumbnail", 422, "number: Input should be greater than or equal to 0"),
        (f"/api/entries/{2**63}/thumbnail", 422, "number: Input should be less than 9223372036854775808"),
        ("/api/entries/..%2f..%2fetc%2fpasswd/thumbnail", 404, "Not Found"),
        ("/api/entries/0%20OR%201=1/thumbnail", 422, "number: Input should be a valid integer"),
        ("/page/../app.py", 404, "Not Found"),
        ("/%2e%2e/app.py", 404, "Not Found"),
        ("/docs", 404, "Not Found"),
    ],
)
def test_addresses_lead_to_entries_and_nowhere_else(client: TestClient, address: str, status: int, error: str) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_an_upload_leaves_nothing(
    client: TestClient, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(gallery.parent.rglob("*"))
    image = drawn(200, 300, "BMP")
    assert LIMITS.most_bytes * 0.9 < len(image) < LIMITS.most_bytes
    assert search(client, image, "?top=1&drawing=true", "image/bmp")[0] == 200
    assert list(tmp_path.iterdir()) == []
    assert sorted(gallery.parent.rglob("*")) == before


def test_our_own_mistakes_show_no_trace(client: TestClient, probe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*arguments: object, **options: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Gallery, "rank", mistaken)
    status, answer = search(client, probe.read_bytes())
    assert (status, answer) == (500, {"error": "a mistake of the server's; its terminal shows the trace"})


def test_the_gallery_says_what_may_be_sent(client: TestClient, gallery: Path) -> None:
    answer = client.get("/api/gallery").json()
    assert (answer["name"], answer["pictures"], answer["model"]) == ("people.lance", 12, "dsr")
    assert (answer["most_bytes"], answer["most_pixels"]) == (LIMITS.most_bytes, LIMITS.most_pixels)
    assert answer["checkpoint"] == Gallery.open(gallery).facts.identity
