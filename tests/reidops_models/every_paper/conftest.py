"""For every installed paper: its demonstration at tiny size, trained once; and other people to go on with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint
from reidops_models.data import ReidDataset, load_market1501, write_synthetic
from reidops_models.data.synthetic import SIZES
from reidops_models.paper import Paper, find_paper, paper_names


@pytest.fixture(scope="session", params=paper_names())
def paper(request: pytest.FixtureRequest) -> Paper[Any, Any]:
    """Each paper in turn."""
    return find_paper(request.param)


@pytest.fixture(scope="session")
def recipe(paper: Paper[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe of the shipped checkpoint at tiny size. A JSON file is a YAML file, too."""
    values = load_checkpoint(shipped_checkpoint(paper.name)).recipe.model_dump(mode="json")
    values["training"]["accelerator"] = "cpu"
    path = tmp_path_factory.mktemp("recipe") / f"{paper.name}.yaml"
    path.write_text(json.dumps(paper.tiny(values)))
    return path


@pytest.fixture(scope="session")
def trained(
    paper: Paper[Any, Any], recipe: Path, dataset: ReidDataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model trained on the tiny benchmark; it starts from the shipped one, which knows other people."""
    from reidops_models.recipe import load_recipe
    from reidops_models.training.run import train

    out = tmp_path_factory.mktemp("trained")
    return train(load_recipe(recipe), dataset, out, start=shipped_checkpoint(paper.name), progress=False)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    """Another tiny benchmark, whose training images show twelve people and not eight."""
    size = replace(SIZES["tiny"], train_people=12, test_people=4, distractors=0)
    return load_market1501(write_synthetic(tmp_path_factory.mktemp("others") / "people", size, seed=1, workers=1))
