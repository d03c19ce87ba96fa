"""What the tests of several papers use: a tiny benchmark, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reidops_models.cli import main
from reidops_models.data import ReidDataset, load_market1501, write_synthetic

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    """The tiny benchmark. Read only."""
    return load_market1501(write_synthetic(tmp_path_factory.mktemp("data") / "people", "tiny", workers=1))


@pytest.fixture(scope="session")
def people(dataset: ReidDataset) -> Path:
    """The folder of the tiny benchmark. Read only."""
    return dataset.root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, stdout, and the lines on stderr."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err.splitlines()

    return run
