"""Lists of the best, merged: as if all distances had been sorted."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidops_models.gallery import merge_nearest, nearest_of


@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40),  # many ties
    cuts=st.lists(st.integers(0, 40), max_size=6),
    k=st.sampled_from([1, 2, 3, 12]),
    seed=st.integers(0, 99),
)
def test_blocks_may_be_cut_and_merged_in_any_way(values: list[float], cuts: list[int], k: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    distances = torch.tensor([values, values[::-1]])
    numbers = torch.randperm(100, generator=generator)[: len(values)]
    edges = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    parts = [nearest_of(distances[:, a:b], numbers[a:b], k) for a, b in itertools.pairwise(edges)]
    order = torch.randperm(len(parts), generator=generator).tolist()
    middle = len(order) // 2
    halves = [[parts[i] for i in half] for half in (order[:middle], order[middle:]) if half]
    found = merge_nearest([merge_nearest(half, k) for half in halves], k)
    for row, own in enumerate(distances.tolist()):
        expected = sorted(zip(own, numbers.tolist(), strict=True))[:k]
        assert list(zip(found.distances[row].tolist(), found.numbers[row].tolist(), strict=True)) == expected
    assert found.finite.all()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_one_distance_that_is_not_finite_marks_the_probe(wrong: float) -> None:
    numbers = torch.arange(4)
    distances = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, wrong, 4.0]])
    parts = [nearest_of(distances[:, :2], numbers[:2], 1), nearest_of(distances[:, 2:], numbers[2:], 1)]
    assert merge_nearest(parts, 1).finite.tolist() == [True, False]
