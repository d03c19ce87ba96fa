"""`reidops recipes`: the recipes that ship, and what one of them says in full."""

from __future__ import annotations

import argparse

SUMMARY = "list the recipes, or show one in full"
DESCRIPTION = """\
List the recipes that ship. With a name or a file, print that recipe as YAML with
all its values: those that it inherits from the recipes that it extends, and the
defaults.
"""
EXAMPLES = """\
examples:
  reidops recipes
  reidops recipes dsr/demo
  reidops recipes dsr/demo > mine.yaml       a start for a recipe of your own
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", nargs="?", metavar="NAME_OR_FILE", help="dsr/demo, ..., or a .yaml file")


def run(options: argparse.Namespace) -> int:
    from reidops_models.recipe import load_recipe, packaged_recipes

    if options.recipe is None:
        print("\n".join(packaged_recipes()))
    else:
        print(recipe_yaml(load_recipe(options.recipe).model_dump(mode="json")), end="")
    return 0


def recipe_yaml(values: dict[str, object]) -> str:
    """A recipe's values as YAML, in their own order; `load_recipe` reads the text again."""
    import yaml

    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)
