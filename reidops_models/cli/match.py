"""`reidops match`: rank the pictures of a gallery by their distance to each probe."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import add_model_arguments, load_model, natural_number, positive_int
from reidops_models.cli.console import FAILED, PARTIAL, CommandError, print_table
from reidops_models.cli.pictures import Picture, Problems, find_pictures, rank_pictures
from reidops_models.cli.ranks import ranked_names, ranked_probe

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.matching import Matcher

SUMMARY = "rank real picture files of any size"
DESCRIPTION = """\
Rank the pictures of a gallery by their distance to each probe, nearest first.
Probes may show parts of people; pictures may have any size.

Where all files are named as in Market-1501 (0002_c1s1_000451_03.jpg: identity
2, camera 1), rank-1 and mAP are reported too, by Market-1501's rule: pictures
of the probe's person from the probe's camera do not count.
"""
EXAMPLES = """\
examples:
  reidops match --probe crop.jpg --gallery people/
  reidops match --probe crops/ --gallery people/ --out matches --top 10
  reidops match --probe crops/ --gallery people/ --scales 1 --compare histogram
  reidops match --probe crops/ --gallery people/ --checkpoint runs/demo/model
  reidops match --probe crops/ --gallery people/ --model stnreid
  reidops match --probe crops/ --gallery people/ --model csn --out matches
  reidops match --probe crops/ --gallery people/ --model dpti --out matches

In --out: matches.csv (columns probe, rank, gallery, distance; one line a
match), matches.json (the same), and report.html (pictures, and how the best
match was made). The exit code is 1 where a result is missing, 2 where all are.
"""

SHOWN_RANKS = 3  # in the table on the terminal
SHOWN_PROBES = 20  # where the rest is in a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--probe", type=Path, required=True, metavar="FILE_OR_DIR", help="pictures to look for")
    parser.add_argument("--gallery", type=Path, required=True, metavar="DIR", help="pictures to search in")
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write matches.csv, matches.json and report.html")
    parser.add_argument("--top", type=positive_int, metavar="K", help="keep the first K ranks (default: all)")
    parser.add_argument(
        "--pictures",
        type=natural_number,
        default=50,
        metavar="N",
        help="probes drawn in the report (default: %(default)s)",
    )
    parser.add_argument("--compare", choices=["histogram"], help="score a baseline too, where identities are known")


def run(options: argparse.Namespace) -> int:
    import torch

    from reidops_models.cli.scores import score, score_note, score_rows
    from reidops_models.report import MatchesWriter

    problems = Problems()
    checkpoint = load_model(options)
    gallery = find_pictures(options.gallery, problems)
    if not gallery:
        raise CommandError(f"{options.gallery}: not one picture in it can be read")
    probes = find_pictures(options.probe, problems)
    matcher = checkpoint.methods([picture.size for picture in gallery]).main

    matched: list[Picture] = []
    rows: list[Tensor] = []
    ranking = rank_pictures(matcher, probes, gallery, problems)
    if options.out is None:
        for probe, distances in ranking:
            matched.append(probe)
            rows.append(distances)
    else:
        with MatchesWriter(options.out) as matches:
            for probe, distances in ranking:
                matched.append(probe)
                rows.append(distances)
                matches.write(probe.name, ranked_names(distances, gallery, options.top))

    _print_ranks(matched, rows, gallery, limit=SHOWN_PROBES if options.out else None)
    methods = {matcher.name: torch.stack(rows)} if rows else {}
    if rows and options.compare:
        name, distances = _histogram(matched, gallery)
        methods[name] = distances
    scores = {name: result for name, row in methods.items() if (result := score(row, matched, gallery)) is not None}
    table, note = [], ""
    if scores:
        table, note = score_rows(scores), score_note(scores[matcher.name])
        print_table(table[0], table[1:])
        print(note)
    if options.out is not None:
        _write_report(options, matcher, matched, rows, gallery, table, [note] if note else [], problems)
        print(f"written: {options.out / 'matches.csv'}, matches.json, report.html")
    if not problems.lines:
        return 0
    return PARTIAL if rows else FAILED


def _print_ranks(
    probes: Sequence[Picture], rows: Sequence[Tensor], gallery: Sequence[Picture], limit: int | None
) -> None:
    lines = []
    for probe, distances in list(zip(probes, rows, strict=True))[:limit]:
        for rank, (name, distance) in enumerate(ranked_names(distances, gallery, SHOWN_RANKS), start=1):
            lines.append((probe.name if rank == 1 else "", str(rank), name, f"{distance:.4f}"))
    if lines:
        print_table(("probe", "rank", "gallery", "distance"), lines)
    if limit is not None and len(probes) > limit:
        print(f"... and {len(probes) - limit} probes more in matches.csv")


def _histogram(probes: Sequence[Picture], gallery: Sequence[Picture]) -> tuple[str, Tensor]:
    """The baseline's name and (P, G) distances."""
    from reidops_models.histogram import HistogramMatcher

    baseline = HistogramMatcher()
    embedded = [baseline.embed(picture.read() for picture in side) for side in (probes, gallery)]
    return baseline.name, baseline.distances(*embedded)


def _write_report(
    options: argparse.Namespace,
    matcher: Matcher,
    probes: Sequence[Picture],
    rows: Sequence[Tensor],
    gallery: Sequence[Picture],
    table: Sequence[Sequence[str]],
    notes: Sequence[str],
    problems: Problems,
) -> None:
    from reidops_models.report import write_report

    shown = min(len(probes), options.pictures)
    limit = [f"The first {shown} of {len(probes)} probes are drawn."] if shown < len(probes) else []
    write_report(
        options.out / "report.html",
        [
            ranked_probe(matcher, probe, distances, gallery, options.top)
            for probe, distances in zip(probes[:shown], rows[:shown], strict=True)
        ],
        title=f"{options.probe.resolve().name} in {options.gallery.resolve().name}",
        facts={
            "matcher": matcher.name,
            "checkpoint": str(options.checkpoint or "shipped with the package"),
            "probes": f"{len(probes)} picture{'s' if len(probes) != 1 else ''}",
            "gallery": f"{len(gallery)} picture{'s' if len(gallery) != 1 else ''}",
        },
        tables=[table] if table else [],
        notes=[*notes, *limit, *problems.lines],
    )
