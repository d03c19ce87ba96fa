"""What an evaluation found: typed results, tables and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidops_models.evaluation import (
    Calibration,
    Interval,
    OpenSetResult,
    RankingResult,
    ShortlistResult,
    VerificationResult,
    bootstrap_interval,
    format_table,
    markdown_table,
    reliability,
    verification_interval,
)
from reidops_models.files import replacing
from reidops_models.matching import DistanceTable, Matcher
from reidops_models.report import draw_cmc, draw_reliability, draw_roc, write_report
from reidops_models.retrieval.distance_files import DistanceFile
from reidops_models.retrieval.drawing import DRAWN_RANKS, drawn_probe
from reidops_models.retrieval.images import ImageFile
from reidops_models.retrieval.method_values import method_values
from reidops_models.retrieval.ranked_lists import Ranker
from reidops_models.retrieval.scores import (
    RANKS,
    Labels,
    calibrated_rows,
    open_set_rows,
    score_note,
    score_rows,
    shortlist_rows,
    threshold_rows,
    verification_rows,
)

CURVE = 20  # ranks of the CMC curve


@dataclass(frozen=True)
class MethodResult:
    """What one method found.

    Attributes:
        name: of the method.
        distances: (P, G) float32, read some rows at a time: they may lie in a file.
        ranking: ranks and precisions of each probe.
        verification: the pairs, each of one person or of two.
        open_set: whether each probe's person is in the gallery, and its nearest image.
        matcher: the method; None where only its distances are known.
        calibration: what its distances mean, made on other people, or None.
        shortlist: what the shortlists of a method of two stages kept; None where every pair has a distance.
        remark: one line on how the distances were made, or none.
    """

    name: str
    distances: DistanceTable
    ranking: RankingResult
    verification: VerificationResult
    open_set: OpenSetResult
    matcher: Matcher | None = None
    calibration: Calibration | None = None
    shortlist: ShortlistResult | None = None
    remark: str = ""

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

    def threshold(self, fpr: float) -> float:
        """The largest distance that accepts no more than the share `fpr` of the wrong pairs, to one part in 2048."""
        return self.verification.threshold_at(fpr)


@dataclass(frozen=True)
class Evaluation:
    """The methods of one model on one probe set. Iterating gives the methods, in the order of the table.

    Attributes:
        title: what was searched in what.
        facts: about the model and the data.
        methods: what each method found; the paper's method in full comes last, where it was chosen.
        labels: who is on the images.
        probes, gallery: the images; empty where only distances are known.
        draws: how often the gallery's images were drawn; 1 where all images were ranked.
        names: of probes and gallery, where there are no images.
    """

    title: str
    facts: Mapping[str, Any]
    methods: Sequence[MethodResult]
    labels: Labels
    probes: Sequence[ImageFile] = ()
    gallery: Sequence[ImageFile] = ()
    draws: int = 1
    names: tuple[Sequence[str], Sequence[str]] = ((), ())

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
        return "  ".join([score_note(self.methods[0].ranking, self.draws), *(one.remark for one in self if one.remark)])

    def ranking_table(self) -> list[list[str]]:
        """Rank-k, mAP and mINP in per cent with intervals: a header, then a row per method."""
        return score_rows({method.name: method.ranking for method in self.methods})

    def verification_table(self) -> list[list[str]]:
        """True positive rates and equal error rates in per cent: a header, then a row per method."""
        return verification_rows({method.name: method.verification for method in self.methods})

    def threshold_table(self) -> list[list[str]]:
        """Distances at false positive rates: a header, then a row per method."""
        return threshold_rows({method.name: method.verification for method in self.methods})

    def open_set_table(self) -> list[list[str]]:
        """Detection and identification rates at false alarm rates: a header, then a row per method. Empty where every
        probe has a right image in the gallery."""
        results = {method.name: method.open_set for method in self.methods}
        return open_set_rows(results) if self.methods[0].open_set.unknown_probes else []

    def shortlist_table(self) -> list[list[str]]:
        """The share of the right images that shortlists kept: a header, then a row per method that has them."""
        found = {method.name: method.shortlist for method in self.methods if method.shortlist is not None}
        return shortlist_rows(found) if found else []

    def calibrated_table(self) -> list[list[str]]:
        """What the thresholds of calibrations do here: a header, then a row per method that has one, or nothing."""
        found = {one.name: (one.calibration, one.verification) for one in self if one.calibration is not None}
        return calibrated_rows(found) if found else []

    def tables(self) -> dict[str, list[list[str]]]:
        """All tables that have something to say, by title."""
        strangers = self.methods[0].open_set.unknown_probes
        found = {
            self.title: self.ranking_table(),
            "shortlists": self.shortlist_table(),
            "pairs verified": self.verification_table(),
            "thresholds": self.threshold_table(),
            f"open set: {strangers} probe{'s' * (strangers != 1)} of strangers": self.open_set_table(),
            "thresholds of the calibration, on these people": self.calibrated_table(),
        }
        return {title: rows for title, rows in found.items() if rows}

    def values(self) -> dict[str, Any]:
        """All results as plain values, as `evaluation.json` has them."""
        return {**self.facts, "methods": {method.name: method_values(method, self.draws) for method in self.methods}}

    def distance_file(self) -> DistanceFile:
        """The distances of all methods with the labels and names of the images, for `write_distances` and
        `write_trec`."""
        return DistanceFile(
            {method.name: method.distances for method in self.methods},
            self.labels,
            self.probe_names,
            self.gallery_names,
        )

    @property
    def probe_names(self) -> Sequence[str]:
        """What the probes are called."""
        return [image.name for image in self.probes] or self.names[0]

    @property
    def gallery_names(self) -> Sequence[str]:
        """What the gallery's images are called."""
        return [image.name for image in self.gallery] or self.names[1]

    def write(self, folder: str | Path, images: int = 12) -> None:
        """Write `evaluation.json`, `table.md`, `cmc.png` and `roc.png`; `reliability.png` where there is a calibration,
        and `report.html` where there are images.

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
        figures = {"CMC": out / "cmc.png", "ROC": out / "roc.png"}
        calibrated = {one.name: reliability(one.calibration, one.verification) for one in self if one.calibration}
        if calibrated:
            figures["Reliability"] = draw_reliability(calibrated, out / "reliability.png")

        method = self.methods[-1]
        matcher = method.matcher
        if matcher is None or not self.probes:
            return
        step = max(1, len(self.probes) // images) if images else 1
        shown = range(0, len(self.probes), step)[:images]
        rank = Ranker(self.gallery, top=DRAWN_RANKS, market_rule=True)
        write_report(
            out / "report.html",
            [drawn_probe(matcher, rank(self.probes[i], method.distances[i]), self.gallery) for i in shown],
            title=self.title,
            facts={
                "lists and drawings by": method.name,
                "probes": f"{len(self.probes)} images, {len(shown)} drawn",
                "gallery": f"{len(self.gallery)} images",
            },
            tables=list(self.tables().values()),
            notes=[self.note],
            figures=figures,
        )

    def _markdown(self) -> str:
        ranking = format_table({method.name: method.ranking for method in self.methods}, RANKS, style="markdown")
        parts = [ranking]
        for title, rows in list(self.tables().items())[1:]:
            plain = [[cell.replace("\n", " ") for cell in row] for row in rows]
            parts += [f"{title[0].upper()}{title[1:]}:", markdown_table(plain)]
        return "\n\n".join(parts)


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")  # a file name may not be UTF-8
