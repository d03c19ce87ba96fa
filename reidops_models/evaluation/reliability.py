"""Do probabilities keep what they say? Reliability of a calibration on people it was not made on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidops_models.evaluation.calibration import Calibration
from reidops_models.evaluation.verification import VerificationResult

__all__ = ["Reliability", "reliability"]

EDGES = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])  # of the bins


@dataclass(frozen=True, eq=False)
class Reliability:
    """Pairs by the probability that a calibration gives them.

    Attributes:
        said: (B,) the mean probability of the pairs of a bin.
        found: (B,) the share of them that shows one person.
        pairs: (B,) how many there are; bins without a pair are left out.
        brier: the mean squared difference of probability and truth, over all pairs.
        error: expected calibration error, the mean over all pairs of `|said - found|` of their bins.
    """

    said: np.ndarray
    found: np.ndarray
    pairs: np.ndarray
    brier: float
    error: float


def reliability(calibration: Calibration, pairs: VerificationResult) -> Reliability:
    r"""Hold the probabilities of a calibration against pairs whose people are known.

    Bins are narrow at low probabilities, where most pairs are. The probabilities are brought to the share of right
    pairs here (`Calibration.probability`), because galleries differ in it.

    G. W. Brier, "Verification of Forecasts Expressed in Terms of Probability", 1950; M. P. Naeini, G. Cooper,
    M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.

    Args:
        calibration: made on other people.
        pairs: of the same method; both pairs of one person and of two.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import calibrate, evaluate_verification
        >>> made_on = evaluate_verification(torch.tensor([[0.1, 0.5], [0.5, 0.6]]), [1, 2], [1, 2])
        >>> others = evaluate_verification(torch.tensor([[0.2, 0.7], [0.8, 0.3]]), [3, 4], [3, 4])
        >>> reliability(calibrate(made_on, method="DSR", data="a"), others).pairs.sum()
        np.int64(4)
    """
    distances, right, wrong = pairs.counts()
    total = right + wrong
    base = float(right.sum() / max(1, total.sum()))
    said = calibration.probability(distances.astype(np.float64), base_rate=base if 0 < base < 1 else None)
    place = np.clip(np.searchsorted(EDGES, said, side="right") - 1, 0, len(EDGES) - 2)
    counts, hits, sums = (np.bincount(place, values, len(EDGES) - 1) for values in (total, right, said * total))
    some = counts > 0
    said_in_bin, found = sums[some] / counts[some], hits[some] / counts[some]
    brier = float((right * (1 - said) ** 2 + wrong * said**2).sum() / max(1, total.sum()))
    error = float((counts[some] * np.abs(said_in_bin - found)).sum() / max(1, total.sum()))
    return Reliability(said_in_bin, found, counts[some].astype(np.int64), brier, error)
