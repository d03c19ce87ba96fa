"""The tutorial's commands are ones that the command line knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from reidops_models.cli import build_parser

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorial.md"
COMMANDS = re.findall(r"^reidops .*$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(command: str) -> None:
    words = shlex.split(command)[1:]
    assert build_parser().parse_args(words).command == words[0]


def test_tutorial_shows_every_command_but_the_demo() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} == {
        "synth",
        "train",
        "evaluate",
        "match",
        "embed",
        "pose",
        "reproduce",
    }
