"""The results of a method as plain values, as `evaluation.json` has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reidops_models.evaluation import reliability
from reidops_models.retrieval.scores import ALARMS, RANKS, RATES

if TYPE_CHECKING:
    from reidops_models.retrieval.results import MethodResult


def method_values(method: MethodResult, draws: int = 1) -> dict[str, Any]:
    """All results of a method as plain values."""
    open_set, calibration = method.open_set, method.calibration
    values: dict[str, Any] = {
        **{f"r{k}": vars(method.rank(k)) for k in RANKS},
        "mAP": vars(method.mAP),
        "mINP": vars(method.mINP),
        "cmc": method.cmc,
        "tpr at fpr": {f"{rate:g}": vars(method.tpr(rate)) for rate in RATES},
        "threshold at fpr": {f"{rate:g}": finite(method.threshold(rate)) for rate in RATES},
        "eer": method.verification.eer,
        "probes without a right picture": method.ranking.invalid_probes // draws,
    }
    if method.shortlist is not None:
        values["shortlist"] = {"recall": method.shortlist.recall, "found": method.shortlist.found}
    if method.remark:
        values["remark"] = method.remark
    if open_set.unknown_probes:
        values["open set"] = {
            "dir at far": {f"{rate:g}": open_set.identification_rate(rate) for rate in ALARMS},
            "threshold at far": {f"{rate:g}": finite(open_set.threshold_at(rate)) for rate in ALARMS},
        }
    if calibration is not None:
        curve = reliability(calibration, method.verification)
        values["calibration"] = {
            "data": calibration.data,
            "thresholds": {
                f"{rate:g}": {
                    "distance": distance,
                    "fpr": method.verification.fpr_at(distance),
                    "tpr": method.verification.tpr_below(distance),
                }
                for rate, distance in calibration.thresholds
                if rate in RATES
            },
            "brier": curve.brier,
            "calibration error": curve.error,
            "reliability": {"said": curve.said.tolist(), "found": curve.found.tolist(), "pairs": curve.pairs.tolist()},
        }
    return values


def finite(value: float) -> float | None:
    """A number that JSON can hold; None for what is infinite."""
    return value if math.isfinite(value) else None
