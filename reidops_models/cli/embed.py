"""`reidops embed`: descriptors of a folder's pictures, for other programs."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from reidops_models.cli.arguments import add_checkpoint_arguments, load_chosen
from reidops_models.cli.console import PARTIAL, CommandError, show_progress
from reidops_models.cli.pictures import Picture, Problems, find_pictures

SUMMARY = "descriptors of a folder's pictures"
DESCRIPTION = """\
Write a vector for each picture of a folder, and of the folders in it. The
nearer two vectors are (Euclidean), the more alike the people. Models that
compare maps or pairs (csn, dsr) have no such vectors.
"""
EXAMPLES = """\
examples:
  reidops embed --images people/ --out descriptors
  reidops embed --images people/ --out descriptors --model stnreid
  reidops embed --images people/ --out descriptors --checkpoint runs/dpti/model

In --out: descriptors.safetensors (the tensor `descriptors`, a row a picture)
and index.csv (columns row, picture, pid, camid; the last two where files are
named as in Market-1501). The exit code is 1 where a picture cannot be read.
"""

DEFAULT_MODEL = "dpti"
COLUMNS = ("row", "picture", "pid", "camid")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="pictures, or one picture file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    add_checkpoint_arguments(parser, DEFAULT_MODEL)


def run(options: argparse.Namespace) -> int:
    from safetensors.torch import save_file

    from reidops_models.extractor import FeatureExtractor

    extract = FeatureExtractor(load_chosen(options, DEFAULT_MODEL))
    problems = Problems()
    pictures = find_pictures(options.images, problems)
    if not pictures:
        raise CommandError(f"{options.images}: not one picture in it can be read")
    options.out.mkdir(parents=True, exist_ok=True)
    descriptors = extract((picture.read() for picture in pictures), progress=show_progress())
    weights = options.out / "descriptors.safetensors"
    unfinished = weights.with_suffix(".part")
    save_file({"descriptors": descriptors.contiguous()}, unfinished)
    unfinished.replace(weights)
    _write_index(options.out / "index.csv", pictures)
    print(f"written: {weights} ({len(descriptors)} x {descriptors.shape[1]}), index.csv")
    return PARTIAL if problems.lines else 0


def _write_index(path: Path, pictures: Sequence[Picture]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for row, picture in enumerate(pictures):
            rows.writerow((row, picture.name, _known(picture.pid), _known(picture.camid)))


def _known(label: int | None) -> str:
    return "" if label is None else str(label)
