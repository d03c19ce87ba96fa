"""What nvcc gets wrong without a word, and CUDA sources therefore leave alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSRC = Path(__file__).parents[2] / "csrc"
SOURCES = sorted(path for path in CSRC.rglob("*") if path.suffix in {".cu", ".cuh"})


def conditions(text: str) -> list[str]:
    """What follows the condition of each ``if constexpr``, up to the end of the next line."""
    found = []
    for start in re.finditer(r"\bif constexpr \(", text):
        depth, end = 1, start.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[end:].lstrip(" ")[:1])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_if_constexpr_has_braces(path: Path) -> None:
    """In a template, nvcc 13.0 drops the loop around an ``if constexpr (false)`` that has none before a ``for``."""
    assert set(conditions(path.read_text())) <= {"{"}


def test_finds_what_has_no_braces() -> None:
    text = "if constexpr (of(a) && (b)) {\n} if constexpr (c)\n  d();"
    assert conditions(text) == ["{", "\n"]
