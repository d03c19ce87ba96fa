"""A paper's table beside ours: rows, verdicts and figures, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from reidops_models.evaluation import (
    RankingResult,
    VerificationResult,
    bootstrap_interval,
    markdown_table,
    pool_rankings,
    pool_verifications,
    verification_interval,
)
from reidops_models.reproduction.claims import Claim, Comparison, judge

CURVE = 20  # ranks of a CMC curve
FALSE_POSITIVE_RATES = (0.001, 0.01, 0.1)


@dataclass(frozen=True)
class Row:
    """A method: what each seed gave, and what the paper printed.

    Attributes:
        name: of the row.
        results: a ranking for each seed.
        verification: pairs for each seed, where the table has a ROC curve.
        published: the paper's numbers, in per cent, by the heading of a group of columns; in the order of `ranks`.
    """

    name: str
    results: Sequence[RankingResult]
    verification: Sequence[VerificationResult] = ()
    published: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @cached_property
    def pooled(self) -> RankingResult:
        return pool_rankings(self.results)

    @cached_property
    def pooled_verification(self) -> VerificationResult:
        return pool_verifications(self.verification)


@dataclass(frozen=True)
class Table:
    """One table or figure of a paper, made again.

    Attributes:
        name: as the command calls it.
        title: what the paper's table is of.
        rows: methods.
        metrics: columns, of which the paper's groups of numbers have as many.
        claims: what the paper says of them.
        notes: what was decided, a sentence each.
        text: for a table that is no ranking (times): its Markdown, already written.
        values: what such a table holds, for the JSON file.
        figures: what else to look at, by name. Each is given a path and writes a PNG file there.
    """

    name: str
    title: str
    rows: Sequence[Row] = ()
    metrics: Sequence[str] = ("r1", "r3", "r5", "r10")
    claims: Sequence[Claim] = ()
    notes: Sequence[str] = ()
    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Callable[[Path], Path]] = field(default_factory=dict)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every claim with its verdict."""
        pooled = {row.name: row.pooled for row in self.rows}
        return [judge(claim, pooled) for claim in self.claims]

    def markdown(self) -> str:
        """The table, the ROC's table where there is one, the verdicts and the notes."""
        parts = [f"### {self.title}"]
        if self.text:
            parts.append(self.text)
        if self.rows:
            parts.append(markdown_table([self._header(), *(self._cells(row) for row in self.rows)]))
        verified = [row for row in self.rows if row.verification]
        if verified:
            header = ["pairs verified", *(f"TPR at FPR {100 * rate:g} %" for rate in FALSE_POSITIVE_RATES), "EER"]
            parts.append(markdown_table([header, *(_verified(row) for row in verified)]))
        for published, heading in ((True, "claim of the paper"), (False, "question of ours")):
            found = [one for one in self.comparisons if one.claim.published is published]
            if found:
                parts.append(markdown_table([[heading, "difference", "verdict"], *map(_compared, found)]))
        parts.extend(f"- {note}" for note in self.notes)
        return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"

    def write(self, folder: Path) -> list[Path]:
        """NAME.md, NAME.json, and NAME-cmc.png and NAME-roc.png where there are curves; returns what was written."""
        from reidops_models.report import draw_cmc, draw_roc

        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / f"{self.name}.md", folder / f"{self.name}.json"]
        written[0].write_text(self.markdown(), encoding="utf-8")
        written[1].write_text(json.dumps(self._values(), indent=1) + "\n", encoding="utf-8")
        if self.rows and "r10" in self.metrics:
            curves = {row.name: [row.pooled.rank(k) for k in range(1, CURVE + 1)] for row in self.rows}
            written.append(draw_cmc(curves, folder / f"{self.name}-cmc.png", ranks=CURVE))
        verified = {row.name: row.pooled_verification.curve() for row in self.rows if row.verification}
        if verified:
            written.append(draw_roc(verified, folder / f"{self.name}-roc.png"))
        written += [draw(folder / f"{self.name}-{name}.png") for name, draw in self.figures.items()]
        return written

    def _header(self) -> list[str]:
        groups = dict.fromkeys(group for row in self.rows for group in row.published)
        ranks = " ".join(self.metrics)
        return ["method", *self.metrics, "r1 of each seed", *(f"{group}: {ranks}" for group in groups)]

    def _cells(self, row: Row) -> list[str]:
        groups = dict.fromkeys(group for one in self.rows for group in one.published)
        cells = [row.name]
        for metric in self.metrics:
            found = bootstrap_interval(row.pooled, metric)
            cells.append(f"**{100 * found.value:.1f}** [{100 * found.low:.0f}, {100 * found.high:.0f}]")
        cells.append(" ".join(f"{100 * result.rank(1):.1f}" for result in row.results))
        for group in groups:
            cells.append(" ".join(f"{value:.1f}" for value in row.published.get(group, ())) or "–")
        return cells

    def _values(self) -> dict[str, Any]:
        return {
            "table": self.name,
            "title": self.title,
            "rows": [
                {
                    "method": row.name,
                    **{metric: vars(bootstrap_interval(row.pooled, metric)) for metric in self.metrics},
                    "r1 of each seed": [result.rank(1) for result in row.results],
                    "probes": int(row.pooled.valid.sum()),
                    "published": {group: list(numbers) for group, numbers in row.published.items()},
                }
                for row in self.rows
            ],
            "claims": [
                {
                    "claim": str(one.claim),
                    "published": one.claim.published,
                    "difference": vars(one.difference),
                    "verdict": one.verdict,
                }
                for one in self.comparisons
            ],
            "notes": list(self.notes),
            **self.values,
        }


def _verified(row: Row) -> list[str]:
    cells = [row.name]
    for rate in FALSE_POSITIVE_RATES:
        found = verification_interval(row.pooled_verification, rate)
        cells.append(f"{100 * found.value:.1f} [{100 * found.low:.0f}, {100 * found.high:.0f}]")
    return [*cells, f"{100 * row.pooled_verification.eer:.1f}"]


def _compared(one: Comparison) -> list[str]:
    found = one.difference
    return [
        str(one.claim),
        f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]",
        f"**{one.verdict}**",
    ]
