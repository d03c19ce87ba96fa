"""What the tests of several packages use: a tiny benchmark, an untrained network, and commands in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.cli import main
from reidops_models.data import ReidDataset, list_images, load_market1501, write_synthetic
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    """The tiny benchmark. Read only."""
    return load_market1501(write_synthetic(tmp_path_factory.mktemp("data") / "people", "tiny", workers=1))


@pytest.fixture(scope="session")
def people(dataset: ReidDataset) -> Path:
    """The folder of the tiny benchmark. Read only."""
    return dataset.root


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the demo's network, weights as initialised."""
    recipe = load_recipe("dsr/demo")
    torch.manual_seed(0)
    network = find_paper("dsr").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: exit code, stdout, and the lines on stderr."""

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err.splitlines()

    return run


@pytest.fixture
def pictures(people: Path, tmp_path: Path) -> Path:
    """12 pictures of the tiny benchmark, which a test may change."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in list_images(people / "bounding_box_test")[:12]:
        shutil.copy2(path, folder)
    return folder
