"""A tiny benchmark, the recipe at its size, and networks as if they had been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from torch import nn

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.csn import CsnNetwork, CsnRecipe
from reidops_models.recipe import load_recipe, parse_recipe


class Tiny(Protocol):
    def __call__(self, **sections: Any) -> CsnRecipe: ...


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """The packaged recipe at the size of the tiny set."""

    def build(**sections: Any) -> CsnRecipe:
        values = load_recipe("csn/demo").model_dump(mode="json")
        values["network"]["channels"] = [8, 16]
        values["images"]["size"] = [40, 16]
        values["batches"]["size"] = 12
        values["training"] |= {"epochs": 1, "accelerator": "cpu"}
        for section, changes in sections.items():
            values[section] = values[section] | changes
        recipe = parse_recipe(values)
        assert isinstance(recipe, CsnRecipe)
        return recipe

    return build


def trained(recipe: CsnRecipe, seed: int = 0) -> Checkpoint:
    """A network with random weights and statistics, whose theta differ from image to image."""
    torch.manual_seed(seed)
    network = CsnNetwork(recipe.network, recipe.images.size)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 1.5)
    for similarity in network.similarity:
        if similarity.localisation is not None:
            nn.init.normal_(similarity.localisation.embedding.weight, std=0.3)
    return Checkpoint(network.eval(), recipe, identities=8)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    """Such a network as files."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", trained(tiny()))
