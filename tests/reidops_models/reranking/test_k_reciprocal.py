"""k-reciprocal re-ranking against the paper's equations, written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from reidops_models.reranking import NeighbourLists, k_reciprocal, neighbour_lists
from reidops_models.reranking.neighbours import pairs_of
from tests.reidops_models.reranking.oracle import final_distances, jaccard_distances


def distances_of(seed: int, count: int, kind: str) -> np.ndarray:
    """(N, N) between points in clusters; `ties`: few different values; `asymmetric`: not those of a metric."""
    random = np.random.default_rng(seed)
    points = random.normal(size=(count, 3)) + 4 * random.integers(0, 3, size=(count, 1))
    table = np.linalg.norm(points[:, None] - points, axis=2)
    if kind == "ties":
        table = np.round(table / 2) + 1.0
    if kind == "asymmetric":
        table *= random.uniform(0.5, 1.5, size=table.shape)
    if kind == "equal":
        table[:] = 1
    return table


cases = st.tuples(st.integers(0, 10**6), st.integers(2, 14), st.sampled_from(["metric", "ties", "asymmetric", "equal"]))


@settings(max_examples=60, deadline=None)
@given(cases, st.data(), st.integers(1, 20), st.integers(1, 8), st.sampled_from([0.0, 0.3, 1.0]))
def test_all_lists_give_the_papers_distances(
    case: tuple[int, int, str], data: st.DataObject, k1: int, k2: int, weight: float
) -> None:
    table = distances_of(*case)
    count = len(table)
    probes = data.draw(st.integers(1, count - 1))
    found = k_reciprocal(neighbour_lists(table, count, count), probes, k1=k1, k2=k2, weight=weight, unit=2.0)
    expected = final_distances(table, probes, k1, k2, 2.0, weight)
    rows = found.rows(table[:probes, probes:])
    assert_allclose(rows, expected, rtol=0, atol=1e-12)
    jaccard = jaccard_distances(table, probes, k1, k2, 2.0)
    assert_array_equal(found.similarity.toarray() > 0, jaccard < 1)  # no more is stored than differs from 1
    for p in range(probes):
        places, final, certain = found.shortlist(p)
        assert certain == len(places) == count - probes
        assert_allclose(final, np.sort(expected[p]), rtol=0, atol=1e-12)
        assert_allclose(expected[p][places], final, rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(cases, st.data(), st.integers(1, 5), st.integers(1, 4), st.sampled_from([0.0, 0.3, 1.0]))
def test_short_lists_with_pairs_give_the_same_and_say_how_far(
    case: tuple[int, int, str], data: st.DataObject, k1: int, k2: int, weight: float
) -> None:
    table = distances_of(*case)
    count = len(table)
    probes = data.draw(st.integers(1, count - 1))
    lists = neighbour_lists(table, count, max(k1, k2), rows=3, columns=4)
    found = k_reciprocal(lists, probes, k1=k1, k2=k2, weight=weight, unit=2.0, pairs=pairs_of(table))
    expected = final_distances(table, probes, k1, k2, 2.0, weight)
    assert_allclose(found.rows(table[:probes, probes:]), expected, rtol=0, atol=1e-12)
    for p in range(probes):
        places, final, certain = found.shortlist(p)
        assert_allclose(final, expected[p][places], rtol=0, atol=1e-12)
        assert_allclose(final[:certain], np.sort(expected[p])[:certain], rtol=0, atol=1e-12)


def test_without_pairs_what_is_beyond_the_list_is_as_far_as_its_end() -> None:
    table = distances_of(1, 40, "metric")
    lists = neighbour_lists(table, 40, 4)
    exact = k_reciprocal(lists, 10, k1=4, k2=1, weight=0, unit=2.0, pairs=pairs_of(table))
    cut = k_reciprocal(lists, 10, k1=4, k2=1, weight=0, unit=2.0)
    at_most = np.minimum(table, lists.distances[:, [-1]])
    as_cut = k_reciprocal(lists, 10, k1=4, k2=1, weight=0, unit=2.0, pairs=pairs_of(at_most))
    assert_array_equal(cut.similarity.toarray(), as_cut.similarity.toarray())
    assert not np.array_equal(cut.similarity.toarray(), exact.similarity.toarray())
    assert_array_equal(cut.similarity.toarray() > 0, exact.similarity.toarray() > 0)  # the same pairs


def test_another_scale_of_the_distances_changes_nothing() -> None:
    table = distances_of(2, 30, "asymmetric")
    one, other = (k_reciprocal(neighbour_lists(scale * table, 30, 12), 8, k1=6, k2=3) for scale in (1, 1024))
    assert_array_equal(one.similarity.toarray(), other.similarity.toarray())
    assert_array_equal(one.rows(table[:8, 8:]), other.rows(1024 * table[:8, 8:]))


def test_blocks_of_probes_make_the_rows_of_all() -> None:
    table = distances_of(3, 30, "metric")
    found = k_reciprocal(neighbour_lists(table, 30, 12), 8, k1=6, k2=3)
    given = table[:8, 8:]
    assert_array_equal(np.concatenate([found.rows(given[:5]), found.rows(given[5:], start=5)]), found.rows(given))


def test_people_who_are_neighbours_of_neighbours_come_closer() -> None:
    places = np.array([0.0, -1.1, 1.0, 1.2, 1.4, 9.0])  # the probe is a little nearer to its group than to the loner
    table = abs(places[:, None] - places)
    found = k_reciprocal(neighbour_lists(table, 6, 5), 1, k1=3, k2=1, weight=0)
    assert found.shortlist(0)[0].tolist()[:3] == [1, 2, 3]


def test_nothing_to_rank() -> None:
    table = distances_of(4, 6, "metric")
    lists = neighbour_lists(table, 6, 3)
    assert k_reciprocal(lists, 0, k1=3, k2=1).similarity.shape == (0, 6)
    assert k_reciprocal(lists, 6, k1=3, k2=1).similarity.shape == (6, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 5}, "k_reciprocal: k1=5 and k2=6 need lists of 5 neighbours, got 3"),
        ({"k1": 0, "k2": 1}, "k1 and k2 must be 1 or more, got 0 and 1"),
        ({"k1": 2, "k2": 1, "weight": 1.5}, "weight must be in \\[0, 1\\], got 1.5"),
        ({"k1": 2, "k2": 1, "unit": 0.0}, "unit must be above 0, got 0.0"),
    ],
)
def test_what_it_refuses(options: dict[str, float], message: str) -> None:
    lists = neighbour_lists(distances_of(5, 8, "metric"), 8, 3)
    with pytest.raises(ValueError, match=message):
        k_reciprocal(lists, 2, **options)  # type: ignore[arg-type]


def test_it_refuses_negative_distances() -> None:
    lists = neighbour_lists(distances_of(5, 8, "metric") - 9, 8, 3)
    with pytest.raises(ValueError, match="distances must be 0 or more, got -"):
        k_reciprocal(lists, 2, k1=3, k2=1)


def test_it_refuses_more_probes_than_lists() -> None:
    lists = NeighbourLists(np.zeros((2, 1), dtype=np.int64), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="probes must be from 0 to 2, the number of lists, got 3"):
        k_reciprocal(lists, 3, k1=1, k2=1)
