"""`reidops recipes`: the recipes that ship, and what one of them says in full."""

from __future__ import annotations

import argparse

SUMMARY = "list the recipes, or show one in full"
DESCRIPTION = """\
List the recipes that ship, one line each. With a name or a file, print that recipe as YAML with
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
    from reidops_models.recipe import format_recipe, load_recipe, packaged_recipes, summarise_recipe

    if options.recipe is not None:
        print(format_recipe(load_recipe(options.recipe)), end="")
        return 0
    names = packaged_recipes()
    width = max(map(len, names), default=0)
    for name in names:
        print(f"{name:<{width}}  {summarise_recipe(name)}")
    return 0
