"""Counted ranks are the ranks of a sorted list: ties by place, NaN last, whatever is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.evaluation import counting
from reidops_models.evaluation.counting import ranks_of

VALUES = st.sampled_from([0.0, -0.0, 0.25, 0.5, -1.0, math.inf, -math.inf, math.nan])


def by_definition(distances: list[float], right: list[int], removed: list[int]) -> list[int]:
    places = [place for place in range(len(distances)) if place not in removed]
    places.sort(
        key=lambda place: (math.isnan(distances[place]), 0 if math.isnan(distances[place]) else distances[place])
    )
    return [1 + places.index(place) for place in right]


@pytest.mark.parametrize("sort_from", [1, 512])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_agrees_with_a_sorted_list(sort_from: int, data: st.DataObject) -> None:
    distances = data.draw(st.lists(VALUES, max_size=12))
    kinds = data.draw(st.lists(st.sampled_from("rxo"), min_size=len(distances), max_size=len(distances)))
    right, removed = ([place for place, kind in enumerate(kinds) if kind == which] for which in "rx")
    values = np.array(distances, np.float32)
    given_values = values.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "SORT_FROM", sort_from)
        ranks = ranks_of(values, np.array(right, np.int64), np.array(removed, np.int64))
    assert ranks.tolist() == by_definition(distances, right, removed)
    np.testing.assert_array_equal(values, given_values)


def test_both_ways_agree_on_a_large_gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    distances = rng.integers(0, 500, 5000).astype(np.float64)  # ten at each distance
    places = rng.permutation(5000)
    counted = ranks_of(distances, places[:100], places[100:300])
    monkeypatch.setattr(counting, "SORT_FROM", 1)
    assert np.array_equal(counted, ranks_of(distances, places[:100], places[100:300]))
