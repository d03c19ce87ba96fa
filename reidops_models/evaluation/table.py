"""Tables of results, for a terminal and for a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from reidops_models.evaluation.bootstrap import bootstrap_interval
from reidops_models.evaluation.ranking import DEFAULT_RANKS, RankingResult

__all__ = ["format_table", "markdown_table"]


def format_table(
    results: Mapping[str, RankingResult],
    ranks: Sequence[int] = DEFAULT_RANKS,
    style: Literal["text", "markdown"] = "text",
    *,
    intervals: bool = True,
    samples: int = 1000,
    seed: int = 0,
) -> str:
    """CMC, mAP and mINP in per cent, a row for each method, with 95 % bootstrap intervals over identities.

    Below the table stands what the numbers rest on: how many probes and identities, the definition of mAP, and what
    was left out or had no distance.

    Args:
        results: by the method's name, in the order of the rows.
        ranks: at which the CMC is given.
        style: `text` for a terminal, `markdown` for a document.
        intervals: write them.
        samples, seed: of the bootstrap.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_ranking
        >>> result = evaluate_ranking(torch.tensor([[0.1, 0.9]]), [1], [1, 2])
        >>> print(format_table({"DSR": result}, ranks=(1, 5), intervals=False))
        method     r1     r5    mAP   mINP
        DSR     100.0  100.0  100.0  100.0
        <BLANKLINE>
        1 probe of 1 identity; mAP by the step definition.
    """
    if style not in ("text", "markdown"):
        raise ValueError(f"format_table: style must be text or markdown, got {style!r}")
    metrics = [*(f"r{k}" for k in ranks), "mAP", "mINP"]
    rows = [["method", *metrics]]
    for name, result in results.items():
        rows.append([name, *(_cell(result, metric, intervals, samples, seed) for metric in metrics)])
    lines = [markdown_table(rows)] if style == "markdown" else _text(rows)
    return "\n".join([*lines, "", *_notes(results, intervals)])


def _cell(result: RankingResult, metric: str, interval: bool, samples: int, seed: int) -> str:
    if not interval:
        return f"{100 * bootstrap_interval(result, metric, samples=1).value:.1f}"
    found = bootstrap_interval(result, metric, samples, seed)
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _text(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in Markdown: the first is the header, all columns but the first are to the right.

    Example:
        >>> print(markdown_table([["method", "r1"], ["DSR", "50.0"]]))
        | method | r1 |
        | --- | ---: |
        | DSR | 50.0 |
    """
    rule = ["---", *("---:" for _ in rows[0][1:])]
    lines = (" | ".join(cell.replace("|", chr(92) + "|") for cell in row) for row in [rows[0], rule, *rows[1:]])
    return "\n".join(f"| {line} |" for line in lines)


def _notes(results: Mapping[str, RankingResult], intervals: bool) -> list[str]:
    """One line for all methods that rest on the same, or a line for each method."""
    notes = {name: _note(result) for name, result in results.items()}
    lines = (
        [next(iter(notes.values()))] if len(set(notes.values())) == 1 else [f"{n}: {note}" for n, note in notes.items()]
    )
    if intervals and results:
        lines.append("In brackets: 95 % bootstrap intervals over identities.")
    return lines


def _note(result: RankingResult) -> str:
    def count(number: int, one: str, many: str) -> str:
        return f"{number} {one if number == 1 else many}"

    identities = len(np.unique(result.probe_pids))
    parts = [
        f"{count(result.probes, 'probe', 'probes')} of {count(identities, 'identity', 'identities')}",
        f"mAP by the {result.definition} definition",
    ]
    if result.invalid_probes:
        parts.append(f"{count(result.invalid_probes, 'probe', 'probes')} without a right gallery image, in no mean")
    if result.nan_distances:
        parts.append(f"{count(result.nan_distances, 'pair', 'pairs')} without a distance (NaN), ranked last")
    return "; ".join(parts) + "."
