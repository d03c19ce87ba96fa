"""Scores of a distance matrix of Market-1501's size, 3,368 x 19,732, against the usual way.

The floor is one pass over the matrix (its sum). The rival is what re-ID toolboxes do in NumPy: sort every row, then go
through the probes in a loop. Their compiled versions do the same; `docs/evaluation.md` says what is known of them.

    pytest benchmarks/bench_evaluation.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from reidops_models.evaluation import evaluate_multi_shot, evaluate_ranking, evaluate_verification

PROBES, GALLERY, PEOPLE, CAMERAS = 3_368, 19_732, 750, 6
GROUP = "CMC, mAP and mINP of 3,368 x 19,732"
PAIRS = "thresholds and ROC of 3,368 x 19,732"
SHOTS = "3 shots, one draw, of 337 x 19,732"


class Search(NamedTuple):
    distances: np.ndarray
    probe_pids: np.ndarray
    gallery_pids: np.ndarray
    probe_camids: np.ndarray
    gallery_camids: np.ndarray


@cache
def search(probes: int = PROBES) -> Search:
    """Random distances; every person is right about as often as in Market-1501, 14 times."""
    rng = np.random.default_rng(0)
    distances = rng.random((probes, GALLERY), dtype=np.float32)
    in_gallery = PEOPLE * 20 // 13  # about a third of the gallery shows nobody who is searched for
    sides = ((PEOPLE, probes), (in_gallery, GALLERY), (CAMERAS, probes), (CAMERAS, GALLERY))
    return Search(distances, *(rng.integers(0, high, size) for high, size in sides))


def sort_and_loop(given: Search) -> tuple[float, float]:
    """Rank-1 and mAP by sorting each row, probe by probe."""
    order = np.argsort(given.distances, axis=1, kind="stable")
    right = (given.gallery_pids[order] == given.probe_pids[:, None]).astype(np.int32)
    first, precision = [], []
    for probe in range(len(order)):
        own = order[probe]
        person, camera = given.probe_pids[probe], given.probe_camids[probe]
        kept = ~((given.gallery_pids[own] == person) & (given.gallery_camids[own] == camera))
        matches = right[probe][kept]
        if not matches.any():
            continue
        first.append(matches[0])
        so_far = matches.cumsum() / np.arange(1, len(matches) + 1)
        precision.append((so_far * matches).sum() / matches.sum())
    return float(np.mean(first)), float(np.mean(precision))


def measure(benchmark: Any, group: str, run: Any, rounds: int = 5) -> Any:
    benchmark.group = group
    benchmark.extra_info.update(calls=1, threads=1)
    return benchmark.pedantic(run, rounds=rounds, warmup_rounds=1)


@pytest.mark.parametrize("group", [GROUP, PAIRS])
def test_floor_one_pass(benchmark: Any, group: str) -> None:
    measure(benchmark, group, search().distances.sum)


def test_evaluate_ranking(benchmark: Any) -> None:
    found = measure(benchmark, GROUP, lambda: evaluate_ranking(*search()))
    whole = search()
    part = whole._replace(
        distances=whole.distances[:100], probe_pids=whole.probe_pids[:100], probe_camids=whole.probe_camids[:100]
    )
    rank_1, mean_precision = sort_and_loop(part)
    ours = evaluate_ranking(*part)
    assert (ours.rank(1), ours.mAP) == pytest.approx((rank_1, mean_precision))
    assert found.probes == PROBES


def test_sort_and_loop_in_numpy(benchmark: Any) -> None:
    measure(benchmark, GROUP, lambda: sort_and_loop(search()), rounds=1)


def test_evaluate_verification(benchmark: Any) -> None:
    measure(benchmark, PAIRS, lambda: evaluate_verification(*search()))


def test_floor_one_pass_of_a_tenth(benchmark: Any) -> None:
    measure(benchmark, SHOTS, search(337).distances.sum)


def test_evaluate_multi_shot(benchmark: Any) -> None:
    measure(benchmark, SHOTS, lambda: evaluate_multi_shot(*search(337), shots=3, repeats=1), rounds=3)
