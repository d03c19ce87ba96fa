"""`reidops match`: rank the images of a gallery by their distance to each probe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import (
    add_model_arguments,
    load_chosen,
    matching_options,
    natural_number,
    positive_int,
)
from reidops_models.cli.console import FAILED, PARTIAL, complain, print_table, show_progress
from reidops_models.cli.parser import CommandParser

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.checkpoint import Checkpoint
    from reidops_models.matching import Matcher
    from reidops_models.retrieval.images import Problems, SearchImage
    from reidops_models.retrieval.ranking import RankedList

SUMMARY = "rank real image files of any size"
DESCRIPTION = """\
Rank the images of a gallery by their distance to each probe, nearest first.
Probes may show parts of people; images may have any size.

Where all files are named as in Market-1501 (0002_c1s1_000451_03.jpg: identity
2, camera 1), rank-1 and mAP are reported too, by Market-1501's rule: images of
the probe's person from the probe's camera do not count.
"""
EXAMPLES = """\
examples:
  reidops match --probe crop.jpg --gallery people/
  reidops match --probe crops/ --gallery people/ --out matches --top 10
  reidops match --probe crops/ --gallery people/ --scales 1 --compare histogram
  reidops match --probe crops/ --gallery people/ --checkpoint runs/demo/model
  reidops match --probe crops/ --gallery people/ --model stnreid --metric cosine
  reidops match --probe crops/ --gallery people/ --model csn --out matches
  reidops match --probe crops/ --gallery people/ --model dpti --out matches

In --out: matches.csv (columns probe, rank, gallery, distance; one line per
match, written probe by probe), matches.json (the facts: model, checkpoint,
options, counts, problems), and report.html (images, and how the best match was
made). The terminal shows the first 3 ranks of each probe at most. The exit code
is 1 where a result is missing, 2 where all are.
"""

SHOWN_RANKS = 3  # in the table on the terminal
SHOWN_PROBES = 20  # where the rest is in a file


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--probe", type=Path, required=True, metavar="FILE_OR_DIR", help="images to look for")
    parser.add_argument("--gallery", type=Path, required=True, metavar="DIR", help="images to search in")
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write matches.csv, matches.json and report.html")
    parser.add_argument(
        "--top",
        type=positive_int,
        default=100,
        metavar="K",
        help="keep the first K ranks of each probe (default: %(default)s)",
    )
    parser.add_argument(
        "--pictures",
        type=natural_number,
        default=50,
        metavar="N",
        help="probes drawn in the report (default: %(default)s)",
    )
    parser.add_argument("--compare", choices=["histogram"], help="score a baseline too, where identities are known")


def run(options: argparse.Namespace) -> int:
    from reidops_models.retrieval.images import Problems, find_images
    from reidops_models.retrieval.matches import MatchesWriter
    from reidops_models.retrieval.model import with_matching
    from reidops_models.retrieval.ranking import find_gallery, rank_probes

    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    loaded = load_chosen(options)
    checkpoint = with_matching(loaded, matching_options(options, loaded.paper))
    gallery = find_gallery(options.gallery, problems)
    probes = find_images(options.probe, problems)
    matcher = checkpoint.methods([image.size for image in gallery]).main
    ranking = rank_probes(matcher, probes, gallery, problems, top=options.top, progress=show_progress())
    found = []
    if options.out is None:
        found = list(ranking)
    else:
        with MatchesWriter(options.out) as matches:
            for ranked in ranking:
                found.append(ranked)
                matches.write(ranked)
            matches.finish(_facts(options, checkpoint, matcher, len(probes), found, gallery, problems))

    _print_ranks(found, limit=SHOWN_PROBES if options.out else None)
    table, note = _scores(options, matcher, found, gallery)
    if table:
        print_table(table[0], table[1:])
        print(note)
    if options.out is not None:
        _write_report(options, matcher, found, gallery, table, [note] if note else [], problems)
        print(f"written: {options.out / 'matches.csv'}, matches.json, report.html")
    if not problems:
        return 0
    return PARTIAL if found else FAILED


def _facts(
    options: argparse.Namespace,
    checkpoint: Checkpoint,
    matcher: Matcher,
    probes: int,
    found: Sequence[RankedList],
    gallery: Sequence[SearchImage],
    problems: Problems,
) -> dict[str, object]:
    matching = checkpoint.recipe.model_dump(mode="json").get("matching", {})
    return {
        "model": checkpoint.recipe.model,
        "method": matcher.name,
        "checkpoint": options.checkpoint or "shipped with the package",
        "options": {name: matching[name] for name in checkpoint.paper.matching_options()},
        "top": options.top,
        "probes": probes,
        "probes matched": len(found),
        "gallery": len(gallery),
        "problems": [problem.message for problem in problems],
        "passed over": problems.notes,
    }


def _print_ranks(found: Sequence[RankedList], limit: int | None) -> None:
    lines = [
        (ranked.probe.name if match.rank == 1 else "", str(match.rank), match.name, f"{match.distance:.4f}")
        for ranked in found[:limit]
        for match in ranked.matches[:SHOWN_RANKS]
    ]
    if lines:
        print_table(("probe", "rank", "gallery", "distance"), lines)
    if limit is not None and len(found) > limit:
        print(f"... and {len(found) - limit} probes more in matches.csv")


def _scores(
    options: argparse.Namespace, matcher: Matcher, found: Sequence[RankedList], gallery: Sequence[SearchImage]
) -> tuple[list[list[str]], str]:
    """The table of scores and its note, both empty where it is not known who is who."""
    import torch

    from reidops_models.retrieval.scores import score, score_note, score_rows

    if not found:
        return [], ""
    probes = [ranked.probe for ranked in found]
    methods = {matcher.name: torch.stack([ranked.distances for ranked in found])}
    if options.compare:
        name, distances = _histogram(probes, gallery)
        methods[name] = distances
    scores = {name: result for name, row in methods.items() if (result := score(row, probes, gallery)) is not None}
    return (score_rows(scores), score_note(scores[matcher.name])) if scores else ([], "")


def _histogram(probes: Sequence[SearchImage], gallery: Sequence[SearchImage]) -> tuple[str, Tensor]:
    """The baseline's name and (P, G) distances."""
    from reidops_models.matching.histogram import HistogramMatcher

    baseline = HistogramMatcher()
    embedded = [baseline.embed(image.read() for image in side) for side in (probes, gallery)]
    return baseline.name, baseline.distances(*embedded)


def _write_report(
    options: argparse.Namespace,
    matcher: Matcher,
    found: Sequence[RankedList],
    gallery: Sequence[SearchImage],
    table: Sequence[Sequence[str]],
    notes: Sequence[str],
    problems: Problems,
) -> None:
    from reidops_models.report import write_report
    from reidops_models.retrieval.ranking import drawn_probe

    shown = min(len(found), options.pictures)
    limit = [f"The first {shown} of {len(found)} probes are drawn."] if shown < len(found) else []
    write_report(
        options.out / "report.html",
        [drawn_probe(matcher, ranked.probe, ranked.distances, gallery, options.top) for ranked in found[:shown]],
        title=f"{options.probe.resolve().name} in {options.gallery.resolve().name}",
        facts={
            "matcher": matcher.name,
            "checkpoint": str(options.checkpoint or "shipped with the package"),
            "probes": f"{len(found)} image{'s' if len(found) != 1 else ''}",
            "gallery": f"{len(gallery)} image{'s' if len(gallery) != 1 else ''}",
        },
        tables=[table] if table else [],
        notes=[*notes, *limit, *(problem.message for problem in problems), *problems.notes],
    )
