from __future__ import annotations

import numpy as np
import pytest

from reidops_models.evaluation import Calibration, reliability

from .test_calibration import pairs


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    from reidops_models.evaluation import calibrate

    return calibrate(pairs(0), method="DSR", data="people/validation")


def test_bins_hold_all_pairs_and_their_shares(calibration: Calibration) -> None:
    other = pairs(1)
    curve = reliability(calibration, other)
    distances, right, wrong = other.counts()
    said = calibration.probability(distances.astype(float), base_rate=calibration.base_rate)
    assert curve.pairs.sum() == sum(other.pairs)
    assert (curve.found * curve.pairs).sum() == pytest.approx(other.pairs[0])
    assert (curve.said * curve.pairs).sum() == pytest.approx((said * (right + wrong)).sum())
    truth = np.concatenate([np.repeat((1 - said) ** 2, right), np.repeat(said**2, wrong)])
    assert curve.brier == pytest.approx(truth.mean())
    assert (np.diff(curve.said) > 0).all()


def test_what_keeps_its_word_has_a_small_error_and_what_does_not_a_large_one(calibration: Calibration) -> None:
    honest = reliability(calibration, pairs(1)).error
    moved = calibration.model_copy(update={"curve": tuple((d + 0.3, p) for d, p in calibration.curve)})
    assert honest < 5e-4 < 10 * honest < reliability(moved, pairs(1)).error


def test_another_share_of_right_pairs_is_taken_into_account(calibration: Calibration) -> None:
    few = reliability(calibration, pairs(2, people=30))  # a right pair in 30, not in 300
    assert few.error < 0.02
