"""Completions, as the shell asks for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import reidops_models.cli
from reidops_models.paper import paper_names
from reidops_models.recipe import packaged_recipes


def completions(line: str, folder: Path) -> list[str]:
    """What argcomplete offers at the end of a line."""
    answer = folder / "answer"
    environment = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run([sys.executable, "-m", "reidops_models"], env=environment, cwd=folder, check=True)
    return answer.read_text().split("\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reidops match --model ", list(paper_names())),
        ("reidops reproduce d", ["dpti", "dsr"]),
        ("reidops train --recipe dsr/de", [name for name in packaged_recipes() if name.startswith("dsr/de")]),
        ("reidops evaluate --methods dsr", ["dsr-multi-scale", "dsr-single-scale"]),
        ("reidops evaluate --model stnreid --methods ", ["reid-module-alone", "stnreid"]),
        ("reidops evaluate --methods resizing-model,dsr-s", ["resizing-model,dsr-single-scale"]),
        ("reidops rec", ["recipes"]),
        ("reidops match --comp", ["--compare"]),
    ],
)
def test_the_shell_is_offered(line: str, expected: list[str], tmp_path: Path) -> None:
    assert sorted(completions(line, tmp_path)) == sorted(expected)


def test_the_shell_finds_the_mark() -> None:
    main = Path(reidops_models.cli.__file__)
    assert all("PYTHON_ARGCOMPLETE_OK" in path.read_text()[:1024] for path in (main, main.parents[1] / "__main__.py"))
