"""Rank-k, mAP and mINP of ranked pictures, as rows for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reidops_models.cli.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.evaluation import RankingResult, VerificationResult

RANKS = (1, 3, 5, 10)
RATES = (0.001, 0.01, 0.1)  # false positive rates at which the true positive rate is given


def score(
    distances: Tensor,
    probes: Sequence[Picture],
    gallery: Sequence[Picture],
    shots: int | None = None,
    repeats: int = 10,
) -> RankingResult | None:
    """The evaluation of (P, G) distances by Market-1501's rule; None where it cannot be known who is who.

    That is where a file is not named as in Market-1501, or no probe has a right picture in the gallery. With `shots`
    people are ranked, by the mean over so many of their pictures.
    """
    from reidops_models.evaluation import evaluate_multi_shot, evaluate_ranking

    labels = _labels(probes, gallery)
    if labels is None:
        return None
    if shots is None:
        result = evaluate_ranking(distances, *labels, RANKS)
    else:
        result = evaluate_multi_shot(distances, *labels, RANKS, shots=shots, repeats=repeats, distractor_pid=0)
    return result if result.valid.any() else None


def verify(distances: Tensor, probes: Sequence[Picture], gallery: Sequence[Picture]) -> VerificationResult:
    """The verification of all pairs, where it is known who is who."""
    from reidops_models.evaluation import evaluate_verification

    labels = _labels(probes, gallery)
    assert labels is not None
    return evaluate_verification(distances, *labels)


def _labels(
    probes: Sequence[Picture], gallery: Sequence[Picture]
) -> tuple[list[int], list[int], list[int], list[int]] | None:
    """Identities of probes and gallery, and cameras of both, if all are known."""
    pids = [picture.pid for picture in (*probes, *gallery) if picture.pid is not None]
    camids = [picture.camid for picture in (*probes, *gallery) if picture.camid is not None]
    split = len(probes)
    if min(len(pids), len(camids)) < split + len(gallery):
        return None
    return pids[:split], pids[split:], camids[:split], camids[split:]


def verification_rows(results: Mapping[str, VerificationResult]) -> list[list[str]]:
    """A header and a row for each method: true positive rates in per cent and their intervals, and the EER."""
    from reidops_models.evaluation import verification_interval

    rows = [["per cent", *(f"TPR at FPR {100 * rate:g} %" for rate in RATES), "EER"]]
    for name, result in results.items():
        found = [verification_interval(result, rate) for rate in RATES]
        cells = [f"{100 * i.value:.1f}\n{100 * i.low:.0f}–{100 * i.high:.0f}" for i in found]
        rows.append([name, *cells, f"{100 * result.eer:.1f}"])
    return rows


def score_rows(results: Mapping[str, RankingResult], ranks: Sequence[int] = RANKS) -> list[list[str]]:
    """A header and a row for each method: per cent, and under it the 95 % bootstrap interval over identities."""
    from reidops_models.evaluation import bootstrap_interval

    metrics = {**{f"rank-{k}": f"r{k}" for k in ranks}, "mAP": "mAP", "mINP": "mINP"}
    rows = [["per cent", *metrics]]
    for name, result in results.items():
        found = [bootstrap_interval(result, metric) for metric in metrics.values()]
        rows.append([name, *(f"{100 * i.value:.1f}\n{100 * i.low:.0f}–{100 * i.high:.0f}" for i in found)])
    return rows


def score_note(result: RankingResult, draws: int = 1) -> str:
    """One line on what the scores rest on. Of several draws, a result has a row a probe for each."""
    people = len(set(result.probe_pids[result.valid].tolist()))
    who = "person" if people == 1 else "people"
    invalid = result.invalid_probes // draws
    left_out = f" {invalid} more have no right picture in the gallery." if invalid else ""
    if result.nan_distances:
        left_out += f" {result.nan_distances} pairs have no distance (NaN), and are ranked last."
    return (
        f"{int(result.valid.sum()) // draws} probes of {people} {who}; under each value its 95 % bootstrap interval "
        f"over identities.{left_out}"
    )
