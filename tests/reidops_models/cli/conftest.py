"""What the tests of the commands share."""

from __future__ import annotations

import csv
from pathlib import Path

from ..conftest import Run

__all__ = ["Run", "rows"]


def rows(folder: Path) -> list[dict[str, str]]:
    """The matches that `reidops match` wrote into a folder."""
    with (folder / "matches.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
