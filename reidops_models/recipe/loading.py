"""From a recipe's name to a checked recipe: the file, the recipes that it extends, the overrides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reidops_models.paper import find_paper, paper_names, usable_papers
from reidops_models.recipe.draft import Draft, Key
from reidops_models.recipe.sections import Recipe
from reidops_models.recipe.yaml_text import RecipeError, keys_and_values, plain, read_values

MAX_CHAIN = 10  # recipes that extend each other


def load_recipe(source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe from a YAML file, or a packaged one by name (`dsr/demo`).

    A file may extend another recipe and hold what differs (docs/recipes.md).

    Args:
        source: a path that ends in `.yaml`, or a packaged name.
        overrides: values on top of the file's, each `KEY=VALUE` with a dotted key and a YAML value.

    Raises:
        RecipeError: no such file, not YAML, an unknown key, or a value of the wrong type.

    Example:
        >>> load_recipe("dsr/demo").training.epochs
        45
        >>> load_recipe("dsr/demo", ["training.epochs=2", "losses.0.weight=0.5"]).training.epochs
        2
    """
    draft = _resolve(find_recipe(str(source)))
    for override in overrides:
        draft.override(override)
    return _check(draft)


def parse_recipe(values: Any, origin: str = "recipe") -> Recipe:
    """A recipe from its values, all of them, as a checkpoint keeps them.

    Args:
        values: a dictionary of sections; `model` in it says of which paper.
        origin: begins the message of an error.

    Raises:
        RecipeError: an unknown model or key, or a value of the wrong type.

    Example:
        >>> values = load_recipe("dsr/demo").model_dump(mode="json")
        >>> values["matching"]["beta"] = 0.0
        >>> parse_recipe(values)
        Traceback (most recent call last):
        reidops_models.recipe.yaml_text.RecipeError: recipe: matching.beta: Input should be greater than 0, got 0.0
    """
    draft = Draft(origin)
    draft.merge(plain(keys_and_values(values, origin), origin), origin)
    return _check(draft)


def packaged_recipes() -> list[str]:
    """The names of all packaged recipes, as `load_recipe` takes them.

    Example:
        >>> "dsr/demo" in packaged_recipes()
        True
    """
    return [
        f"{paper.name}/{file.stem}"
        for paper in usable_papers()
        for file in sorted((paper.folder / "recipes").glob("*.yaml"))
    ]


def _resolve(path: Path) -> Draft:
    """The values of a file on top of those of the recipes that it extends."""
    files = [path]
    contents = [read_values(path)]
    while "extends" in contents[-1]:
        parent = _parent(contents[-1].pop("extends"), child=files[-1])
        chain = " -> ".join(str(file) for file in (*files, parent))
        if parent.resolve() in [file.resolve() for file in files]:
            raise RecipeError(f"{files[-1]}: extends: recipes that extend each other in a circle: {chain}")
        if len(files) == MAX_CHAIN:
            raise RecipeError(f"{files[-1]}: extends: more than {MAX_CHAIN} recipes in a chain: {chain}")
        files.append(parent)
        contents.append(read_values(parent))
    draft = Draft(str(path))
    for index in reversed(range(len(files))):
        model, base = contents[index].get("model"), draft.values.get("model")
        if None not in (model, base) and model != base:
            raise RecipeError(
                f"{files[index]}: extends: {files[index + 1]} is a recipe of {base!r}, and this one of {model!r}"
            )
        draft.merge(contents[index], str(files[index]))
    return draft


def _parent(name: Any, child: Path) -> Path:
    """The file of the recipe that another one extends."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise RecipeError(f"{child}: extends: expected the name of a recipe or a .yaml file, got {name!r}")
    if name.partition("/")[0] in paper_names() and not name.endswith((".yaml", ".yml")):
        try:
            return find_recipe(name)
        except RecipeError as error:
            raise RecipeError(f"{child}: extends: {error}") from error
    path = child.parent / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if not path.is_file():
        raise RecipeError(f"{child}: extends: {name}: no file {path}")
    return path


def find_recipe(source: str) -> Path:
    """The file of a recipe: a `.yaml` path as it is, or a packaged recipe by its name.

    Raises:
        RecipeError: neither.
    """
    if source.endswith((".yaml", ".yml")):
        return Path(source)
    model, _, name = source.partition("/")
    if model in paper_names() and name and "\0" not in name:
        packaged = find_paper(model).folder / "recipes" / f"{name}.yaml"
        if packaged.is_file():
            return packaged
    raise RecipeError(f"{source}: neither a .yaml file nor a packaged recipe ({', '.join(packaged_recipes())})")


def _check(draft: Draft) -> Recipe:
    name = draft.values.get("model")
    if not isinstance(name, str) or name not in paper_names():
        blamed = draft.blame(("model",))
        raise RecipeError(f"{blamed}: model: unknown {name!r}; known: {', '.join(paper_names())}")
    try:
        return find_paper(name).recipe.model_validate_json(json.dumps(draft.values), strict=True)
    except ValidationError as error:
        complaints: dict[str, list[str]] = {}  # by what is to blame, in the order in which they were found
        for item in error.errors():
            blamed = draft.blame(item["loc"])
            complaints.setdefault(blamed, []).append(_complaint(item, blamed))
        found = [f"{blamed}: {'; '.join(texts)}" for blamed, texts in complaints.items()]
        raise RecipeError("; ".join(found)) from error


def _complaint(item: Any, blamed: str) -> str:
    """What is wrong at a key. An override of the key itself has said the key already."""
    key: Key = item["loc"]
    name = ".".join(str(part) for part in key)
    prefix = "" if not name or blamed.partition("=")[0].strip() == name else f"{name}: "
    if item["type"] == "extra_forbidden":
        return f"{prefix}unknown key"
    if item["type"] == "missing":
        return f"{prefix}missing"
    if item["type"] == "value_error":  # of a section as a whole, which is too long to repeat
        return f"{prefix}{item['ctx']['error']}"
    if item["type"] == "json_invalid":  # half of a character, which no file can hold
        return f"not plain keys and values: {item['msg']}"
    return f"{prefix}{item['msg']}, got {item['input']!r}"
