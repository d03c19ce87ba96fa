"""`reidops embed`: descriptors of a folder's images, for other programs."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import add_checkpoint_arguments, add_workers_argument, load_chosen
from reidops_models.cli.console import PARTIAL, CommandError, complain, show_progress
from reidops_models.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.retrieval.images import SearchImage

SUMMARY = "descriptors of a folder's images"
DESCRIPTION = """\
Write a vector for each image of a folder, and of the folders in it. The
nearer two vectors are (Euclidean), the more alike the people. Models that
compare maps or pairs (csn, dsr) have no such vectors.
"""
EXAMPLES = """\
examples:
  reidops embed --images people/ --out descriptors
  reidops embed --images people/ --out descriptors --model stnreid
  reidops embed --images people/ --out descriptors --checkpoint runs/dpti/model

In --out: descriptors.safetensors (the tensor `descriptors`, one row per image)
and index.csv (columns row, picture, pid, camid; the last two where files are
named as in Market-1501). The exit code is 1 where an image cannot be read.
"""

DEFAULT_MODEL = "dpti"
COLUMNS = ("row", "picture", "pid", "camid")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="images, or one image file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    add_checkpoint_arguments(parser, DEFAULT_MODEL)
    add_workers_argument(parser)


def run(options: argparse.Namespace) -> int:
    from safetensors.torch import save_file

    from reidops_models.extractor import ExtractorError, FeatureExtractor
    from reidops_models.retrieval.images import Problems, find_files
    from reidops_models.retrieval.reading import read_each

    try:
        extract = FeatureExtractor(load_chosen(options, DEFAULT_MODEL))
    except ExtractorError as error:
        flag = "--model" if options.checkpoint is None else f"--checkpoint {options.checkpoint}"
        raise CommandError(f"{flag}: {str(error).removeprefix('FeatureExtractor: ')}") from error
    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    images = find_files(options.images, problems)
    if not images:
        raise CommandError(f"{options.images}: not one image in it can be read")
    options.out.mkdir(parents=True, exist_ok=True)
    kept: list[SearchImage] = []

    def pixels() -> Iterator[Tensor]:
        for image, one in read_each(images, problems, workers=options.workers, progress=show_progress()):
            kept.append(image)
            yield one

    descriptors = extract(pixels())
    if not kept:
        raise CommandError(f"{options.images}: not one image in it can be read")
    weights = options.out / "descriptors.safetensors"
    with replacing(weights) as unfinished:
        save_file({"descriptors": descriptors.contiguous()}, unfinished)
    _write_index(options.out / "index.csv", kept)
    print(f"written: {weights} ({len(descriptors)} x {descriptors.shape[1]}), index.csv")
    return PARTIAL if problems else 0


def _write_index(path: Path, images: Sequence[SearchImage]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for row, image in enumerate(images):
            rows.writerow((row, image.name, _known(image.pid), _known(image.camid)))


def _known(label: int | None) -> str:
    return "" if label is None else str(label)
