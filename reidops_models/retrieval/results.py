"""What an evaluation found: typed results, tables and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from reidops_models.evaluation import (
    Interval,
    RankingResult,
    VerificationResult,
    bootstrap_interval,
    format_table,
    markdown_table,
    verification_interval,
)
from reidops_models.files import replacing
from reidops_models.matching import Matcher
from reidops_models.report import draw_cmc, draw_roc, write_report
from reidops_models.retrieval.drawing import DRAWN_RANKS, drawn_probe
from reidops_models.retrieval.images import ImageFile
from reidops_models.retrieval.ranked_lists import Ranker
from reidops_models.retrieval.scores import RANKS, RATES, score_note, score_rows, verification_rows

CURVE = 20  # ranks of the CMC curve


@dataclass(frozen=True)
class MethodResult:
    """What one method found.

    Attributes:
        name: of the method.
        matcher: the method.
        distances: (P, G) float32.
        ranking: ranks and precisions of each probe.
        verification: the pairs, each of one person or of two.
    """

    name: str
    matcher: Matcher
    distances: Tensor
    ranking: RankingResult
    verification: VerificationResult

    @property
    def cmc(self) -> list[float]:
        """Shares in [0, 1] of the probes whose first right image is at rank 1, up to rank 2, ..., up to rank 20."""
        return [self.ranking.rank(k) for k in range(1, CURVE + 1)]

    @property
    def mAP(self) -> Interval:  # noqa: N802 - so the field writes it
        """Mean average precision in [0, 1] with its 95 % interval."""
        return bootstrap_interval(self.ranking, "mAP")

    @property
    def mINP(self) -> Interval:  # noqa: N802 - so the field writes it
        """Mean inverse negative penalty in [0, 1] with its 95 % interval."""
        return bootstrap_interval(self.ranking, "mINP")

    def rank(self, k: int) -> Interval:
        """The share in [0, 1] of probes with a right image among the first `k`, with its 95 % interval."""
        return bootstrap_interval(self.ranking, f"r{k}")

    def tpr(self, fpr: float) -> Interval:
        """The share in [0, 1] of right pairs that is accepted where `fpr` of the wrong pairs are."""
        return verification_interval(self.verification, fpr)


@dataclass(frozen=True)
class Evaluation:
    """The methods of one model on one probe set. Iterating gives the methods, in the order of the table.

    Attributes:
        title: what was searched in what.
        facts: about the model and the data.
        probes, gallery: the images.
        methods: what each method found; the paper's method in full comes last, where it was chosen.
        draws: how often the gallery's images were drawn; 1 where all images were ranked.
    """

    title: str
    facts: Mapping[str, Any]
    probes: Sequence[ImageFile]
    gallery: Sequence[ImageFile]
    methods: Sequence[MethodResult]
    draws: int = 1

    def __iter__(self) -> Iterator[MethodResult]:
        return iter(self.methods)

    def __getitem__(self, name: str) -> MethodResult:
        """The result of the method called `name`, such as "DSR multi-scale"."""
        for method in self.methods:
            if method.name == name:
                return method
        raise KeyError(f"no method {name!r}; known: {', '.join(method.name for method in self.methods)}")

    @property
    def note(self) -> str:
        """What the scores rest on, in one line."""
        return score_note(self.methods[0].ranking, self.draws)

    def ranking_table(self) -> list[list[str]]:
        """Rank-k, mAP and mINP in per cent with intervals: a header, then a row per method."""
        return score_rows({method.name: method.ranking for method in self.methods})

    def verification_table(self) -> list[list[str]]:
        """True positive rates and equal error rates in per cent: a header, then a row per method."""
        return verification_rows({method.name: method.verification for method in self.methods})

    def values(self) -> dict[str, Any]:
        """All results as plain values, as `evaluation.json` has them."""
        return {**self.facts, "methods": {method.name: self._method_values(method) for method in self.methods}}

    def write(self, folder: str | Path, images: int = 12) -> None:
        """Write `evaluation.json`, `table.md`, `cmc.png`, `roc.png` and `report.html`.

        Args:
            folder: is made where it is missing.
            images: probes that the report draws, spread over all.
        """
        out = Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        _write_text(out / "evaluation.json", json.dumps(self.values(), indent=2) + "\n")
        _write_text(out / "table.md", f"{self.title}\n\n{self._markdown()}\n")
        draw_cmc({method.name: method.cmc for method in self.methods}, out / "cmc.png")
        draw_roc({method.name: method.verification.curve() for method in self.methods}, out / "roc.png")

        method = self.methods[-1]
        step = max(1, len(self.probes) // images) if images else 1
        shown = range(0, len(self.probes), step)[:images]
        rank = Ranker(self.gallery, top=DRAWN_RANKS, market_rule=True)
        write_report(
            out / "report.html",
            [drawn_probe(method.matcher, rank(self.probes[i], method.distances[i]), self.gallery) for i in shown],
            title=self.title,
            facts={
                "lists and drawings by": method.name,
                "probes": f"{len(self.probes)} images, {len(shown)} drawn",
                "gallery": f"{len(self.gallery)} images",
            },
            tables=[self.ranking_table(), self.verification_table()],
            notes=[self.note],
            figures={"CMC": out / "cmc.png", "ROC": out / "roc.png"},
        )

    def _markdown(self) -> str:
        ranking = format_table({method.name: method.ranking for method in self.methods}, RANKS, style="markdown")
        rows = [[cell.replace("\n", " ") for cell in row] for row in self.verification_table()]
        return f"{ranking}\n\n{markdown_table(rows)}"

    def _method_values(self, method: MethodResult) -> dict[str, Any]:
        return {
            **{f"r{k}": vars(method.rank(k)) for k in RANKS},
            "mAP": vars(method.mAP),
            "mINP": vars(method.mINP),
            "cmc": method.cmc,
            "tpr at fpr": {f"{rate:g}": vars(method.tpr(rate)) for rate in RATES},
            "eer": method.verification.eer,
            "probes without a right picture": method.ranking.invalid_probes // self.draws,
        }


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")  # a file name may not be UTF-8
