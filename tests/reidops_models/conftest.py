"""What the tests of several papers use: a tiny benchmark."""

from __future__ import annotations

import pytest

from reidops_models.data import ReidDataset, load_market1501, write_synthetic


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    """The tiny benchmark. Read only."""
    return load_market1501(write_synthetic(tmp_path_factory.mktemp("data") / "people", "tiny", workers=1))
