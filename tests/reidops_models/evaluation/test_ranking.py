from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.evaluation import RankingAccumulator, evaluate_ranking, ranking

from .slow import rank_all


def make_problem(seed: int, probes: int, gallery: int, cameras: bool = True) -> dict[str, np.ndarray | None]:
    """Few identities, many ties, some junk, some NaN, some unknown cameras."""
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 6, (probes, gallery)).astype(np.float32)
    distances[rng.random(distances.shape) < 0.1] = np.nan
    return {
        "distances": distances,
        "probe_pids": rng.integers(-1, 5, probes),
        "gallery_pids": rng.integers(-1, 5, gallery),
        "probe_camids": rng.integers(-1, 3, probes) if cameras else None,
        "gallery_camids": rng.integers(-1, 3, gallery) if cameras else None,
    }


@pytest.mark.parametrize("average", ["step", "trapezoid"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), probes=st.integers(0, 9), gallery=st.integers(0, 12), cameras=st.booleans())
def test_agrees_with_the_definition(average, seed, probes, gallery, cameras):
    problem = make_problem(seed, probes, gallery, cameras)
    result = evaluate_ranking(**problem, average_precision=average)
    first, precision, penalty = rank_all(*problem.values(), average)
    np.testing.assert_array_equal(result.first_match, first)
    np.testing.assert_allclose(result.average_precision, precision, rtol=1e-12)
    np.testing.assert_allclose(result.inverse_negative_penalty, penalty, rtol=1e-12)
    assert result.nan_distances == np.isnan(problem["distances"]).sum()
    assert result.invalid_probes == first.count(0)
    hits = [rank for rank in first if rank]
    for k in (1, 2, 7):
        expected = sum(rank <= k for rank in hits) / len(hits) if hits else np.nan
        np.testing.assert_allclose(result.rank(k), expected)


def test_a_ranking_worked_by_hand():
    # ranks: other, right, other, right -> step (1/2 + 2/4) / 2, trapezoid ((0 + 1/2)/2 + (1/3 + 2/4)/2) / 2
    distances = [[0.1, 0.2, 0.3, 0.4]]
    result = evaluate_ranking(torch.tensor(distances), [1], [2, 1, 3, 1], ranks=(1, 2))
    assert result.cmc == {1: 0.0, 2: 1.0}
    assert result.mAP == pytest.approx(0.5)
    official = evaluate_ranking(torch.tensor(distances), [1], [2, 1, 3, 1], average_precision="trapezoid")
    assert official.mAP == pytest.approx((0.25 + 5 / 12) / 2)
    assert result.mINP == official.mINP == pytest.approx(2 / 4)  # two right images, the last at rank 4


def test_the_probes_own_camera_and_junk_leave_the_ranking():
    distances = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    result = evaluate_ranking(distances, [1], [1, -1, 2, 1], probe_camids=[1], gallery_camids=[1, 2, 2, 2])
    assert result.first_match.tolist() == [2]


def test_ties_go_by_place_in_the_gallery():
    result = evaluate_ranking(torch.zeros(2, 3), [5, 6], [5, 7, 6])
    assert result.first_match.tolist() == [1, 3]


def test_invalid_probes_are_counted_and_enter_no_mean():
    distances = torch.tensor([[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]])
    result = evaluate_ranking(distances, [1, 9, 2], [1, 2], [1, 1, 1], [2, 1])
    assert result.invalid_probes == 2  # 9 is not in the gallery, 2 only by its own camera
    assert result.rank(1) == result.mAP == result.mINP == 1.0
    assert result.valid.tolist() == [True, False, False]


def test_no_valid_probe_gives_nan():
    result = evaluate_ranking(torch.zeros(1, 2), [9], [1, 2])
    assert np.isnan(result.mAP)
    assert np.isnan(result.mINP)
    assert np.isnan(result.rank(1))


def test_nan_ranks_behind_infinity():
    result = evaluate_ranking(torch.tensor([[float("nan"), float("inf")]]), [1], [1, 2])
    assert result.first_match.tolist() == [2]
    assert result.nan_distances == 1


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int32])
def test_dtypes(dtype):
    result = evaluate_ranking(torch.tensor([[3, 1, 2]]).to(dtype), [1], [1, 2, 1])
    assert result.first_match.tolist() == [2]


def test_blocks_of_probes_give_the_same_as_the_whole(monkeypatch):
    problem = make_problem(3, 17, 11)
    whole = evaluate_ranking(**problem)
    monkeypatch.setattr(ranking, "_BLOCK_PAIRS", 23)  # two probes at a time inside
    accumulator = RankingAccumulator(problem["gallery_pids"], problem["gallery_camids"])
    for rows in (slice(0, 5), slice(5, 5), slice(5, 17)):
        accumulator.update(problem["distances"][rows], problem["probe_pids"][rows], problem["probe_camids"][rows])
    streamed = accumulator.result()
    np.testing.assert_array_equal(streamed.probe_pids, whole.probe_pids)
    np.testing.assert_array_equal(streamed.first_match, whole.first_match)
    np.testing.assert_array_equal(streamed.average_precision, whole.average_precision)
    np.testing.assert_array_equal(streamed.inverse_negative_penalty, whole.inverse_negative_penalty)
    assert streamed.nan_distances == whole.nan_distances


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": torch.zeros(2, 2)}, r"distances must have shape \(1, 2\).*got \(2, 2\)"),
        ({"probe_pids": [0.5]}, r"probe_pids must be whole numbers of shape \(N,\), got float64"),
        ({"gallery_camids": None}, "gallery_camids must be given"),
        ({"probe_camids": None}, "probe_camids must be given"),
        ({"gallery_camids": [1]}, "gallery_camids must have 2 entries.*got 1"),
        ({"ranks": (0, 1)}, "ranks must be whole numbers from 1 on"),
        ({"average_precision": "area"}, "average_precision must be step or trapezoid, got 'area'"),
    ],
)
def test_errors_name_the_argument(change, message):
    arguments = {
        "distances": torch.zeros(1, 2),
        "probe_pids": [1],
        "gallery_pids": [1, 2],
        "probe_camids": [1],
        "gallery_camids": [1, 2],
    }
    with pytest.raises(ValueError, match=f"^evaluate_ranking: {message}"):
        evaluate_ranking(**arguments | change)


def test_rank_below_one_is_an_error():
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        evaluate_ranking(torch.zeros(1, 1), [1], [1]).rank(0)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float64])
def test_neighbouring_large_distances_are_told_apart(dtype: torch.dtype) -> None:
    distances = torch.tensor([[2**24 + 1, 2**24]], dtype=dtype)
    assert evaluate_ranking(distances, [1], [2, 1]).rank(1) == 1.0
