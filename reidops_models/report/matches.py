"""Ranked lists as files: `matches.csv`, one line a match, and the same as `matches.json`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

COLUMNS = ("probe", "rank", "gallery", "distance")


class MatchesWriter:
    """Writes `matches.csv` as matches come in, and `matches.json` from it in the end.

    The CSV file is flushed after every probe: whatever stops the work later, what was found until then is there.
    The JSON file, a list of objects with the CSV's columns as keys, appears at once and whole.

    Example:
        >>> with MatchesWriter("out") as matches:  # doctest: +SKIP
        ...     matches.write("probe.jpg", [("a.jpg", 0.1), ("b.jpg", 0.3)])
    """

    def __init__(self, folder: str | Path) -> None:
        self.csv_path = Path(folder) / "matches.csv"
        self.json_path = Path(folder) / "matches.json"

    def __enter__(self) -> MatchesWriter:
        self.csv_path.parent.mkdir(parents=True, exist_ok=True)
        self.json_path.unlink(missing_ok=True)  # of an earlier run
        self._file = self.csv_path.open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)
        return self

    def write(self, probe: str, ranked: Iterable[tuple[str, float]]) -> None:
        """The gallery images of one probe with their distances, nearest first."""
        for rank, (gallery, distance) in enumerate(ranked, start=1):
            self._rows.writerow((probe, rank, gallery, f"{distance:.8g}"))
        self._file.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        _write_json(self.csv_path, self.json_path)


def _write_json(source: Path, target: Path) -> None:
    """Row by row: a full ranking may be larger than memory likes."""
    unfinished = target.with_name(target.name + ".part")
    with source.open(newline="", encoding="utf-8") as rows, unfinished.open("w", encoding="utf-8") as out:
        separator = "[\n"
        for row in csv.DictReader(rows):
            record = {**row, "rank": int(row["rank"]), "distance": float(row["distance"])}
            out.write(separator + json.dumps(record, ensure_ascii=False))
            separator = ",\n"
        out.write("[]\n" if separator == "[\n" else "\n]\n")
    unfinished.replace(target)
