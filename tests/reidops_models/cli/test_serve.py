"""The command `reidops serve`: who may reach it, what it says, and how it ends."""

from __future__ import annotations

import http.client
import io
import json
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from reidops_models import Gallery

from ..serve.server import serving
from .conftest import Run


@pytest.fixture(scope="module")
def gallery(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "people.lance"
    Gallery.build(path, people / "bounding_box_test", "dsr")
    return path


def test_it_says_where_it_is_serves_and_ends_with_an_interruption(gallery: Path) -> None:
    with serving(gallery) as server:
        assert server.line == f"people.lance: 12 pictures at {server.url} (Ctrl-C ends it)\n"
        place = urlsplit(server.url)
        assert place.hostname == "127.0.0.1"
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60)
        connection.request("GET", "/api/gallery")
        assert json.load(connection.getresponse())["pictures"] == 12
        connection.request("GET", "/", headers={"Host": "evil.example"})
        assert connection.getresponse().status == 403
        assert server.interrupt() == (0, "reidops: ended\n")


def test_an_interruption_ends_a_search(gallery: Path) -> None:
    with serving(gallery) as server, socket.create_connection(("127.0.0.1", urlsplit(server.url).port)) as asking:
        file = io.BytesIO()
        Image.effect_noise((900, 900), 90).save(file, "PNG")
        head = (
            f"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {file.tell()}"
        )
        asking.sendall(f"{head}\r\n\r\n".encode() + file.getvalue())
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port, timeout=60)
        connection.request("GET", "/api/gallery")  # the search has arrived before this
        connection.getresponse().read()
        assert server.interrupt() == (0, "reidops: ended\n")
        assert asking.recv(100).startswith((b"HTTP/1.1 503", b"HTTP/1.1 200"))  # it may have been done


def test_the_missing_extra_is_named(run: Run, gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("reidops_models.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    code, _, complaints = run("serve", "--gallery", gallery)
    assert (code, complaints) == (2, ["reidops: the package 'fastapi' is missing: pip install 'reidops[serve]'"])


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_host_that_others_can_reach_needs_a_name(run: Run, gallery: Path, host: str) -> None:
    code, printed, complaints = run("serve", "--gallery", gallery, "--host", host, "--port", 0)
    assert (code, printed) == (2, "")
    assert complaints == [
        f"reidops: --host: other machines can reach {host}, and there is no password; expected 127.0.0.1, or "
        "--server-name NAME with the name by which they ask for it"
    ]


def test_what_cannot_be_served_is_said_in_one_line(run: Run, gallery: Path, checkpoint: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words, expected in (
            (["--port", port], f"--port: 127.0.0.1:{port}: Address already in use"),
            (["--port", 70000], "--port: expected 0 to 65535, got 70000"),
            (["--host", "no such host"], "--host: no such host: 'no such host'"),
            (["--checkpoint", checkpoint], f"{gallery}: of another checkpoint"),
        ):
            code, _, complaints = run("serve", "--gallery", gallery, *words)
            assert code == 2
            assert len(complaints) == 1
            assert complaints[0].startswith(f"reidops: {expected}")
    code, _, complaints = run("serve", "--gallery", tmp_path / "none.lance")
    assert (code, complaints) == (2, [f"reidops: {tmp_path / 'none.lance'}: no such gallery"])
