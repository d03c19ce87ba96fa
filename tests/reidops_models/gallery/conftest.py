"""What the tests of galleries share: a folder of pictures that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reidops_models.data import list_images


@pytest.fixture
def pictures(people: Path, tmp_path: Path) -> Path:
    """12 pictures of the tiny benchmark."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in list_images(people / "bounding_box_test")[:12]:
        shutil.copy2(path, folder)
    return folder
