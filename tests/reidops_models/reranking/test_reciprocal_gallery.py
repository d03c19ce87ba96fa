"""Probes one by one, against the paper's equations with neighbours from the gallery."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from reidops_models.reranking import ReciprocalGallery, neighbour_lists
from reidops_models.reranking.neighbours import pairs_of
from tests.reidops_models.reranking.oracle import final_distances_to_gallery


def drawn(seed: int, probes: int, gallery: int, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """d(p, g) (P, G), d(g, p) (P, G), and d(g, g') (G, G)."""
    random = np.random.default_rng(seed)
    count = probes + gallery
    points = random.normal(size=(count, 3)) + 4 * random.integers(0, 3, size=(count, 1))
    table = np.linalg.norm(points[:, None] - points, axis=2)
    if kind == "ties":
        table = np.round(table / 2) + 1.0
    if kind == "asymmetric":
        table *= random.uniform(0.5, 1.5, size=table.shape)
    return table[:probes, probes:], table[probes:, :probes].T.copy(), table[probes:, probes:]


def reranked(gallery: ReciprocalGallery, there: np.ndarray, back: np.ndarray) -> np.ndarray:
    return gallery.rerank(there, np.take_along_axis(back, gallery.nearest(there), axis=1))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.sampled_from(["metric", "ties", "asymmetric"]),
    st.integers(1, 14),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_each_probe_has_the_papers_distances(seed: int, count: int, kind: str, k1: int, k2: int, weight: float) -> None:
    there, back, table = drawn(seed, 3, count, kind)
    lists = neighbour_lists(table, count, max(k1, k2))
    gallery = ReciprocalGallery(lists, k1=k1, k2=k2, weight=weight, unit=2.0, pairs=pairs_of(table))
    found = reranked(gallery, there, back)
    for row, *sides in zip(found, there, back, strict=True):
        assert_allclose(row, final_distances_to_gallery(*sides, table, k1, k2, 2.0, weight), rtol=0, atol=1e-12)


def test_probes_do_not_look_at_each_other() -> None:
    there, back, table = drawn(1, 5, 30, "metric")
    gallery = ReciprocalGallery(neighbour_lists(table, 30, 12), k1=6, k2=3)
    alone = [reranked(gallery, there[i : i + 1], back[i : i + 1]) for i in range(5)]
    assert_array_equal(reranked(gallery, there, back), np.concatenate(alone))


def test_what_is_not_comparable_stays_so_and_is_nobodys_neighbour() -> None:
    there, back, table = drawn(2, 1, 12, "metric")
    gallery = ReciprocalGallery(neighbour_lists(table, 12, 11), k1=4, k2=2)
    there[0, [3, 7]] = np.inf, np.nan
    found = reranked(gallery, there, back)
    assert found[0, 3] == np.inf
    assert np.isnan(found[0, 7])
    assert np.isfinite(np.delete(found, [3, 7])).all()


def test_what_it_refuses() -> None:
    there, _, table = drawn(3, 1, 12, "metric")
    gallery = ReciprocalGallery(neighbour_lists(table, 12, 11), k1=4, k2=2)
    with pytest.raises(ValueError, match=r"back must have shape \(1, 4\), got \(1, 3\)"):
        gallery.rerank(there, np.zeros((1, 3)))
