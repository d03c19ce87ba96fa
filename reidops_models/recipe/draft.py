"""A recipe before it is checked: values from several files and overrides, and where each of them was set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reidops_models.recipe.yaml_text import RecipeError, parse_yaml

Key = tuple[str | int, ...]


class Draft:
    """The values of a recipe, and for every key what set it last: a file, or an override such as `training.epochs=2`.

    Args:
        origin: the file that was asked for; begins the message of an error.

    Example:
        >>> draft = Draft("mine.yaml")
        >>> draft.merge({"training": {"epochs": 60, "seed": 1}}, "base.yaml")
        >>> draft.merge({"training": {"epochs": 30}}, "mine.yaml")
        >>> draft.override("training.seed=2")
        >>> draft.values
        {'training': {'epochs': 30, 'seed': 2}}
        >>> draft.blame(("training", "seed"))
        'training.seed=2'
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.values: dict[str, Any] = {}
        self._origins: dict[Key, str] = {}
        self._overrides: dict[Key, str] = {}

    def merge(self, values: Mapping[str, Any], origin: str) -> None:
        """Set values on top. Dictionaries merge key by key; lists and scalars replace what was there."""
        self._merge(self.values, values, origin, ())

    def override(self, text: str) -> None:
        """Set one value, given as `KEY=VALUE`: a dotted key, with numbers for items of lists, and a YAML value.

        Raises:
            RecipeError: no `=`, no YAML, or a key below something that is no section and no list.
        """
        name, equals, value = text.partition("=")
        parts = name.strip().split(".")
        if not equals or not all(parts):
            raise RecipeError(f"{text}: expected KEY=VALUE, such as training.epochs=2")
        if parts == ["model"]:
            raise RecipeError(f"{text}: a recipe's model cannot be changed")
        found: Any = self.values
        key: Key = ()
        for part in parts[:-1]:
            index = _index(found, part, text, key)
            key = (*key, index)
            if isinstance(found, dict) and found.get(part) is None:
                self._set(found, part, {}, text, key)
            found = found[index]
        index = _index(found, parts[-1], text, key)
        key = (*key, index)
        self._set(found, index, parse_yaml(value, origin=text), text, key)
        self._overrides[key] = text

    def blame(self, key: Key) -> str:
        """What to name for an error at a key: the file or the override that set it, or what it stands in.

        An error of a section as a whole may come from an override inside it, so those are named, too.
        """
        prefixes = (key[:length] for length in range(len(key), 0, -1))
        origin = next((self._origins[prefix] for prefix in prefixes if prefix in self._origins), self.origin)
        inside = [text for at, text in self._overrides.items() if at[: len(key)] == key and text != origin]
        return f"{origin} with {' '.join(inside)}" if inside else origin

    def _merge(self, into: dict[str, Any], values: Mapping[str, Any], origin: str, above: Key) -> None:
        for name, value in values.items():
            key = (*above, name)
            if not isinstance(value, dict):
                self._set(into, name, value, origin, key)
                continue
            if not isinstance(into.get(name), dict):
                self._set(into, name, {}, origin, key)
            self._origins[key] = origin
            self._merge(into[name], value, origin, key)

    def _set(self, into: Any, index: str | int, value: Any, origin: str, key: Key) -> None:
        into[index] = value
        for record in (self._origins, self._overrides):
            for old in [old for old in record if old[: len(key)] == key]:
                del record[old]
        self._origins[key] = origin


def _index(found: Any, part: str, text: str, key: Key) -> str | int:
    """What finds a part of a dotted key in a section or a list."""
    if isinstance(found, dict):
        return part
    name = ".".join(str(step) for step in key)
    if not isinstance(found, list):
        raise RecipeError(f"{text}: {name} is {found!r}, which has no key {part!r}")
    if part not in [str(index) for index in range(len(found))]:
        raise RecipeError(f"{text}: {name} has {len(found)} items, counted from 0, and no item {part!r}")
    return int(part)
