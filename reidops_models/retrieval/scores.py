"""Rank-k, mAP, verification and open-set rates of a search, gathered while its distances come; and their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor

from reidops_models.evaluation import (
    Calibration,
    MultiShotAccumulator,
    OpenSetAccumulator,
    OpenSetResult,
    RankingAccumulator,
    RankingResult,
    ShortlistAccumulator,
    ShortlistResult,
    VerificationAccumulator,
    VerificationResult,
    bootstrap_interval,
    verification_interval,
)
from reidops_models.matching import in_shortlist
from reidops_models.retrieval.images import SearchImage

RANKS = (1, 3, 5, 10)
RATES = (0.001, 0.01, 0.1)  # false positive rates at which thresholds and true positive rates are given
ALARMS = (0.01, 0.1)  # false alarm rates at which identification rates are given


@dataclass(frozen=True, eq=False)
class Labels:
    """Who is on the images, and which camera took them.

    Attributes:
        probe_pids, gallery_pids: (P,) and (G,) identities; below 0 in the gallery: junk.
        probe_camids, gallery_camids: cameras; below 0: not known. None where no image has one.
        distractor: the identity of gallery images that are each somebody else, or None.
    """

    probe_pids: np.ndarray
    gallery_pids: np.ndarray
    probe_camids: np.ndarray | None = None
    gallery_camids: np.ndarray | None = None
    distractor: int | None = None

    @classmethod
    def of(
        cls, probes: Sequence[SearchImage], gallery: Sequence[SearchImage], distractor: int | None = None
    ) -> Labels | None:
        """The labels of images; None where an identity or a camera is not known."""
        sides = [
            np.array([getattr(image, name) for image in side if getattr(image, name) is not None], np.int64)
            for name in ("pid", "camid")
            for side in (probes, gallery)
        ]
        if [len(side) for side in sides] != [len(probes), len(gallery)] * 2:
            return None
        probe_pids, gallery_pids, probe_camids, gallery_camids = sides
        return cls(probe_pids, gallery_pids, probe_camids, gallery_camids, distractor)

    def why_no_right_image(self) -> str:
        """Why no probe can be scored, in one line."""
        nobody = "no probe has a right image in the gallery"
        inside = np.isin(self.probe_pids[self.probe_pids >= 0], self.gallery_pids)
        if not inside.any():
            return f"{nobody}: none of their people is in it"
        return (
            f"{nobody}: it shows their people by the probe's own camera alone, and by Market-1501's rule such images "
            "do not count; images of other cameras are needed, or labels without cameras (a CSV file without camid)"
        )


class Scores(NamedTuple):
    """What a method's distances are worth."""

    ranking: RankingResult
    verification: VerificationResult
    open_set: OpenSetResult


class Scorer:
    """Scores distances that come in blocks of probes. It keeps none of them.

    Args:
        labels: of all probes and the gallery.
        shots: rank people by the mean distance to this many of their images, drawn at random. None ranks all images.
        repeats: draws of `shots`.

    Example:
        >>> import torch
        >>> scorer = Scorer(Labels(np.array([1, 2]), np.array([1, 2])))
        >>> scorer.add(slice(0, 1), torch.tensor([[0.1, 0.2]]))
        >>> scorer.add(slice(1, 2), torch.tensor([[0.1, 0.2]]))
        >>> scorer.result().ranking.rank(1)
        0.5
    """

    def __init__(self, labels: Labels, shots: int | None = None, repeats: int = 10) -> None:
        self._labels = labels
        gallery = labels.gallery_pids, labels.gallery_camids
        self._ranking: RankingAccumulator | MultiShotAccumulator = RankingAccumulator(*gallery, ranks=RANKS)
        if shots is not None:
            self._ranking = MultiShotAccumulator(
                *gallery, shots=shots, repeats=repeats, distractor_pid=labels.distractor, ranks=RANKS
            )
        self._verification, self._open_set = VerificationAccumulator(*gallery), OpenSetAccumulator(*gallery)

    def add(self, probes: slice, distances: Tensor | np.ndarray) -> None:
        """The distances (p, G) of some probes to the gallery."""
        cameras = self._labels.probe_camids
        labels = self._labels.probe_pids[probes], None if cameras is None else cameras[probes]
        for accumulator in (self._ranking, self._verification, self._open_set):
            accumulator.update(distances, *labels)

    def result(self) -> Scores:
        """What all of them are worth."""
        return Scores(self._ranking.result(), self._verification.result(), self._open_set.result())


class ShortlistScorer:
    """What shortlists kept, from distances that come in blocks of probes.

    Args:
        labels: of all probes and the gallery.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._kept = ShortlistAccumulator(labels.gallery_pids, labels.gallery_camids)
        self._is_cut = False

    def add(self, probes: slice, distances: Tensor) -> None:
        """The distances (p, G) of some probes to the gallery."""
        inside = in_shortlist(distances).numpy()
        cameras = self._labels.probe_camids
        self._kept.update(inside, self._labels.probe_pids[probes], None if cameras is None else cameras[probes])
        self._is_cut |= not inside.all()

    def result(self) -> ShortlistResult | None:
        """Of all of them; None where every pair has a distance."""
        return self._kept.result() if self._is_cut else None


def score_rows(results: Mapping[str, RankingResult], ranks: Sequence[int] = RANKS) -> list[list[str]]:
    """A header, then a row per method: per cent, and under it the 95 % bootstrap interval over identities."""
    metrics = {**{f"rank-{k}": f"r{k}" for k in ranks}, "mAP": "mAP", "mINP": "mINP"}
    rows = [["per cent", *metrics]]
    for name, result in results.items():
        found = [bootstrap_interval(result, metric) for metric in metrics.values()]
        rows.append([name, *(f"{100 * i.value:.1f}\n{100 * i.low:.0f}–{100 * i.high:.0f}" for i in found)])
    return rows


def verification_rows(results: Mapping[str, VerificationResult]) -> list[list[str]]:
    """A header, then a row per method: true positive rates in per cent with their intervals, and the EER."""
    rows = [["per cent", *(f"TPR at FPR {100 * rate:g} %" for rate in RATES), "EER"]]
    for name, result in results.items():
        found = [verification_interval(result, rate) for rate in RATES]
        cells = [f"{100 * i.value:.1f}\n{100 * i.low:.0f}–{100 * i.high:.0f}" for i in found]
        rows.append([name, *cells, f"{100 * result.eer:.1f}"])
    return rows


def threshold_rows(results: Mapping[str, VerificationResult]) -> list[list[str]]:
    """A header, then a row per method: the largest distances that accept no larger share of the wrong pairs."""
    rows = [["distance", *(f"at FPR {100 * rate:g} %" for rate in RATES)]]
    return rows + [[name, *(f"{result.threshold_at(rate):.4g}" for rate in RATES)] for name, result in results.items()]


def open_set_rows(results: Mapping[str, OpenSetResult]) -> list[list[str]]:
    """A header, then a row per method: detection and identification rates in per cent, and the distances for them."""
    rows = [["per cent", *(f"DIR at FAR {100 * rate:g} %" for rate in ALARMS)]]
    for name, result in results.items():
        cells = (f"{100 * result.identification_rate(rate):.1f}\nto {result.threshold_at(rate):.4g}" for rate in ALARMS)
        rows.append([name, *cells])
    return rows


def shortlist_rows(results: Mapping[str, ShortlistResult]) -> list[list[str]]:
    """A header, then a row per method: the right images that its shortlists kept, in per cent."""
    rows = [["per cent", "right images kept", "probes with one kept"]]
    return rows + [[name, f"{100 * one.recall:.1f}", f"{100 * one.found:.1f}"] for name, one in results.items()]


def calibrated_rows(results: Mapping[str, tuple[Calibration, VerificationResult]]) -> list[list[str]]:
    """A header, then a row per method: what the thresholds of a calibration do to these pairs, in per cent."""
    rows = [["per cent", *(f"FPR, TPR for {100 * rate:g} %" for rate in RATES)]]
    for name, (calibration, result) in results.items():
        rows.append([name])
        for rate in RATES:
            known = [point for point in calibration.thresholds if point[0] == rate]
            here = (result.fpr_at(known[0][1]), result.tpr_below(known[0][1])) if known else ()
            rows[-1].append(", ".join(f"{100 * share:.3g}" for share in here) or "too few pairs")
    return rows


def score_note(result: RankingResult, draws: int = 1) -> str:
    """One line on what the scores rest on.

    Args:
        result: has one row per probe for each draw.
        draws: how often the gallery's images were drawn.
    """
    people = len(set(result.probe_pids[result.valid].tolist()))
    who = "person" if people == 1 else "people"
    invalid = result.invalid_probes // draws
    left_out = f" {invalid} more have no right image in the gallery." if invalid else ""
    if result.nan_distances:
        left_out += f" {result.nan_distances} pairs have no distance (NaN), and are ranked last."
    return (
        f"{int(result.valid.sum()) // draws} probes of {people} {who}; under each value its 95 % bootstrap interval "
        f"over identities.{left_out}"
    )
