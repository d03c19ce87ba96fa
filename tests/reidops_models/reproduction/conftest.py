"""One tiny study for the tests of all papers, so that people are drawn and networks are trained once."""

from __future__ import annotations

import pytest

from reidops_models.reproduction import Study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"), (0,), "tiny", say=lambda _: None)
