"""YAML text to plain values, strictly: no key stands twice, and no value means something else than it seems to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

MAX_VALUES = 10_000  # in one file, with every alias written out: a few nested aliases can stand for billions


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is one line that names the file, or the override, and the key."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def read_values(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        RecipeError: the file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text") from error
    except ValueError as error:  # a path with a null character
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    return keys_and_values(parse_yaml(text, origin=str(path)), origin=str(path))


def parse_yaml(text: str, origin: str) -> Any:
    """What a YAML text stands for, as dictionaries, lists, strings, numbers, booleans and None.

    Args:
        text: one document.
        origin: begins the message of an error.

    Raises:
        RecipeError: not YAML, a key that stands twice, or values that are not plain.

    Example:
        >>> parse_yaml("{lr: 1e-4, size: [256, 128], weights: null}", origin="example")
        {'lr': 0.0001, 'size': [256, 128], 'weights': None}
    """
    try:
        values = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise RecipeError(f"{origin}: not YAML: {error}") from error
    except RecursionError as error:
        raise RecipeError(f"{origin}: nested too deeply") from error
    except ValueError as error:  # what the loader below refuses, and a number of thousands of digits
        raise RecipeError(f"{origin}: {error}") from error
    return plain(values, origin)


def plain(values: Any, origin: str) -> Any:
    """A copy of the values as JSON has them: keys are strings, tuples are lists, nothing is shared.

    Strict validation reads JSON, because only there a list may stand for a tuple. Anything that JSON does not have
    (a path, a date) becomes its string first. So it passes where a string is asked for, and is a value of the wrong
    type everywhere else.

    Raises:
        RecipeError: a key that is no string or number, or values that hold themselves.
    """
    try:
        return json.loads(json.dumps(values, default=str))
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeError(f"{origin}: not plain keys and values: {error}") from error


def keys_and_values(values: Any, origin: str) -> dict[str, Any]:
    """The values, if they are a dictionary.

    Raises:
        RecipeError: they are not.
    """
    if not isinstance(values, dict):
        raise RecipeError(f"{origin}: expected keys and values, got {type(values).__name__}")
    return values


class _Loader(yaml.SafeLoader):
    """Reads plain values as YAML 1.2 does.

    PyYAML knows 1.1 only, where `2e-3` is a string, `1:30` is 90, `010` is 8 and `on` is true.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - so PyYAML has it: the class's own table, which add_... fills

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and self._size(node, "", {}) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values, with every alias written out")
        return node

    def _size(self, node: yaml.Node, key: str, sizes: dict[int, int]) -> int:
        """How many values a node stands for, with every alias written out. Checks every node once on the way."""
        if id(node) not in sizes:
            sizes[id(node)] = 1  # a node that holds itself gets no further; `plain` refuses it
            if node.tag not in (self._plain_tag(node), "tag:yaml.org,2002:str"):
                raise ValueError(f"not plain keys and values: {key} is of type {node.tag.rpartition(':')[2]!r}")
            sizes[id(node)] += sum(self._size(child, name, sizes) for name, child in _children(node, key))
        return sizes[id(node)]

    def _plain_tag(self, node: yaml.Node) -> str:
        """The tag of a node that names no tag."""
        tag: str = self.resolve(type(node), node.value, (True, False))
        return tag


def _children(node: yaml.Node, key: str) -> Iterator[tuple[str, yaml.Node]]:
    """What a list or a dictionary holds, and the dotted key of each."""
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield _dotted(key, index), child
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for name, child in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise ValueError(f"not plain keys and values: a key of {key} is a {name.id}")
            inner = _dotted(key, name.value)
            if inner in seen:
                raise ValueError(f"{inner}: this key stands there twice")
            seen.add(inner)
            yield inner, name
            yield inner, child


def _dotted(key: str, part: object) -> str:
    return f"{key}.{part}" if key else str(part)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9]\d*)", list("-+0123456789")),
    ("float", r"[-+]?(\.\d+|\d+\.\d*)([eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+", list("-+.0123456789")),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z", re.ASCII), _first)
