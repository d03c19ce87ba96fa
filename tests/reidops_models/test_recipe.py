"""Recipes say what they mean, or fail by the name of the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reidops_models.dsr import DsrRecipe
from reidops_models.paper import find_paper, paper_names
from reidops_models.recipe import Recipe, RecipeError, load_recipe, parse_recipe

PACKAGED = [
    f"{model}/{file.stem}"
    for model in paper_names()
    for file in sorted((find_paper(model).folder / "recipes").glob("*.yaml"))
]


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_recipes_load_and_come_back_from_their_own_values(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.model == name.split("/")[0]
    assert parse_recipe(recipe.model_dump(mode="json")) == recipe


def test_real_recipes_hold_the_papers_values() -> None:
    fcn, resnet = load_recipe("dsr/market1501_fcn"), load_recipe("dsr/market1501_resnet50")
    for recipe in (fcn, resnet):
        assert isinstance(recipe, DsrRecipe)
        assert recipe.matching.beta == 0.4
        assert recipe.matching.scales == (1, 2, 3)
        assert recipe.matching.resizing_metric == "euclidean"
        assert [loss.name for loss in recipe.losses] == ["cross_entropy"]
        assert recipe.optimizer.name == "sgd"
    assert fcn.images.size == (320, 120)
    assert fcn.network.backbone == "fcn"
    assert resnet.network.backbone == "resnet50"


@pytest.mark.parametrize(
    ("section", "key", "value", "complaint"),
    [
        ("training", "epochs", "ten", "training.epochs: Input should be a valid integer, got 'ten'"),
        ("training", "epochs", 0, "training.epochs: Input should be greater than 0, got 0"),
        ("training", "epoch", 3, "training.epoch: unknown key"),
        ("optimizer", "lr", "fast", "optimizer.lr: Input should be a valid number, got 'fast'"),
        ("images", "size", [128], "images.size.1: missing"),
        ("images", "cache", 1, "images.cache: Input should be a valid boolean, got 1"),
        ("network", "backbone", "vit", "network.backbone: Input should be 'fcn'"),
        ("matching", "scales", [0], "matching.scales.0: Input should be greater than 0"),
        ("matching", "scales", [1, 2, 2], "matching.scales: a block size stands there twice"),
        ("training", "seed", -1, "training.seed: Input should be greater than or equal to 0, got -1"),
        ("optimizer", "momentum", 0.5, "optimizer: momentum is an option of sgd only"),
        ("optimizer", "lr", float("inf"), "optimizer.lr: "),
        ("schedule", "milestones", [3], "schedule: milestones is an option of step only"),
        ("training", "precision", "half", "training.precision: Input should be '32-true', '16-mixed' or 'bf16-mixed'"),
        ("network", "backbone", "fcn", "network: last_stride is an option of ResNets, not of fcn"),
        ("batches", "images_per_identity", 3, "batches: size 64 is not a multiple of images_per_identity 3"),
    ],
)
def test_wrong_values_are_named(section: str, key: str, value: Any, complaint: str) -> None:
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values[section][key] = value
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_of_another_loss_are_named() -> None:
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values["losses"] = [{"name": "cross_entropy", "margin": 1.0}]
    with pytest.raises(RecipeError, match=r"losses\.0: margin is an option of triplet and contrastive only"):
        parse_recipe(values)


def test_a_loss_that_compares_images_needs_some_of_each_identity() -> None:
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values["losses"] = [{"name": "triplet"}]
    with pytest.raises(RecipeError, match=r"recipe: batches\.images_per_identity: triplet needs 2 or more"):
        parse_recipe(values)
    values["batches"]["images_per_identity"] = 4
    assert parse_recipe(values).batches.images_per_identity == 4


def test_unknown_sections_and_missing_ones_are_named() -> None:
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values["optimiser"] = values.pop("optimizer")
    with pytest.raises(RecipeError, match="optimizer: missing; optimiser: unknown key"):
        parse_recipe(values)


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    for text, complaint in (
        ("model: [", "not YAML"),
        ("- 1", "expected keys and values, got list"),
        ("model: nobody", "model: unknown 'nobody'; known: "),
        ("model: [dsr]", "model: unknown \\['dsr'\\]; known: "),
        ("model: dsr\nimages: {size: 2020-01-01}", "images.size: "),
    ):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        with pytest.raises(RecipeError, match=complaint):
            load_recipe(path)
    path.write_bytes(b"model: \xff")
    with pytest.raises(RecipeError, match="not UTF-8 text"):
        load_recipe(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match=r"neither a .yaml file nor a packaged recipe \(csn/cuhk01"):
        load_recipe("dsr/none")


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    text = (find_paper("dsr").folder / "recipes" / "demo.yaml").read_text()
    path = tmp_path / "recipe.yaml"
    path.write_text(text + "\n# comment\n")
    recipe: Recipe = load_recipe(path)
    assert "2e-3" in text  # which YAML 1.1 would read as a string
    assert recipe.optimizer.lr == 0.002


@pytest.mark.parametrize("text", ["model: dsr\na: &x [*x]", "model: dsr\n? !!binary aGk=\n: 1", "a: " + "[" * 2000])
def test_yaml_that_holds_no_values_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(RecipeError, match=r"odd\.yaml: (not plain|nested)"):
        load_recipe(tmp_path / "odd.yaml")
