"""Rank-k and mAP of ranked pictures, as rows for the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reidops_models.cli.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.evaluation import RankingResult

RANKS = (1, 3, 5, 10)


def score(distances: Tensor, probes: Sequence[Picture], gallery: Sequence[Picture]) -> RankingResult | None:
    """The evaluation of (P, G) distances by Market-1501's rule; None where it cannot be known who is who.

    That is where a file is not named as in Market-1501, or no probe has a right picture in the gallery.
    """
    from reidops_models.evaluation import evaluate_ranking

    labels = [(picture.pid, picture.camid) for picture in (*probes, *gallery)]
    pids = [pid for pid, _ in labels if pid is not None]
    camids = [camid for _, camid in labels if camid is not None]
    if len(pids) < len(labels) or len(camids) < len(labels):
        return None
    split = len(probes)
    result = evaluate_ranking(distances, pids[:split], pids[split:], camids[:split], camids[split:], RANKS)
    return result if result.valid.any() else None


def score_rows(results: Mapping[str, RankingResult], ranks: Sequence[int] = RANKS) -> list[list[str]]:
    """A header and a row for each method: per cent, and under it the 95 % bootstrap interval over identities."""
    from reidops_models.evaluation import bootstrap_interval

    metrics = {**{f"rank-{k}": f"r{k}" for k in ranks}, "mAP": "mAP"}
    rows = [["per cent", *metrics]]
    for name, result in results.items():
        found = [bootstrap_interval(result, metric) for metric in metrics.values()]
        rows.append([name, *(f"{100 * i.value:.1f}\n{100 * i.low:.0f}–{100 * i.high:.0f}" for i in found)])
    return rows


def score_note(result: RankingResult) -> str:
    """One line on what the scores rest on."""
    people = len(set(result.probe_pids[result.valid].tolist()))
    who = "person" if people == 1 else "people"
    left_out = f" {result.invalid_probes} more have no right picture in the gallery." if result.invalid_probes else ""
    if result.nan_distances:
        left_out += f" {result.nan_distances} pairs have no distance (NaN), and are ranked last."
    return (
        f"{int(result.valid.sum())} probes of {people} {who}; under each value its 95 % bootstrap interval over "
        f"identities.{left_out}"
    )
