"""The tutorial's commands are ones that the command line knows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from reidops_models.cli import build_parser
from reidops_models.recipe import load_recipe

DOCS = Path(__file__).parents[3] / "docs"


def commands(page: str) -> list[str]:
    return re.findall(r"^reidops .*$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)


COMMANDS = commands("tutorial.md")
PAGES = ("recipes.md", "evaluation.md", "galleries.md", "search.md", "serve.md")


@pytest.mark.parametrize("command", [*COMMANDS, *(command for page in PAGES for command in commands(page))])
def test_command_is_understood(command: str) -> None:
    words = shlex.split(command.partition(" > ")[0])[1:]
    assert build_parser().parse_args(words).command == words[0]


def test_tutorial_shows_every_command_but_the_demo() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} == {
        "synth",
        "recipes",
        "train",
        "merge",
        "data",
        "evaluate",
        "score",
        "calibrate",
        "match",
        "index",
        "search",
        "gallery",
        "serve",
        "embed",
        "pose",
        "reproduce",
    }


def test_the_recipe_on_the_page_about_recipes_loads(tmp_path: Path) -> None:
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    recipe = load_recipe(tmp_path / "mine.yaml")
    assert (recipe.images.jitter, recipe.optimizer.lr, recipe.optimizer.name) == (0.4, 1e-3, "adamw")


def test_the_example_without_files_runs() -> None:
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "tutorial.md").read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [text for text in examples if text.startswith("import torch")]
    code = f"{example}\nimport sys; assert not [name for name in sys.modules if name.startswith('reidops_models.cli')]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.partition(" [")[0] for line in done.stdout.splitlines()] == ["image 0", "image 1"]
