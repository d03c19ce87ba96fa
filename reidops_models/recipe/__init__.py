"""Recipes: a YAML file per experiment, read into typed sections.

`load_recipe` reads one by its name or its path. `sections` has all options that papers share.
"""

from reidops_models.recipe.description import format_recipe, summarise_recipe
from reidops_models.recipe.loading import load_recipe, packaged_recipes, parse_recipe
from reidops_models.recipe.sections import (
    Batches,
    Choice,
    Images,
    Loss,
    Optimizer,
    Recipe,
    Schedule,
    Section,
    Training,
    Validation,
)
from reidops_models.recipe.yaml_text import RecipeError

__all__ = [
    "Batches",
    "Choice",
    "Images",
    "Loss",
    "Optimizer",
    "Recipe",
    "RecipeError",
    "Schedule",
    "Section",
    "Training",
    "Validation",
    "format_recipe",
    "load_recipe",
    "packaged_recipes",
    "parse_recipe",
    "summarise_recipe",
]
