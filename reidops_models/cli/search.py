"""`reidops search`: rank the pictures of a gallery that lasts by their distance to each probe."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from reidops_models.cli.answers import add_answer_arguments, answer
from reidops_models.cli.arguments import (
    add_model_arguments,
    add_ray_argument,
    finite_number,
    gpus_of_workers,
    load_named,
    matching_options,
    positive_int,
)
from reidops_models.cli.console import CommandError, complain, show_progress
from reidops_models.cli.parser import CommandParser

SUMMARY = "rank the images of a gallery made by index"
DESCRIPTION = """\
Rank the images of a gallery, which `reidops index` made, by their distance to
each probe, nearest first: as `reidops match` does with a folder, but without
embedding the gallery again, and in memory that does not grow with it.
"""
EXAMPLES = """\
examples:
  reidops search --gallery people.lance --probe crop.jpg
  reidops search --gallery people.lance --probe crops/ --top 10 --out matches
  reidops search --gallery people.lance --probe crops/ --threshold fpr=0.01
  reidops search --gallery people.lance --probe crops/ --checkpoint runs/demo/model
  reidops search --gallery people.lance --probe crops/ --ray 10.0.0.1:6379

The checkpoint must be the one that made the gallery; the shipped one of its
model is found without --checkpoint. In --out are the files of `reidops match`.
--threshold is a distance, or the false positive rate that the gallery's
calibration turns into one (reidops gallery calibrate). With --ray all machines
must see the gallery under the same path; the answers are the same.
"""


class Rate(NamedTuple):
    """A false positive rate, of which a calibration makes a distance."""

    fpr: float


def distance_or_rate(text: str) -> float | Rate:
    """An argparse type: `0.15`, or `fpr=0.01`."""
    if not text.startswith("fpr="):
        return finite_number(text)
    rate = finite_number(text.removeprefix("fpr="))
    if not 0 < rate < 1:
        raise argparse.ArgumentTypeError(f"expected a rate above 0 and below 1, got {text!r}")
    return Rate(rate)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--gallery", required=True, metavar="GALLERY", help="what `reidops index` made")
    parser.add_argument("--probe", type=Path, required=True, metavar="FILE_OR_DIR", help="images to look for")
    add_model_arguments(parser)
    add_answer_arguments(parser, distance_or_rate, "DISTANCE|fpr=RATE")
    parser.add_argument(
        "--shortlist",
        type=positive_int,
        metavar="K",
        help="compare only the K pictures with the nearest descriptors (default: all)",
    )
    add_ray_argument(parser)


def run(options: argparse.Namespace) -> int:
    from reidops_models.gallery import Gallery
    from reidops_models.retrieval.images import Problems, find_images
    from reidops_models.retrieval.model import matching_facts, with_matching

    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    gpus = None
    if options.ray is not None:
        if options.shortlist is not None:
            raise CommandError("--shortlist: a search with --ray compares all pictures; leave out one of the two")
        gpus, options.device = gpus_of_workers(options.device), "cpu"
    gallery = Gallery.open(options.gallery, load_named(options), device=options.device)
    matching = matching_options(options, gallery.checkpoint.paper)
    matcher = gallery.matcher(matching)
    if isinstance(options.threshold, Rate):
        options.threshold = gallery.threshold_at(options.threshold.fpr, matching)
    probes = find_images(options.probe, problems)
    facts: dict[str, Any] = {
        "model": gallery.facts.model,
        "method": matcher.name,
        "checkpoint": options.checkpoint or "shipped with the package",
        "options": matching_facts(with_matching(gallery.checkpoint, matching)),
        **({} if options.shortlist is None else {"shortlist": options.shortlist}),
    }
    kept: dict[str, Any] = {"top": options.top, "threshold": options.threshold, "progress": show_progress()}
    with ExitStack() as stack:
        if options.ray is None:
            ranking = gallery.rank(probes, problems, matcher=matcher, shortlist=options.shortlist, **kept)
        else:
            from reidops_models.distributed import ShardedGallery, connected

            stack.enter_context(connected(options.ray))
            shards = stack.enter_context(ShardedGallery(gallery, matching, gpus=gpus))
            ranking = shards.rank(probes, problems, **kept)
        return answer(options, ranking, matcher, gallery, problems, facts, probes=len(probes))
