"""Anybody's own images, named in a CSV file with the columns path, pid, camid and split."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from reidops_models.data.dataset import UNKNOWN, DatasetError, ReidDataset, Sample

__all__ = ["load_csv"]

SPLITS = ("train", "query", "gallery")
COLUMNS = ("path", "pid", "split")  # and camid, which may be left out


def load_csv(path: str | os.PathLike[str]) -> ReidDataset:
    """Load the images that a CSV file lists.

    A header, then a line for each image: `path`, from the file's own folder; `pid`, a whole number; `camid`, one
    too, or nothing; and `split`, train, query or gallery. Other columns may be there. An image without a camera has an
    unknown one: no protocol leaves it out. Identity 0 is a person like any other.

    Raises:
        DatasetError: the file cannot be read, or a line is in another form; the message names it.

    Example:
        >>> load_csv("people.csv").name  # doctest: +SKIP
        'people'
    """
    path = Path(path)
    splits: dict[str, list[Sample]] = {name: [] for name in SPLITS}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                expected = "expected the columns path, pid, camid, split"
                raise DatasetError(f"{path}: {expected}; missing: {', '.join(missing)}")
            for row in reader:
                splits[_split(row, path, reader.line_num)].append(_sample(row, path, reader.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    train, query, gallery = (splits[name] for name in SPLITS)
    return ReidDataset(path.stem, path.parent, train, query, gallery, variant="listed in a CSV file")


def _split(row: dict[str, str], path: Path, line: int) -> str:
    if row["split"] not in SPLITS:
        raise DatasetError(f"{path}, line {line}: split: expected {', '.join(SPLITS)}, got {row['split']!r}")
    return row["split"]


def _sample(row: dict[str, str], path: Path, line: int) -> Sample:
    numbers = {}
    for name in ("pid", "camid"):
        text = (row.get(name) or "").strip()
        if name == "camid" and not text:
            numbers[name] = UNKNOWN
        elif text.removeprefix("-").isdecimal() and int(text) >= UNKNOWN:
            numbers[name] = int(text)
        else:
            raise DatasetError(f"{path}, line {line}: {name}: expected a whole number, got {text!r}")
    return Sample(path.parent / row["path"], numbers["pid"], numbers["camid"])
