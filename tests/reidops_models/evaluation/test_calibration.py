"""Thresholds and probabilities: held against plain counting, and against a distribution whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from reidops_models.evaluation import (
    Calibration,
    CalibrationError,
    VerificationResult,
    calibrate,
    evaluate_verification,
)


def pairs(seed: int, people: int = 300, images: int = 3) -> VerificationResult:
    """Normal distances: 1 +- 0.2 between two people, 0.6 +- 0.2 within one."""
    rng = np.random.default_rng(seed)
    pids, gallery = np.repeat(np.arange(people), images), np.arange(people)
    distances = rng.normal(1, 0.2, (len(pids), people)) - 0.4 * (pids[:, None] == gallery)
    return evaluate_verification(distances, pids, gallery)


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate(pairs(0), method="DSR", data="people/validation", checkpoint="dsr-1", options={"beta": 0.4})


def test_it_says_what_it_was_made_on(found: Calibration) -> None:
    assert (found.method, found.data, found.checkpoint) == ("DSR", "people/validation", "dsr-1")
    assert (found.people, found.right_pairs, found.wrong_pairs) == (300, 900, 900 * 299)
    assert found.base_rate == pytest.approx(1 / 300)


def test_the_probability_is_that_of_the_distributions(found: Calibration) -> None:
    for distance in (0.3, 0.45, 0.6, 0.75, 0.9):
        right, wrong = norm.pdf(distance, 0.6, 0.2), norm.pdf(distance, 1, 0.2)
        truth = right / (right + 299 * wrong)
        assert found.probability(distance) == pytest.approx(truth, rel=0.35), distance
    grid = found.probability(np.linspace(-1, 3, 50))
    assert grid.shape == (50,)
    assert (np.diff(grid) <= 0).all()
    assert 0 < grid[-1] < 1e-4
    assert 0.5 < grid[0] < 1
    assert np.isnan(found.probability(float("nan")))


def test_probabilities_are_the_shares_of_other_people(found: Calibration) -> None:
    distances, right, wrong = pairs(1).counts()
    said = found.probability(distances.astype(float))
    for low, high in ((0, 0.01), (0.01, 0.1), (0.1, 0.5), (0.5, 1)):
        inside = (said >= low) & (said < high)
        total = (right + wrong)[inside].sum()
        observed = right[inside].sum() / total
        expected = (said * (right + wrong))[inside].sum() / total
        assert observed == pytest.approx(expected, abs=3.5 * np.sqrt(expected * (1 - expected) / total) + 0.1 * high)


def test_another_base_rate_moves_the_odds(found: Calibration) -> None:
    assert found.probability(0.5, base_rate=found.base_rate) == pytest.approx(found.probability(0.5))
    truth = norm.pdf(0.8, 0.6, 0.2) / (norm.pdf(0.8, 0.6, 0.2) + norm.pdf(0.8, 1, 0.2))
    assert found.probability(0.8, base_rate=0.5) == pytest.approx(truth, rel=0.1)
    with pytest.raises(CalibrationError, match="base_rate: expected a share above 0 and below 1, got 1"):
        found.probability(0.5, base_rate=1)


def test_thresholds_keep_their_rate_on_the_pairs_and_nearly_on_others(found: Calibration) -> None:
    same, other = pairs(0), pairs(1)
    for rate in (0.1, 0.01, 0.001):
        threshold = found.threshold_of(rate)
        assert threshold == same.threshold_at(rate)
        assert same.fpr_at(threshold) <= rate
        assert other.fpr_at(threshold) == pytest.approx(rate, rel=0.2)


def test_a_rate_between_two_takes_the_lower(found: Calibration) -> None:
    assert found.threshold_of(0.0123) == found.threshold_of(0.01) < found.threshold_of(0.02)
    with pytest.raises(CalibrationError, match=r"^fpr: 1e-07 cannot be told from 269100 wrong pairs; the lowest rate"):
        found.threshold_of(1e-7)
    for rate in (0, 1, -0.5):
        with pytest.raises(CalibrationError, match=f"^fpr: expected a rate above 0 and below 1, got {rate}"):
            found.threshold_of(rate)


def test_no_end_is_certain() -> None:
    found = calibrate(
        evaluate_verification(torch.tensor([[0.1, 0.2, 0.8, 0.9]]), [1], [1, 1, 2, 3]), method="m", data="d"
    )
    assert found.probability(0.0) == pytest.approx(3 / 4)  # two right pairs: (2 + 1) / (2 + 2)
    assert found.probability(1.0) == pytest.approx(1 / 4)


def test_pairs_without_a_distance_are_left_out() -> None:
    distances = torch.tensor([[0.1, float("nan"), 0.8], [float("inf"), 0.3, 0.9]])
    found = calibrate(evaluate_verification(distances, [1, 2], [1, 2, 3]), method="m", data="d")
    assert (found.right_pairs, found.wrong_pairs) == (2, 2)


def test_nothing_to_calibrate_on() -> None:
    for gallery in ([1, 1], [2, 3]):
        with pytest.raises(CalibrationError, match=r"^d: expected pairs of one person and of two, got "):
            calibrate(evaluate_verification(torch.tensor([[0.1, 0.2]]), [1], gallery), method="m", data="d")


def test_it_comes_back_from_its_file(found: Calibration, tmp_path: Path) -> None:
    path = found.save(tmp_path / "new" / "model.calibration.json")
    assert Calibration.load(path) == found
    assert Calibration.from_dict(json.loads(path.read_text())).probability(0.5) == found.probability(0.5)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"method": None}, "method: Input should be a valid string"),
        ({"colour": 1}, "colour: Extra inputs are not permitted"),
        ({"people": "many"}, "people: Input should be a valid integer"),
        ({"right_pairs": 0}, "right_pairs: Input should be greater than or equal to 1"),
        ({"curve": []}, "curve: "),
        ({"curve": [[0.1, 1.5]]}, "curve.0.1: Input should be less than 1"),
        ({"curve": [[0.1, 0.2], [0.2, 0.3]]}, "curve: not in order"),
        ({"curve": [[0.1, float("nan")]]}, "curve.0.1: "),
        ({"thresholds": [[0.1, 2.0], [0.01, 1.0]]}, "thresholds: not in order"),
        ({"options": {"beta": {1, 2}}}, "not JSON serializable"),
    ],
)
def test_what_is_no_calibration_is_refused(found: Calibration, change: dict[str, Any], message: str) -> None:
    with pytest.raises(CalibrationError, match=r"^a\.json: not a calibration: ") as error:
        Calibration.from_dict(found.to_dict() | change, origin="a.json")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "{}", "\xff"])
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "model.calibration.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CalibrationError, match=f"^{path}: not a calibration: "):
        Calibration.load(path)
