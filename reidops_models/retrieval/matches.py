"""A search as files: `matches.csv` has the matches, `matches.json` the facts about the search."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from reidops_models.files import replacing
from reidops_models.retrieval.ranked_lists import RankedList

COLUMNS = ("probe", "rank", "gallery", "distance")
ANSWER = "answer"  # a column more where there is a threshold: known or unknown, the same in each line of a probe


class MatchesWriter:
    """Writes `matches.csv` as matches come in, one line per match, and `matches.json` at the end.

    The CSV file is flushed after every probe, so whatever stops the work later, the matches found before are there.
    The JSON file has no matches, only facts. It appears at once and whole when the search is done.

    Args:
        folder: is made where it is missing.
        answers: whether to write the column `answer`: whether the probe is known by the threshold of its list.

    Example:
        >>> with MatchesWriter("out") as matches:  # doctest: +SKIP
        ...     for ranked in search("crops", "people"):
        ...         matches.write(ranked)
        ...     matches.finish({"model": "dsr"})
    """

    def __init__(self, folder: str | Path, *, answers: bool = False) -> None:
        self._answers = answers
        self.csv_path = Path(folder) / "matches.csv"
        self.json_path = Path(folder) / "matches.json"

    def __enter__(self) -> MatchesWriter:
        self.csv_path.parent.mkdir(parents=True, exist_ok=True)
        self.json_path.unlink(missing_ok=True)  # of an earlier search
        self._file = self.csv_path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self._rows = csv.writer(self._file)
        self._rows.writerow((*COLUMNS, ANSWER) if self._answers else COLUMNS)
        return self

    def write(self, ranked: RankedList) -> None:
        """The matches of one probe."""
        answer = (answer_of(ranked),) if self._answers else ()
        for match in ranked.matches:
            self._rows.writerow((ranked.probe.name, match.rank, match.name, f"{match.distance:.8g}", *answer))
        self._file.flush()

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the facts about the whole search."""
        text = json.dumps(dict(facts), indent=2, ensure_ascii=False) + "\n"
        with replacing(self.json_path) as unfinished:
            unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")  # a file name may not be UTF-8

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def answer_of(ranked: RankedList) -> str:
    """By the threshold of the list: `known` or `unknown`."""
    return "unknown" if ranked.unknown else "known"
