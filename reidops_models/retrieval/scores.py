"""Rank-k, mAP, mINP and verification of a search, and their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from reidops_models.evaluation import (
    RankingResult,
    VerificationResult,
    bootstrap_interval,
    evaluate_multi_shot,
    evaluate_ranking,
    evaluate_verification,
    verification_interval,
)
from reidops_models.retrieval.images import SearchImage

RANKS = (1, 3, 5, 10)
RATES = (0.001, 0.01, 0.1)  # false positive rates at which the true positive rate is given

Labels = tuple[list[int], list[int], list[int], list[int]]  # probe pids, gallery pids, probe camids, gallery camids


def score(
    distances: Tensor,
    probes: Sequence[SearchImage],
    gallery: Sequence[SearchImage],
    shots: int | None = None,
    repeats: int = 10,
) -> RankingResult | None:
    """The ranking by Market-1501's rule, or None where the right images are not known.

    They are not known where an image has no identity or no camera, or where no probe has a right image in the gallery.

    Args:
        distances: (P, G).
        probes: P images.
        gallery: G images.
        shots: rank people by the mean distance to this many of their images, drawn at random. None ranks all images.
        repeats: draws of `shots`.
    """
    labels = _labels(probes, gallery)
    if labels is None:
        return None
    if shots is None:
        result = evaluate_ranking(distances, *labels, RANKS)
    else:
        result = evaluate_multi_shot(distances, *labels, RANKS, shots=shots, repeats=repeats, distractor_pid=0)
    return result if result.valid.any() else None


def verify(
    distances: Tensor, probes: Sequence[SearchImage], gallery: Sequence[SearchImage]
) -> VerificationResult | None:
    """The verification of all pairs, or None where an identity or a camera is not known."""
    labels = _labels(probes, gallery)
    return None if labels is None else evaluate_verification(distances, *labels)


def _labels(probes: Sequence[SearchImage], gallery: Sequence[SearchImage]) -> Labels | None:
    pids = [image.pid for image in (*probes, *gallery) if image.pid is not None]
    camids = [image.camid for image in (*probes, *gallery) if image.camid is not None]
    split = len(probes)
    if min(len(pids), len(camids)) < split + len(gallery):
        return None
    return pids[:split], pids[split:], camids[:split], camids[split:]


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
