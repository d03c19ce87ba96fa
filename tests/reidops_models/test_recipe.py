"""Recipes say what they mean, or fail by the name of the key."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.dsr import DsrRecipe
from reidops_models.paper import find_paper
from reidops_models.recipe import Recipe, RecipeError, load_recipe, packaged_recipes, parse_recipe

PACKAGED = packaged_recipes()


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


def test_packaged_recipes_are_what_they_were_when_each_was_written_out_in_full() -> None:
    written_out = json.loads(Path(__file__).with_name("packaged_recipes.json").read_text())
    assert sorted(written_out) == PACKAGED
    for name, values in written_out.items():
        assert load_recipe(name) == parse_recipe(values), name


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("parent", ["base", "base.yaml", "../here/base.yaml"])
def test_a_recipe_says_what_differs_from_the_one_it_extends(tmp_path: Path, parent: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    write(here / "base.yaml", "extends: dsr/market1501_resnet50_finetune\ntraining: {epochs: 3}\n")
    mine = write(
        here / "mine.yaml",
        f"extends: {parent}\nmatching: {{scales: [2]}}\n"
        "fine_tuning: null\nlosses: [{name: cross_entropy, weight: 2}]",
    )
    recipe, packaged = load_recipe(mine), load_recipe("dsr/market1501_resnet50_finetune")
    assert isinstance(recipe, DsrRecipe)
    assert isinstance(packaged, DsrRecipe)
    assert recipe.fine_tuning is None
    assert recipe.matching == packaged.matching.model_copy(update={"scales": (2,)})  # a list replaces the other
    assert [(loss.name, loss.weight) for loss in recipe.losses] == [("cross_entropy", 2)]
    assert recipe.training == packaged.training.model_copy(update={"epochs": 3})  # a section is merged
    assert recipe.images == packaged.images
    assert "extends" not in recipe.model_dump(mode="json")


def test_a_recipe_that_extends_nothing_sensible_names_the_files(tmp_path: Path) -> None:
    for text, complaint in (
        ("extends: none", r"mine\.yaml: extends: none: no file .*none\.yaml$"),
        ("extends: dsr/none", r"mine\.yaml: extends: dsr/none: neither a \.yaml file"),
        ("extends: 3", r"mine\.yaml: extends: expected the name of a recipe or a \.yaml file, got 3"),
        (
            "extends: mine",
            r"mine\.yaml: extends: recipes that extend each other in a circle: .*mine.yaml -> .*mine.yaml",
        ),
        ("extends: dsr/demo\nmodel: csn", r"mine\.yaml: extends: .*demo\.yaml is a recipe of 'dsr', and this one of"),
    ):
        mine = write(tmp_path / "mine.yaml", text)
        with pytest.raises(RecipeError, match=complaint) as caught:
            load_recipe(mine)
        assert "\n" not in str(caught.value)
    for index in range(12):
        last = write(tmp_path / f"link{index}.yaml", f"extends: {f'link{index - 1}' if index else 'dsr/demo'}")
    with pytest.raises(RecipeError, match=r"link2\.yaml: extends: more than 10 recipes in a chain: .*link11\.yaml -> "):
        load_recipe(last)


def test_an_error_names_the_file_in_which_the_key_stands(tmp_path: Path) -> None:
    base = write(tmp_path / "base.yaml", "extends: dsr/demo\ntraining: {epoch: 3}\nbatches: {images_per_identity: 3}")
    mine = write(tmp_path / "mine.yaml", "extends: base\ntraining: {seed: -1}")
    with pytest.raises(RecipeError) as caught:
        load_recipe(mine)
    assert str(caught.value) == (
        f"{base}: batches: size 64 is not a multiple of images_per_identity 3; training.epoch: unknown key; "
        f"{mine}: training.seed: Input should be greater than or equal to 0, got -1"
    )


def test_any_key_is_overridden_with_a_yaml_value() -> None:
    recipe = load_recipe(
        "dsr/demo_finetune",
        [
            "optimizer.lr=1e-4",
            "images.size=[256,128]",
            "losses.0.weight = 0.5",
            "training.gradient_clip=5",
            "fine_tuning={weight: 2.0}",
            "training.epochs=9",
            "training.epochs=8",  # the later one holds
        ],
    )
    assert isinstance(recipe, DsrRecipe)
    assert (recipe.optimizer.lr, recipe.images.size, recipe.losses[0].weight) == (1e-4, (256, 128), 0.5)
    assert (recipe.training.gradient_clip, recipe.training.epochs) == (5.0, 8)
    assert recipe.fine_tuning is not None
    assert (recipe.fine_tuning.weight, recipe.fine_tuning.patch_height) == (2.0, (0.3, 1.0))  # replaced as a whole
    assert load_recipe("dsr/demo", ["fine_tuning.weight=2"]).fine_tuning is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("training.epoch=3", "training.epoch=3: unknown key"),
        ("trainings.epochs=3", "trainings.epochs=3: trainings: unknown key"),
        ("training.epochs=ten", "training.epochs=ten: Input should be a valid integer, got 'ten'"),
        ("training.epochs=0", "training.epochs=0: Input should be greater than 0, got 0"),
        ("training.epochs=1:30", "training.epochs=1:30: Input should be a valid integer, got '1:30'"),
        ("training.epochs=010", "training.epochs=010: Input should be a valid integer, got '010'"),
        ("images.cache=yes", "images.cache=yes: Input should be a valid boolean, got 'yes'"),
        ("training.epochs", "training.epochs: expected KEY=VALUE, such as training.epochs=2"),
        ("=3", "=3: expected KEY=VALUE, such as training.epochs=2"),
        ("training..epochs=3", "training..epochs=3: expected KEY=VALUE, such as training.epochs=2"),
        ("losses.1.weight=1", "losses.1.weight=1: losses has 1 items, counted from 0, and no item '1'"),
        ("training.epochs.x=1", "training.epochs.x=1: training.epochs is 45, which has no key 'x'"),
        ("optimizer={lr: 1, lr: 2}", "optimizer={lr: 1, lr: 2}: lr: this key stands there twice"),
        ("model=csn", "model=csn: a recipe's model cannot be changed"),
        ("extends=csn/demo", "extends=csn/demo: unknown key"),
        ("images.size=[", "images.size=[: not YAML: "),
    ],
)
def test_a_wrong_override_is_named_as_it_was_typed(override: str, complaint: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("dsr/demo", [override])
    assert str(caught.value).startswith(complaint)
    assert "\n" not in str(caught.value)


def test_an_override_that_breaks_a_section_as_a_whole_is_named_beside_the_file() -> None:
    with pytest.raises(RecipeError, match=r"demo\.yaml with batches\.images_per_identity=3: batches: size 64 is not"):
        load_recipe("dsr/demo", ["training.epochs=3", "batches.images_per_identity=3"])


KEYS = st.lists(
    st.sampled_from(["training", "epochs", "losses", "0", "images", "size", "matching", "lr", ""])
    | st.text(max_size=3),
    max_size=4,
).map(".".join)
VALUES = (
    st.text(max_size=12)
    | st.text("[]{}:,&*!|>-#'\"%@` \n0123456789.eE+~" + string.ascii_letters, max_size=20)
    | st.sampled_from(["!!int x", "!!timestamp y", "!!python/object:os.system", "&a [*a]", "1e999", ".nan", "9" * 5000])
)


@settings(max_examples=300, deadline=None)
@given(overrides=st.lists(st.builds("{}={}".format, KEYS, VALUES) | st.text(max_size=8), min_size=1, max_size=3))
def test_no_override_leaves_a_trace(overrides: list[str]) -> None:
    try:
        assert load_recipe("dsr/demo", overrides).model == "dsr"
    except RecipeError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 - either outcome is right


def test_what_yaml_would_pass_in_silence_is_an_error(tmp_path: Path) -> None:
    bomb = "a: &a [1, 1]\n" + "".join(
        f"b{i}: &b{i} [{', '.join([f'*b{i - 1}' if i else '*a'] * 9)}]\n" for i in range(9)
    )
    for text, complaint in (
        (
            "model: dsr\ntraining:\n  epochs: 3\n  epochs: 4",
            r"odd\.yaml: training\.epochs: this key stands there twice",
        ),
        ("model: dsr\n'model': csn", r"odd\.yaml: model: this key stands there twice"),
        (bomb, r"odd\.yaml: more than 10,000 values, with every alias written out"),
        ("model: !!python/name:os.system x", r"odd\.yaml: not plain keys and values: model is of type"),
    ):
        with pytest.raises(RecipeError, match=complaint):
            load_recipe(write(tmp_path / "odd.yaml", text))
