"""Recipes as text: one line about a packaged one, and all values of any."""

from __future__ import annotations

import re
from itertools import takewhile

import yaml

from reidops_models.recipe.loading import find_recipe
from reidops_models.recipe.sections import Recipe

SENTENCE_END = re.compile(r"(?<=[\w)])\.(?= [A-Z]|$)")  # not the point of "sec. 3.2"


def summarise_recipe(name: str) -> str:
    """The first sentence of the comment at the top of a recipe's file, without its full stop.

    Args:
        name: a packaged recipe's name, or a path that ends in `.yaml`.

    Raises:
        RecipeError: there is no such recipe.

    Example:
        >>> summarise_recipe("csn/cuhk03")
        'CSN on CUHK03, labeled or detected (CSN, sec. 4.2)'
    """
    lines = find_recipe(name).read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.lstrip("# ").rstrip() for line in takewhile(lambda line: line.startswith("# "), lines))
    return SENTENCE_END.split(comment)[0]


def format_recipe(recipe: Recipe) -> str:
    """All values of a recipe as YAML, which `load_recipe` reads again from a file.

    Example:
        >>> from reidops_models.recipe import load_recipe
        >>> print(format_recipe(load_recipe("dsr/demo")).splitlines()[0])
        model: dsr
    """
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
