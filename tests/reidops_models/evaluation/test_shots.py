from __future__ import annotations

import numpy as np
import pytest
import torch

from reidops_models.evaluation import (
    bootstrap_interval,
    evaluate_multi_shot,
    evaluate_ranking,
    evaluate_single_shot,
    paired_bootstrap,
    pool_rankings,
    ranking,
)

from .test_ranking import make_problem


def shot_by_definition(problem, shuffled):
    """One repeat in plain loops: walk the shuffled gallery, keep the first image of each identity that the protocol
    leaves."""
    firsts = []
    for row, pid, camid in zip(problem["distances"], problem["probe_pids"], problem["probe_camids"], strict=True):
        chosen = {}
        for g in shuffled:
            identity, camera = problem["gallery_pids"][g], problem["gallery_camids"][g]
            if identity >= 0 and not (identity == pid and camera == camid and camid >= 0):
                chosen.setdefault(identity, g)
        ranked = sorted(chosen.values(), key=lambda g: (np.isnan(row[g]), np.nan_to_num(row[g]), g))
        ranked = [problem["gallery_pids"][g] for g in ranked]
        firsts.append(ranked.index(pid) + 1 if pid in ranked else 0)
    return firsts


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_definition(seed):
    problem = make_problem(seed, 9, 14)
    result = evaluate_single_shot(**problem, repeats=3, seed=seed)
    rng = np.random.default_rng(seed)
    expected = [first for _ in range(3) for first in shot_by_definition(problem, rng.permutation(14))]
    np.testing.assert_array_equal(result.first_match, expected)
    valid = result.valid
    np.testing.assert_allclose(result.average_precision[valid], 1 / result.first_match[valid])
    assert np.isnan(result.average_precision[~valid]).all()


def test_one_image_an_identity_is_the_plain_ranking():
    distances = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
    plain = evaluate_ranking(distances, [1, 2, 3, 4, 1, 2], [1, 2, 3, 4])
    single = evaluate_single_shot(distances, [1, 2, 3, 4, 1, 2], [1, 2, 3, 4], repeats=2)
    assert single.probes == 12
    assert single.cmc == plain.cmc
    assert single.mAP == pytest.approx(plain.mAP)


def test_distractors_all_stay():
    distances = torch.tensor([[0.4, 0.1, 0.2, 0.3]])
    gallery = [7, 0, 0, 0]
    assert evaluate_single_shot(distances, [7], gallery, repeats=1).first_match.tolist() == [2]
    assert evaluate_single_shot(distances, [7], gallery, repeats=1, distractor_pid=0).first_match.tolist() == [4]


def test_seeded():
    problem = make_problem(1, 30, 40)
    once, again, other = (evaluate_single_shot(**problem, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(once.first_match, again.first_match)
    assert (once.first_match != other.first_match).any()


def test_the_bootstrap_keeps_the_repeats_of_an_identity_together():
    # One identity always right, one always wrong: whatever the repeats, only 0, 1/2 and 1 can be drawn.
    result = evaluate_single_shot(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), [1, 2], [1, 2], repeats=50)
    interval = bootstrap_interval(result, "r1", samples=200)
    assert (interval.low, interval.value, interval.high) == (0.0, 0.5, 1.0)


def test_empty_gallery():
    result = evaluate_single_shot(torch.zeros(2, 0), [1, 2], [])
    assert result.invalid_probes == result.probes == 20


def test_errors():
    with pytest.raises(ValueError, match=r"^evaluate_single_shot: repeats must be at least 1, got 0"):
        evaluate_single_shot(torch.zeros(1, 1), [1], [1], repeats=0)
    with pytest.raises(ValueError, match=r"^evaluate_single_shot: distances must have shape \(1, 1\)"):
        evaluate_single_shot(torch.zeros(2, 1), [1], [1])


def test_ranks_from_one_on():
    with pytest.raises(ValueError, match="evaluate_single_shot: ranks must be whole numbers from 1 on"):
        evaluate_single_shot(np.zeros((1, 1)), [1], [1], ranks=(0,))


# --- several images a person ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_a_person_is_as_far_as_its_images_are_on_average(shots: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pids, gallery = rng.integers(0, 5, 9), rng.integers(-1, 5, 25)
    camids, cameras = rng.integers(0, 3, 9), rng.integers(0, 3, 25)
    distances = rng.random((9, 25))
    result = evaluate_multi_shot(distances, pids, gallery, camids, cameras, shots=shots, repeats=1, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(25).tolist()
    for probe in range(9):
        means, right = {}, set()
        for person in sorted({*gallery.tolist()} - {-1}):
            own = [
                g
                for g in shuffled
                if gallery[g] == person and not (person == pids[probe] and cameras[g] == camids[probe])
            ][:shots]
            if own:
                means[person] = sum(distances[probe, g] for g in own) / len(own)
                if person == pids[probe]:
                    right.add(person)
        ranking = sorted(means, key=lambda person: (means[person], person))
        expected = ranking.index(pids[probe]) + 1 if right else 0
        assert result.first_match[probe] == expected
        if expected:
            assert result.average_precision[probe] == pytest.approx(1 / expected)


def test_one_shot_is_single_shot() -> None:
    rng = np.random.default_rng(0)
    given = (rng.random((20, 30)), rng.integers(0, 6, 20), rng.integers(0, 6, 30))
    one = evaluate_multi_shot(*given, shots=1, repeats=4, seed=3)
    single = evaluate_single_shot(*given, repeats=4, seed=3)
    assert np.array_equal(one.first_match, single.first_match)
    assert np.array_equal(one.probe_pids, single.probe_pids)


@pytest.mark.parametrize("shots", [1, 3])
def test_many_pairs_are_ranked_in_blocks(shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = make_problem(2, 9, 14)
    whole = evaluate_multi_shot(**given, shots=shots, repeats=2), evaluate_single_shot(**given, repeats=2)
    monkeypatch.setattr(ranking, "_BLOCK_PAIRS", 30)  # two probes
    blocks = evaluate_multi_shot(**given, shots=shots, repeats=2), evaluate_single_shot(**given, repeats=2)
    for once, parts in zip(whole, blocks, strict=True):
        assert np.array_equal(once.first_match, parts.first_match)
        assert np.array_equal(once.probe_pids, parts.probe_pids)


def test_refusals_of_multi_shot() -> None:
    assert evaluate_multi_shot(torch.zeros(2, 0), [1, 2], [], shots=3).invalid_probes == 20
    with pytest.raises(ValueError, match="evaluate_multi_shot: shots must be at least 1, got 0"):
        evaluate_multi_shot(torch.zeros(1, 1), [1], [1], shots=0)


def test_pooled_results_keep_their_people_apart() -> None:
    near, far = torch.tensor([[0.1, 0.9], [0.9, 0.1]]), torch.tensor([[0.9, 0.1], [0.9, 0.1]])
    results = [evaluate_ranking(distances, [1, 2], [1, 2]) for distances in (near, far)]
    pooled = pool_rankings(results)
    assert pooled.rank(1) == 0.75
    assert pooled.probe_pids.tolist() == [0, 1, 2, 3]
    difference = paired_bootstrap(pooled, pool_rankings(results[::-1]), "r1")
    assert difference.value == 0
    with pytest.raises(ValueError, match="at least one result"):
        pool_rankings([])
