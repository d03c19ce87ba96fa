"""What a recipe of fine-tuning may say, and what the packaged ones say of the paper."""

from __future__ import annotations

from typing import Any

import pytest

from reidops_models.dsr import DsrRecipe
from reidops_models.recipe import RecipeError, load_recipe, parse_recipe


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fine_tuning": {"patch_height": [0.8, 0.3]}}, "fine_tuning.patch_height: expected the least first"),
        ({"fine_tuning": {"patch_width": [0.0, 0.3]}}, "fine_tuning.patch_width.0: Input should be greater than 0"),
        ({"fine_tuning": {"patch_width": [0.5, 1.3]}}, "fine_tuning.patch_width.1: Input should be less than or equal"),
        ({"fine_tuning": {"negative_pairs": 0}}, "fine_tuning.negative_pairs: Input should be greater than 0, got 0"),
        ({"fine_tuning": {"gradient": "exact"}}, "fine_tuning.gradient: Input should be 'constant' or 'implicit'"),
        ({"fine_tuning": {"beta": 0.0}}, "fine_tuning.beta: Input should be greater than 0"),
        ({"fine_tuning": {"scales": [2, 2]}}, "fine_tuning.scales: a block size stands there twice"),
        ({"fine_tuning": {"pairs": 3}}, "fine_tuning.pairs: unknown key"),
        ({"images": {"partial": 0.5}}, "images.partial: the images of a pair have one scale"),
        ({"batches": {"images_per_identity": 2}}, "batches.images_per_identity: a fine-tuning draws pairs"),
        ({"losses": [], "fine_tuning": None}, "losses: expected one or more, because there is no fine_tuning"),
    ],
)
def test_wrong_values_are_named(changes: dict[str, Any], complaint: str) -> None:
    values = load_recipe("dsr/demo_finetune").model_dump(mode="json")
    for section, change in changes.items():
        values[section] = values[section] | change if isinstance(change, dict) else change
    with pytest.raises(RecipeError) as caught:
        parse_recipe(values)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_real_recipes_hold_the_papers_values() -> None:
    for name in ("fcn", "resnet50"):
        recipe, before = load_recipe(f"dsr/market1501_{name}_finetune"), load_recipe(f"dsr/market1501_{name}")
        assert isinstance(recipe, DsrRecipe)
        assert isinstance(before, DsrRecipe)
        options = recipe.fine_tuning
        assert options is not None
        assert (options.positive_pairs, options.negative_pairs) == (3000, 3000)
        assert (options.beta, options.gradient, recipe.optimizer.name) == (0.4, "constant", "sgd")
        # What was pre-trained is what is fine-tuned, and it is matched alike.
        assert recipe.network == before.network.model_copy(update={"weights": None})
        assert (recipe.images.size, recipe.matching) == (before.images.size, before.matching)
        assert bool(recipe.losses) == (name == "resnet50")  # "softmax loss and DSR", sec. 4.7; fig. 5(b) for the FCN
