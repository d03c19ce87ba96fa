"""Other sites are kept away, and browsers are told what the page may do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import reidops_models.serve
from reidops_models import Gallery
from reidops_models.serve import People, create_app

PAGE = Path(reidops_models.serve.__file__).parent / "page"
OWN = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"host": "localhost:8000"}, True),
        ({"host": "LOCALHOST"}, True),
        ({"host": "[::1]:8000"}, True),
        ({"origin": OWN}, True),
        ({"origin": OWN, "sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),  # typed by the user
        ({"host": "evil.example:8000"}, False),  # DNS rebinding
        ({"host": "127.0.0.1.evil.example:8000"}, False),
        ({"host": "127.0.0.1:8000@evil.example"}, False),
        ({"host": "evil.example", "origin": "http://evil.example"}, False),
        ({"host": ""}, False),
        ({"host": "["}, False),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://127.0.0.1:9000"}, False),  # another server on this machine
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}, False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_its_own_page_may_ask(client: TestClient, method: str, headers: dict[str, str], taken: bool) -> None:
    address = "/api/gallery" if method == "GET" else "/api/search"
    answer = client.request(method, address, headers=headers)
    assert (answer.status_code != 403) == taken
    if not taken:
        assert re.match(r"(host|origin|sec-fetch-site): ", answer.json()["error"])


def test_a_link_from_another_site_may_lead_to_the_page(client: TestClient) -> None:
    from_elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    assert client.get("/", headers=from_elsewhere).status_code == 200
    assert client.get("/", headers={**from_elsewhere, "sec-fetch-dest": "iframe"}).status_code == 403


def test_a_name_that_was_given_is_taken(gallery: Path) -> None:
    app = create_app(People(Gallery.open(gallery)), names=("desk.example.org",))
    client = TestClient(app, base_url="http://Desk.example.org:8000")
    assert client.get("/api/gallery").status_code == 200
    assert client.get("/api/gallery", headers={"host": "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("address", ["/", "/page.js", "/page.css", "/drawing.css", "/api/gallery", "/none"])
def test_every_answer_carries_the_policy(client: TestClient, address: str) -> None:
    headers = client.get(address).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_page_needs_nothing_from_outside(client: TestClient) -> None:
    html = client.get("/").text
    assert html == (PAGE / "index.html").read_text()
    assert re.findall(r'(?:src|href)="([^"]*)"', html) == ["data:,", "drawing.css", "page.css", "page.js"]
    assert not re.search(r"\son\w+=|style=|<style|<script>", html)
    for name in ("page.js", "page.css", "drawing.css"):
        assert not re.search(r"https?://|url\(|@import|innerHTML|eval\(", client.get(f"/{name}").text)
