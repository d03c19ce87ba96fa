"""What `reidops evaluate` found: printed, and written into a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidops_models.cli.console import print_table
from reidops_models.cli.pictures import Picture
from reidops_models.cli.ranks import ranked_probe
from reidops_models.cli.scores import RANKS, RATES, score_note, score_rows, verification_rows

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.evaluation import RankingResult, VerificationResult
    from reidops_models.matching import Matcher

CURVE = 20  # ranks of the CMC curve


@dataclass(frozen=True)
class Evaluation:
    """The methods of one model on one probe set.

    Attributes:
        title: what was searched in what.
        facts: about the model and the data.
        probes, gallery: the pictures.
        matchers: by name.
        distances: (P, G), by the matcher's name.
        results: by the matcher's name.
        verifications: by the matcher's name.
    """

    title: str
    facts: Mapping[str, Any]
    probes: Sequence[Picture]
    gallery: Sequence[Picture]
    matchers: Mapping[str, Matcher]
    distances: Mapping[str, Tensor]
    results: Mapping[str, RankingResult]
    verifications: Mapping[str, VerificationResult]

    @property
    def note(self) -> str:
        """What the scores rest on."""
        return score_note(next(iter(self.results.values())), self._draws)

    @property
    def _draws(self) -> int:
        """Rows of a probe in each result."""
        return next(iter(self.results.values())).probes // len(self.probes)

    def print(self) -> None:
        """The tables on stdout."""
        header, *rows = score_rows(self.results)
        print_table(header, rows, title=self.title)
        header, *rows = verification_rows(self.verifications)
        print_table(header, rows, title="pairs verified")
        print(self.note)

    def write(self, out: Path, pictures: int) -> None:
        """evaluation.json, table.md, cmc.png, roc.png and report.html with `pictures` probes spread over all."""
        from reidops_models.evaluation import format_table, markdown_table
        from reidops_models.report import draw_cmc, draw_roc, write_report

        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(json.dumps(self._values(), indent=2) + "\n", encoding="utf-8")
        table = format_table(self.results, RANKS, style="markdown")
        rows = verification_rows(self.verifications)
        verified = markdown_table([[cell.replace("\n", " ") for cell in row] for row in rows])
        (out / "table.md").write_text(
            f"{self.title}\n\n{table}\n\n{verified}\n", encoding="utf-8", errors="backslashreplace"
        )
        curves = {name: [result.rank(k) for k in range(1, CURVE + 1)] for name, result in self.results.items()}
        draw_cmc(curves, out / "cmc.png")
        draw_roc({name: result.curve() for name, result in self.verifications.items()}, out / "roc.png")

        name, matcher = list(self.matchers.items())[-1]  # the paper's method in full
        shown = range(0, len(self.probes), max(1, len(self.probes) // pictures))[:pictures] if pictures else range(0)
        write_report(
            out / "report.html",
            [
                ranked_probe(matcher, self.probes[i], self.distances[name][i], self.gallery, market_rule=True)
                for i in shown
            ],
            title=self.title,
            facts={
                "lists and drawings by": name,
                "probes": f"{len(self.probes)} pictures, {len(shown)} drawn",
                "gallery": f"{len(self.gallery)} pictures",
            },
            tables=[score_rows(self.results), verification_rows(self.verifications)],
            notes=[self.note],
            figures={"CMC": out / "cmc.png", "ROC": out / "roc.png"},
        )

    def _values(self) -> dict[str, Any]:
        from reidops_models.evaluation import bootstrap_interval, verification_interval

        metrics = [*(f"r{k}" for k in RANKS), "mAP", "mINP"]
        return {
            **self.facts,
            "methods": {
                name: {
                    **{metric: vars(bootstrap_interval(result, metric)) for metric in metrics},
                    "cmc": [result.rank(k) for k in range(1, CURVE + 1)],
                    "tpr at fpr": {
                        f"{rate:g}": vars(verification_interval(self.verifications[name], rate)) for rate in RATES
                    },
                    "eer": self.verifications[name].eer,
                    "probes without a right picture": result.invalid_probes // self._draws,
                }
                for name, result in self.results.items()
            },
        }
