from __future__ import annotations

import numpy as np
import pytest

from reidops_models.evaluation import RankingResult, bootstrap_interval, paired_bootstrap


def make_result(pids, first_match) -> RankingResult:
    first = np.array(first_match)
    precision = np.divide(1.0, first, out=np.full(len(first), np.nan), where=first > 0)
    return RankingResult(np.array(pids), first, precision, inverse_negative_penalty=precision**2)


def random_result(seed, people=30, probes=6) -> RankingResult:
    rng = np.random.default_rng(seed)
    pids = np.repeat(np.arange(people), probes)
    hard = rng.random(people)  # some people are hard: their probes fail together
    return make_result(pids, 1 + (rng.random(len(pids)) < hard[pids]) * rng.integers(1, 20, len(pids)))


def resample_by_definition(pids, values, samples, seed):
    """Draw people with replacement, pool all their probes, take the mean."""
    people, counts = np.unique(pids), []
    for drawn in np.random.default_rng(seed).multinomial(len(people), [1 / len(people)] * len(people), size=samples):
        pooled = [
            value for person, times in zip(people, drawn, strict=True) for value in list(values[pids == person]) * times
        ]
        counts.append(np.mean(pooled))
    return counts


@pytest.mark.parametrize(("metric", "rank"), [("r1", 1), ("r5", 5), ("r13", 13), ("mAP", None), ("mINP", None)])
def test_agrees_with_the_definition(metric, rank):
    result = random_result(0)
    averaged = {"mAP": result.average_precision, "mINP": result.inverse_negative_penalty}
    values = averaged[metric] if rank is None else (result.first_match <= rank).astype(float)
    interval = bootstrap_interval(result, metric, samples=200, seed=3, confidence=0.9)
    expected = np.quantile(resample_by_definition(result.probe_pids, values, 200, 3), [0.05, 0.95])
    np.testing.assert_allclose([interval.low, interval.high], expected)
    assert interval.value == pytest.approx(values.mean())
    assert interval.confidence == 0.9


def test_unequal_numbers_of_probes_and_invalid_probes():
    result = make_result([1, 1, 1, 2, 3, 3], [1, 2, 1, 1, 0, 0])
    values = np.array([1.0, 0.0, 1.0, 1.0])
    interval = bootstrap_interval(result, "r1", samples=100)
    expected = np.quantile(resample_by_definition(np.array([1, 1, 1, 2]), values, 100, 0), [0.025, 0.975])
    np.testing.assert_allclose([interval.low, interval.high], expected)
    assert interval.value == 0.75


def test_wider_than_a_bootstrap_over_probes():
    result = random_result(1)
    by_people = bootstrap_interval(result)
    by_probes = bootstrap_interval(make_result(np.arange(result.probes), result.first_match))
    assert by_people.high - by_people.low > 1.2 * (by_probes.high - by_probes.low)


def test_covers_the_truth_about_as_often_as_it_says():
    # 60 people whose own rates are uniform: the true rate is 1/2.
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        pids = np.repeat(np.arange(60), 4)
        hits = rng.random(240) < rng.random(60)[pids]
        interval = bootstrap_interval(make_result(pids, np.where(hits, 1, 2)), samples=200, seed=seed)
        covered += interval.low <= 0.5 <= interval.high
    assert 180 <= covered <= 199


def test_paired_difference():
    a, b = random_result(2), random_result(3)
    difference = paired_bootstrap(a, b, "mAP", samples=200, seed=1)
    values = a.average_precision - b.average_precision
    expected = np.quantile(resample_by_definition(a.probe_pids, values, 200, 1), [0.025, 0.975])
    np.testing.assert_allclose([difference.low, difference.high], expected)
    assert difference.value == pytest.approx(a.mAP - b.mAP)


def test_pairing_cancels_what_is_hard_for_both():
    a = random_result(4)
    b = make_result(a.probe_pids, np.where(np.arange(a.probes) % 6 == 0, 2, a.first_match))  # a little worse everywhere
    difference, own = paired_bootstrap(a, b), bootstrap_interval(a)
    assert difference.low > 0
    assert difference.high - difference.low < own.high - own.low


def test_no_valid_probe():
    interval = bootstrap_interval(make_result([1], [0]))
    assert np.isnan([interval.value, interval.low, interval.high]).all()


@pytest.mark.parametrize("metric", ["rank1", "r0", "map", "r"])
def test_unknown_metric(metric):
    with pytest.raises(
        ValueError, match=f"^bootstrap_interval: metric must be mAP, mINP or r1, r2, ..., got '{metric}'"
    ):
        bootstrap_interval(random_result(0), metric)


def test_errors():
    a = random_result(0)
    with pytest.raises(ValueError, match=r"^paired_bootstrap: both results must be of the same probes"):
        paired_bootstrap(a, random_result(0, people=29))
    with pytest.raises(ValueError, match=r"^bootstrap_interval: samples must be at least 1"):
        bootstrap_interval(a, samples=0)
    with pytest.raises(ValueError, match="confidence in"):
        bootstrap_interval(a, confidence=1.0)
