"""An untrained network: with the tiny benchmark, all that the commands need to run, in a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe

from ..conftest import Run

__all__ = ["Run"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the demo's network, weights as initialised."""
    recipe = load_recipe("dsr/demo")
    torch.manual_seed(0)
    network = find_paper("dsr").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))
