"""A tiny benchmark, recipes at its size, and networks as if they had been trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from torch import nn

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.mgre import MgreNetwork, MgreRecipe
from reidops_models.mgre.modules import LocationModule
from reidops_models.recipe import load_recipe, parse_recipe


class Tiny(Protocol):
    def __call__(self, **sections: Any) -> MgreRecipe: ...


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """The packaged recipe at the size of the tiny set."""

    def build(**sections: Any) -> MgreRecipe:
        values = load_recipe("mgre/demo").model_dump(mode="json")
        values["network"] |= {"location_width": 8, "dimensions": 16}
        values["images"]["size"] = [64, 32]
        values["batches"]["size"] = 8
        values["training"] |= {"epochs": 1, "accelerator": "cpu"}
        for section, changes in sections.items():
            values[section] = values[section] | changes
        recipe = parse_recipe(values)
        assert isinstance(recipe, MgreRecipe)
        return recipe

    return build


def trained(recipe: MgreRecipe, identities: int = 8, seed: int = 0) -> Checkpoint:
    """A network with random weights and statistics."""
    torch.manual_seed(seed)
    network = MgreNetwork(recipe.network, recipe.images.size, identities)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 1.5)
    for module in network.locations.values():
        assert isinstance(module, LocationModule)
        nn.init.normal_(module.linear.weight, std=0.5)  # boxes that differ from image to image
    return Checkpoint(network.eval(), recipe, identities)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny: Tiny) -> Path:
    """Such a network as files."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", trained(tiny()))
