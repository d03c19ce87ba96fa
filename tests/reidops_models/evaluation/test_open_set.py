"""Open-set rates, held against plain loops over probes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reidops_models.evaluation import OpenSetAccumulator, evaluate_open_set

from .slow import is_right, same
from .test_ranking import make_problem


def nearest_one_by_one(given: dict[str, np.ndarray]) -> list[tuple[bool, float, bool]]:
    """Of each probe: whether it is known, the distance of its nearest image, whether that is right."""
    found = []
    gallery, cameras = given["gallery_pids"].tolist(), given["gallery_camids"].tolist()
    probes = zip(given["distances"].tolist(), given["probe_pids"].tolist(), given["probe_camids"].tolist())
    for row, pid, camid in probes:
        right = [g for g in range(len(row)) if is_right(g, pid, camid, gallery, cameras)]
        ranked = [
            g
            for g in range(len(row))
            if gallery[g] >= 0 and not (same(g, pid, gallery) and g not in right) and not math.isnan(row[g])
        ]
        first = min(ranked, key=lambda g: (row[g], g), default=None)
        found.append((bool(right), math.inf if first is None else row[first], first in right))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_loops(seed: int) -> None:
    given = make_problem(seed, 12, 9)
    result = evaluate_open_set(**given)
    expected = nearest_one_by_one(given)
    assert list(zip(result.known.tolist(), result.nearest.tolist(), result.right.tolist())) == expected
    known = [one for one in expected if one[0]]
    unknown = sorted(one[1] for one in expected if not one[0])
    assert result.unknown_probes == len(unknown)
    for threshold in (-1.0, 0.0, 2.5, 7.0):
        if known:
            hits = sum(right and distance <= threshold for _, distance, right in known)
            assert result.identified_at(threshold) == pytest.approx(hits / len(known))
        if unknown:
            alarms = sum(distance <= threshold for distance in unknown)
            assert result.false_alarms_at(threshold) == pytest.approx(alarms / len(unknown))


def test_a_threshold_keeps_its_false_alarm_rate_and_is_the_largest() -> None:
    rng = np.random.default_rng(0)
    pids = np.arange(300)  # the last 100 are strangers
    distances = (rng.random((300, 200)) + 0.5 * (pids[:, None] != np.arange(200))).astype(np.float32)
    result = evaluate_open_set(distances, pids, np.arange(200))
    strangers = np.sort(distances[200:].min(axis=1))
    for rate in (0.0, 0.01, 0.07, 0.5, 0.995):
        threshold = result.threshold_at(rate)
        assert result.false_alarms_at(threshold) <= rate
        allowed = int(rate * 100 + 1e-9)
        assert threshold == np.nextafter(strangers[allowed], np.float32(-1))
        nearest, right = distances[:200].min(axis=1), distances[:200].argmin(axis=1) == pids[:200]
        assert result.identification_rate(rate) == pytest.approx((right & (nearest <= threshold)).mean())
    assert result.threshold_at(1.0) == math.inf
    assert result.identification_rate(1.0) == pytest.approx(right.mean())  # closed set: rank-1


def test_blocks_of_probes_are_all_probes() -> None:
    given = make_problem(3, 17, 11)
    whole = evaluate_open_set(**given)
    accumulator = OpenSetAccumulator(given["gallery_pids"], given["gallery_camids"])
    for rows in (slice(0, 5), slice(5, 5), slice(5, 17)):
        accumulator.update(given["distances"][rows], given["probe_pids"][rows], given["probe_camids"][rows])
    parts = accumulator.result()
    for name in ("probe_pids", "known", "nearest", "right"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))


def test_nobody_unknown_or_nobody_known() -> None:
    everybody = evaluate_open_set(torch.tensor([[0.1, 0.2]]), [1], [1, 2])
    assert np.isnan(everybody.identification_rate(0.1))
    assert np.isnan(everybody.false_alarms_at(0.1))
    with pytest.raises(ValueError, match="every probe has a right image in the gallery"):
        everybody.threshold_at(0.1)
    nobody = evaluate_open_set(torch.tensor([[0.1, 0.2]]), [9], [1, 2])
    assert np.isnan(nobody.identification_rate(0.1))
    with pytest.raises(ValueError, match=r"a rate must be in \[0, 1\], got 2"):
        nobody.threshold_at(2)
    empty = evaluate_open_set(torch.zeros(2, 0), [1, 2], [])
    assert empty.nearest.tolist() == [math.inf] * 2
