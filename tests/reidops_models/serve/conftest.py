"""What the tests of the server share: a gallery of drawn people, and the server on it, in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from reidops_models import Gallery
from reidops_models.data import list_images
from reidops_models.serve import Limits, People, create_app

ADDRESS = "http://127.0.0.1:8000"
LIMITS = Limits(most_bytes=200_000, most_pixels=100_000, places=3)


@pytest.fixture(scope="session")
def gallery(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of the tiny benchmark's 12 pictures. Read only."""
    path = tmp_path_factory.mktemp("gallery") / "people.lance"
    Gallery.build(path, people / "bounding_box_test", "dsr")
    return path


@pytest.fixture(scope="session")
def probe(people: Path) -> Path:
    """A crop of somebody in the gallery."""
    return list_images(people / "partial_query")[0]


@pytest.fixture
def own(people: Path, tmp_path: Path) -> Path:
    """A gallery of 4 pictures that a test may change, and so may their folder, `pictures` beside it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in list_images(people / "bounding_box_test")[:4]:
        shutil.copy2(path, folder)
    Gallery.build(tmp_path / "own.lance", folder, "dsr")
    return tmp_path / "own.lance"


def client_of(gallery: Path, threshold: float | None = None) -> TestClient:
    """A client of a server of its own."""
    app = create_app(People(Gallery.open(gallery), threshold), LIMITS)
    return TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def client(gallery: Path) -> Iterator[TestClient]:
    """A client of the server, which calls nobody unknown."""
    with client_of(gallery) as client:
        yield client
