from __future__ import annotations

import numpy as np
import pytest
import torch

from reidops_models.evaluation import (
    VerificationAccumulator,
    evaluate_verification,
    pool_verifications,
    ranking,
    verification_interval,
)
from reidops_models.evaluation.verification import LEVELS, largest_of, to_levels
from tests.reidops_models.evaluation.slow import is_right, same


def problem(seed: int, probes: int = 12, gallery: int = 20, identities: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    pids = rng.integers(0, identities, probes)
    gallery_pids = rng.integers(-1, identities, gallery)
    # Few different values, far enough apart for 20 bits: ties between pairs of both kinds.
    distances = rng.integers(1, 30, (probes, gallery)) / 8 - 2 * (pids[:, None] == gallery_pids)
    cameras = rng.integers(0, 3, probes), rng.integers(0, 3, gallery)
    return {
        "distances": distances,
        "probe_pids": pids,
        "gallery_pids": gallery_pids,
        "probe_camids": cameras[0],
        "gallery_camids": cameras[1],
    }


def pairs_one_by_one(given: dict[str, np.ndarray]) -> tuple[list[float], list[float]]:
    """Distances of the pairs of one person, and of two, in plain loops."""
    positive, negative = [], []
    gallery, cameras = given["gallery_pids"].tolist(), given["gallery_camids"].tolist()
    for row, pid, camid in zip(given["distances"], given["probe_pids"].tolist(), given["probe_camids"].tolist()):
        for g, distance in enumerate(row.tolist()):
            if is_right(g, pid, camid, gallery, cameras):
                positive.append(distance)
            elif gallery[g] >= 0 and not same(g, pid, gallery):
                negative.append(distance)
    return positive, negative


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_counts_pairs(seed: int) -> None:
    given = problem(seed)
    result = evaluate_verification(**given)
    positive, negative = pairs_one_by_one(given)
    assert result.pairs == (len(positive), len(negative))
    expected = [(0.0, 0.0)]
    for threshold in sorted({*positive, *negative}):
        accepted = [sum(d <= threshold for d in some) / len(some) for some in (negative, positive)]
        expected.append((accepted[0], accepted[1]))
    np.testing.assert_allclose(np.stack(result.curve(), axis=1), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_tpr_at_fpr(seed: int, rate: float) -> None:
    given = problem(seed)
    positive, negative = pairs_one_by_one(given)
    best = 0.0
    for threshold in sorted({-np.inf, *positive, *negative}):
        if sum(d <= threshold for d in negative) / len(negative) <= rate:
            best = sum(d <= threshold for d in positive) / len(positive)
    result = evaluate_verification(**given)
    assert result.tpr_at(rate) == pytest.approx(best)
    interval = verification_interval(result, rate)
    assert interval.low <= interval.value == pytest.approx(best)
    assert interval.value <= interval.high


def test_equal_error_rate() -> None:
    assert evaluate_verification(torch.tensor([[0.0, 1.0]]), [1], [1, 2]).eer == 0
    assert evaluate_verification(torch.tensor([[1.0, 0.0]]), [1], [1, 2]).eer == 1
    assert evaluate_verification(torch.tensor([[1.0, 1.0]]), [1], [1, 2]).eer == 0.5
    rng = np.random.default_rng(0)  # two normal distributions one standard deviation either side of 0: 15.87 %
    pids = np.arange(400)
    distances = rng.normal(1, 1, (400, 400)) - 2 * np.eye(400)
    assert evaluate_verification(distances, pids, pids).eer == pytest.approx(0.1587, abs=0.03)


def test_blocks_of_probes_are_all_probes() -> None:
    given = problem(7)
    whole = evaluate_verification(**given)
    accumulator = VerificationAccumulator(given["gallery_pids"], given["gallery_camids"])
    for rows in (slice(0, 5), slice(5, 5), slice(5, 12)):
        accumulator.update(given["distances"][rows], given["probe_pids"][rows], given["probe_camids"][rows])
    blocks = accumulator.result()
    assert np.array_equal(blocks.positives, whole.positives)
    assert np.array_equal(blocks.negatives, whole.negatives)


def test_many_pairs_are_counted_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    given = problem(7)
    whole = evaluate_verification(**given)
    monkeypatch.setattr(ranking, "_BLOCK_PAIRS", 45)  # two probes
    blocks = evaluate_verification(**given)
    assert np.array_equal(blocks.probe_pids, whole.probe_pids)
    assert np.array_equal(blocks.positives, whole.positives)
    assert np.array_equal(blocks.negatives, whole.negatives)


def test_a_share_is_not_lost_to_rounding() -> None:
    # 29 wrong pairs at 0, the right pair with them, 71 wrong ones beyond: 29 / 100 is 0.29, but 0.29 * 100 is below 29.
    result = evaluate_verification(torch.tensor([[0.0] * 30 + [1.0] * 71]), [1], [2] * 29 + [1] + [2] * 71)
    assert result.tpr_at(0.29) == 1
    assert result.tpr_at(0.28) == 0


def test_levels_rise_with_distances() -> None:
    values = np.sort(np.random.default_rng(0).normal(0, 10, 5000)).astype(np.float32)
    values = np.concatenate([[-np.inf, -1e30], values, [-0.0, 0.0, 1e30, np.inf]])
    values.sort()
    levels = to_levels(values)
    assert (np.diff(levels) >= 0).all()
    assert to_levels(np.array([0.0, -0.0, np.nan])).tolist()[:2] == [levels[values == 0][0]] * 2
    assert to_levels(np.array([np.nan]))[0] > levels[-1]
    apart = to_levels(np.array([1.0, 1.0 + 1 / 1024]))
    assert apart[0] < apart[1]


def test_the_largest_distance_of_a_level_is_the_last_that_has_it() -> None:
    values = np.random.default_rng(0).normal(0, 10, 2000).astype(np.float32)
    levels = to_levels(np.concatenate([values, np.float32([0, 1e-30, -1e30, np.inf, -np.inf])]))
    largest = largest_of(levels)
    assert np.array_equal(to_levels(largest), levels)
    finite = np.isfinite(largest)
    assert (to_levels(np.nextafter(largest[finite], np.float32(np.inf))) == levels[finite] + 1).all()
    assert largest_of(np.array([-1, LEVELS - 1])).tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
def test_a_threshold_is_a_distance_that_keeps_its_rate(rate: float) -> None:
    rng = np.random.default_rng(3)
    pids = np.arange(120)
    distances = (rng.normal(1, 0.2, (120, 120)) - 0.5 * np.eye(120)).astype(np.float32)
    result = evaluate_verification(distances, pids, pids)
    wrong, right = np.sort(distances[~np.eye(120, dtype=bool)]), distances.diagonal()
    threshold = result.threshold_at(rate)
    assert (wrong <= threshold).mean() == result.fpr_at(threshold) <= rate
    assert (right <= threshold).mean() == result.tpr_below(threshold) == result.tpr_at(rate)
    first_too_many = wrong[int(rate * len(wrong))]  # with it, more than the share is accepted
    assert first_too_many * (1 - 1 / 2048) <= threshold < first_too_many


def test_thresholds_at_the_ends() -> None:
    result = evaluate_verification(torch.tensor([[0.1, 0.2, 0.2]]), [1], [1, 2, 3])
    assert result.threshold_at(0.5) < 0.2
    assert result.threshold_at(1.0) == np.inf
    assert result.fpr_at(-np.inf) == 0
    assert np.isnan(evaluate_verification(torch.tensor([[0.1]]), [1], [1]).fpr_at(0.5))
    assert np.isnan(evaluate_verification(torch.tensor([[0.1]]), [1], [2]).tpr_below(0.5))


def test_pairs_without_a_distance_come_last() -> None:
    result = evaluate_verification(torch.tensor([[float("nan"), 0.5, 0.7]]), [1], [1, 1, 2])
    assert result.tpr_at(0.0) == 0.5
    assert result.tpr_at(1.0) == 1.0


def test_pooled_pairs_keep_their_people_apart() -> None:
    results = [evaluate_verification(**problem(seed)) for seed in (1, 2)]
    pooled = pool_verifications(results)
    assert pooled.pairs == tuple(np.sum([result.pairs for result in results], axis=0))
    people = [len(np.unique(result.probe_pids)) for result in results]
    assert len(np.unique(pooled.probe_pids)) == sum(people)
    with pytest.raises(ValueError, match="at least one result"):
        pool_verifications([])


def test_nothing_to_verify() -> None:
    result = evaluate_verification(torch.zeros(2, 0), [1, 2], [])
    assert result.pairs == (0, 0)
    assert np.isnan(result.tpr_at(0.1))
    assert np.isnan(result.eer)
    assert np.isnan(evaluate_verification(torch.zeros(1, 1), [1], [2]).eer)
    with pytest.raises(ValueError, match=r"a rate must be in \[0, 1\], got 2"):
        result.tpr_at(2)
    with pytest.raises(ValueError, match=r"^evaluate_verification: distances must have shape"):
        evaluate_verification(torch.zeros(2, 1), [1], [1])
