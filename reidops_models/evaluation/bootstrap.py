"""How far a result would move with other people: bootstrap over identities.

Probes of one person succeed and fail together, so intervals that resample probes are too narrow. Here whole
identities are drawn, with all their probes; the gallery stays as it is.

B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3 (percentile interval).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from reidops_models.evaluation.ranking import RankingResult
from reidops_models.evaluation.verification import VerificationResult

__all__ = ["Interval", "bootstrap_interval", "paired_bootstrap", "verification_interval"]


@dataclass(frozen=True)
class Interval:
    """A value and the percentile interval around it."""

    value: float
    low: float
    high: float
    confidence: float = 0.95


def bootstrap_interval(
    result: RankingResult, metric: str = "r1", samples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """The percentile interval of a metric when identities are resampled.

    Args:
        result: of :func:`evaluate_ranking` or :func:`evaluate_single_shot`.
        metric: `mAP`, `mINP`, or `r1`, `r5`, ... for the CMC at any rank.
        samples: how many times to resample.
        seed: of the resampling.
        confidence: part of the resampled values inside, above 0 and below 1.

    Raises:
        ValueError: an unknown metric, no samples, or a confidence out of range.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_ranking
        >>> distances = torch.tensor([[0.1, 0.9], [0.2, 0.1]])
        >>> result = evaluate_ranking(distances, [1, 1], [1, 2])
        >>> bootstrap_interval(result, "r1", samples=10)
        Interval(value=0.5, low=0.5, high=0.5, confidence=0.95)
    """
    values = _probe_values("bootstrap_interval", result, metric)
    return _interval("bootstrap_interval", result.probe_pids[result.valid], values, samples, seed, confidence)


def paired_bootstrap(
    first: RankingResult,
    second: RankingResult,
    metric: str = "r1",
    samples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """The interval of a difference, `first` minus `second`, of two methods on the same probes.

    Both are resampled with the same identities, so what makes a person hard for both cancels. The difference is
    beyond chance, at this confidence, where the interval leaves out 0. Arguments as in :func:`bootstrap_interval`.

    Raises:
        ValueError: the two results are not of the same probes, or as :func:`bootstrap_interval`.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_ranking
        >>> near, far = torch.tensor([[0.1, 0.9], [0.9, 0.1]]), torch.tensor([[0.9, 0.1], [0.1, 0.9]])
        >>> first, second = (evaluate_ranking(distances, [1, 2], [1, 2]) for distances in (near, far))
        >>> paired_bootstrap(first, second, "r1", samples=10)
        Interval(value=1.0, low=1.0, high=1.0, confidence=0.95)
    """
    if not (np.array_equal(first.probe_pids, second.probe_pids) and np.array_equal(first.valid, second.valid)):
        raise ValueError(
            "paired_bootstrap: both results must be of the same probes in the same order, got different ones"
        )
    a, b = (_probe_values("paired_bootstrap", result, metric) for result in (first, second))
    return _interval("paired_bootstrap", first.probe_pids[first.valid], a - b, samples, seed, confidence)


def verification_interval(
    result: VerificationResult,
    false_positive_rate: float,
    samples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """The percentile interval of the true positive rate at a false positive rate.

    Identities are resampled with their pairs; the threshold stays that of all pairs of two people. Arguments as in
    :func:`bootstrap_interval`.

    Raises:
        ValueError: a rate out of range, or as :func:`bootstrap_interval`.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_verification
        >>> result = evaluate_verification(torch.tensor([[0.1, 0.9], [0.2, 0.1]]), [1, 1], [1, 2])
        >>> verification_interval(result, 0.5, samples=10).value
        1.0
    """
    accepted = result.accepted_at(false_positive_rate).astype(np.float64)
    return _interval("verification_interval", result.probe_pids, accepted, samples, seed, confidence)


def _probe_values(op: str, result: RankingResult, metric: str) -> np.ndarray:
    """What the metric averages, for each valid probe."""
    if metric == "mAP":
        return result.average_precision[result.valid]
    if metric == "mINP":
        return result.inverse_negative_penalty[result.valid]
    if not re.fullmatch(r"r[1-9]\d*", metric):
        raise ValueError(f"{op}: metric must be mAP, mINP or r1, r2, ..., got {metric!r}")
    return (result.first_match[result.valid] <= int(metric[1:])).astype(np.float64)


def _interval(op: str, pids: np.ndarray, values: np.ndarray, samples: int, seed: int, confidence: float) -> Interval:
    if samples < 1 or not 0 < confidence < 1:
        raise ValueError(f"{op}: samples must be at least 1 and confidence in (0, 1), got {samples} and {confidence}")
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"), confidence)
    identities, member = np.unique(pids, return_inverse=True)
    sums, counts = np.bincount(member, values), np.bincount(member)
    # How often each identity is drawn, (samples, identities): the mean over probes is then a ratio of two products.
    n = len(identities)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=samples)
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(values.mean()), float(low), float(high), confidence)
