"""Nearest-neighbour lists from blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from reidops_models.reranking import neighbour_lists


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 25), st.integers(1, 7), st.integers(1, 7), st.booleans()
)
def test_blocks_of_any_size_give_what_sorting_gives(
    seed: int, count: int, k: int, rows: int, columns: int, ties: bool
) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, 4, size=(count, count)).astype(float) if ties else random.normal(size=(count, count))
    table[random.random(table.shape) < 0.1] = np.nan
    lists = neighbour_lists(table.copy(), count, k, rows=rows, columns=columns)
    others = np.where(np.eye(count, dtype=bool) | np.isnan(table), np.inf, table)
    order = np.argsort(others, axis=1, kind="stable")[:, : lists.indices.shape[1]]
    distances = np.take_along_axis(others, order, axis=1)
    assert_array_equal(lists.distances, distances)
    assert_array_equal(lists.indices, np.where(np.isfinite(distances), order, -1))


def test_blocks_may_be_tensors_and_are_asked_for_once() -> None:
    table = torch.rand(9, 9, generator=torch.Generator().manual_seed(0))
    asked = np.zeros((9, 9), dtype=int)

    def block(rows: slice, columns: slice) -> torch.Tensor:
        asked[rows, columns] += 1
        return table[rows, columns]

    lists = neighbour_lists(block, 9, 3, rows=4, columns=5)
    assert (asked == 1).all()
    assert_array_equal(lists.indices, neighbour_lists(table, 9, 3).indices)


def test_the_matrix_stays_as_it_is() -> None:
    table = np.array([[0.0, np.nan], [1.0, 0.0]])
    neighbour_lists(table, 2, 1)
    assert_array_equal(table, [[0.0, np.nan], [1.0, 0.0]])


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="k must be 1 or more, got 0"):
        neighbour_lists(np.zeros((2, 2)), 2, 0)
    with pytest.raises(ValueError, match=r"expected a block of distances of shape \(3, 3\), got \(2, 2\)"):
        neighbour_lists(np.zeros((2, 2)), 3, 1)
