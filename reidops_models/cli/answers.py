"""What a search answers: the ranks on the terminal, the files of `--out`, and the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidops_models.cli.arguments import finite_number, natural_number, positive_int
from reidops_models.cli.console import FAILED, PARTIAL, print_table

if TYPE_CHECKING:
    from reidops_models.matching import Matcher
    from reidops_models.report import RankedProbe
    from reidops_models.retrieval.drawing import SearchedImages
    from reidops_models.retrieval.images import Problems
    from reidops_models.retrieval.ranked_lists import RankedList

SHOWN_RANKS = 3  # in the table on the terminal
SHOWN_PROBES = 20  # where the rest is in a file

Scores = tuple[list[list[str]], str]  # a table and its note, both empty where it is not known who is who


def add_answer_arguments(
    parser: argparse.ArgumentParser, threshold: Callable[[str], object] = finite_number, which: str = "DISTANCE"
) -> None:
    """How much is answered, and where it is written.

    Args:
        parser: of the command.
        threshold: reads the value of --threshold.
        which: what that value is.
    """
    parser.add_argument("--out", type=Path, metavar="DIR", help="write matches.csv, matches.json and report.html")
    parser.add_argument(
        "--top",
        type=positive_int,
        default=100,
        metavar="K",
        help="keep the first K ranks of each probe (default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=threshold,
        metavar=which,
        help="call a probe unknown whose nearest image is farther (default: no probe is)",
    )
    parser.add_argument(
        "--pictures",
        type=natural_number,
        default=50,
        metavar="N",
        help="probes drawn in the report (default: %(default)s)",
    )


def answer(
    options: argparse.Namespace,
    ranking: Iterable[RankedList],
    matcher: Matcher,
    gallery: SearchedImages,
    problems: Problems,
    facts: Mapping[str, Any],
    *,
    probes: int,
    scores: Callable[[], Scores] = lambda: ([], ""),
    remark: Callable[[], str] = lambda: "",
) -> int:
    """Draw the lists, write each as soon as it is there, and tell the rest when all are.

    Args:
        options: with `probe` and `gallery`, the paths that the user typed, and what `add_answer_arguments` adds.
        ranking: the lists, made while they are drawn; their thresholds are that of `options`.
        matcher: what made the distances. It explains the matches that the report draws.
        gallery: the images that were searched, by their `index` in a list.
        problems: the images that were left out, all known when `ranking` has ended.
        facts: the first of those in `matches.json`, with `checkpoint`.
        probes: how many images were looked for.
        scores: the table under the ranks; is called when `ranking` has ended.
        remark: one line more, or none; is called then, too.

    Returns:
        The exit code: 0, or `PARTIAL` where an image was left out, or `FAILED` where no probe has a list.
    """
    from reidops_models.retrieval.matches import MatchesWriter

    found = []
    if options.out is None:
        found = list(ranking)
    else:
        with MatchesWriter(options.out, answers=options.threshold is not None) as matches:
            for ranked in ranking:
                found.append(ranked)
                matches.write(ranked)
            remarks = {"remark": line} if (line := remark()) else {}
            matches.finish({**facts, **_counts(options, found, gallery, problems, probes), **remarks})

    _print_ranks(found, SHOWN_PROBES if options.out else None, options.threshold is not None)
    table, note = scores()
    if table:
        print_table(table[0], table[1:])
    notes = [line for line in (note, remark()) if line]
    print(*notes, sep="\n", end="\n" if notes else "")
    if options.out is not None:
        path = options.out / "report.html"
        _write_report(path, options, found, matcher, gallery, problems, facts, table, notes)
        print(f"written: {options.out / 'matches.csv'}, matches.json, report.html")
    if not problems:
        return 0
    return PARTIAL if found else FAILED


def _counts(
    options: argparse.Namespace,
    found: Sequence[RankedList],
    gallery: SearchedImages,
    problems: Problems,
    probes: int,
) -> dict[str, Any]:
    unknown = sum(ranked.unknown for ranked in found)
    judged = {} if options.threshold is None else {"threshold": options.threshold, "probes unknown": unknown}
    return {
        "top": options.top,
        "probes": probes,
        "probes matched": len(found),
        **judged,
        "gallery": len(gallery),
        "problems": [problem.message for problem in problems],
        "passed over": problems.notes,
    }


def _print_ranks(found: Sequence[RankedList], limit: int | None, judged: bool) -> None:
    from reidops_models.retrieval.matches import COLUMNS, answer_of

    lines = []
    for ranked in found[:limit]:
        for match in ranked.matches[:SHOWN_RANKS]:
            first = match.rank == 1
            line = (ranked.probe.name if first else "", str(match.rank), match.name, f"{match.distance:.4f}")
            lines.append((*line, answer_of(ranked) if first else "") if judged else line)
    if lines:
        print_table((*COLUMNS, "answer") if judged else COLUMNS, lines)
    if limit is not None and len(found) > limit:
        print(f"... and {len(found) - limit} probes more in matches.csv")


def _write_report(
    path: Path,
    options: argparse.Namespace,
    found: Sequence[RankedList],
    matcher: Matcher,
    gallery: SearchedImages,
    problems: Problems,
    facts: Mapping[str, Any],
    table: Sequence[Sequence[str]],
    notes: Sequence[str],
) -> None:
    from reidops_models.report import write_report
    from reidops_models.retrieval.drawing import drawn_probe

    shown = min(len(found), options.pictures)
    unknown = sum(ranked.unknown for ranked in found)
    judged = {}
    if options.threshold is not None:
        judged = {"threshold": f"{options.threshold:g}", "unknown": f"{unknown} of {len(found)} probes"}
    drawn = [drawn_probe(matcher, ranked, gallery) for ranked in found[:shown]]
    limit = [f"The first {shown} of {len(found)} probes are drawn."] if shown < len(found) else []
    write_report(
        path,
        drawn,
        title=f"{options.probe.resolve().name} in {Path(options.gallery).resolve().name}",
        facts={
            "matcher": matcher.name,
            "checkpoint": str(facts["checkpoint"]),
            "probes": f"{len(found)} image{'s' if len(found) != 1 else ''}",
            "gallery": f"{len(gallery)} image{'s' if len(gallery) != 1 else ''}",
            **judged,
        },
        tables=[table] if table else [],
        notes=[
            *notes,
            *limit,
            *_lost(drawn),
            *(problem.message for problem in problems),
            *problems.notes,
        ],
    )


def _lost(drawn: Sequence[RankedProbe]) -> list[str]:
    """A note on the gallery images that have no pixels in the report."""
    from reidops_models.weights import listed

    lost = sorted({match.name for probe in drawn for match in probe.ranked if match.image is None})
    if not lost:
        return []
    lines = [f"{name}: its file cannot be read any more" for name in lost[:1]]
    if len(lost) > 1:
        lines = [f"The files of {len(lost)} gallery images cannot be read any more: {listed(lost)}"]
    return [f"{lines[0]}. Such an image is not drawn, and no match with it is explained."]
