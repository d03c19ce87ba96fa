"""Query expansion against its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from torch.testing import assert_close

from reidops_models.reranking import expand_descriptors, expand_distances


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("k", [0, 2, 50])
def test_descriptors_are_weighted_means_of_unit_length(k: int, alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = (torch.randn(count, 6, dtype=torch.float64, generator=generator) for count in (4, 9))
    found = expand_descriptors(probes, gallery, k, alpha)
    for row, probe in zip(found, F.normalize(probes, dim=1), strict=True):
        near = sorted(F.normalize(gallery, dim=1), key=lambda image: -float(image @ probe))[:k]
        weights = [max(0.0, float(image @ probe)) ** alpha if alpha else 1.0 for image in near]
        total = probe + sum(weight * image for weight, image in zip(weights, near, strict=True))
        assert_close(row, total / total.norm())


@pytest.mark.parametrize("k", [0, 1, 3, 50])
def test_distances_are_means_over_the_probe_and_its_nearest(k: int) -> None:
    random = np.random.default_rng(0)
    distances, gallery = random.random((5, 7)), random.random((7, 7))
    found = expand_distances(distances, gallery, k)
    for row, own in zip(found, distances, strict=True):
        near = np.argsort(own)[:k]
        assert_allclose(row, np.mean([own, *gallery[near]], axis=0), rtol=1e-12)


def test_blocks_of_probes_give_the_same_bits_and_rows_are_asked_for_once() -> None:
    random = np.random.default_rng(1)
    distances, gallery = random.random((6, 7)), random.random((7, 7))
    asked: list[int] = []

    def rows(places: np.ndarray) -> np.ndarray:
        asked.extend(places.tolist())
        return gallery[places]

    whole = expand_distances(distances, rows, 2)
    assert len(asked) == len(set(asked))
    halves = np.concatenate([expand_distances(part, gallery, 2) for part in (distances[:3], distances[3:])])
    assert_array_equal(whole, halves)


def test_nobody_to_expand() -> None:
    assert expand_descriptors(torch.zeros(0, 3), torch.zeros(2, 3)).shape == (0, 3)
    assert_close(expand_descriptors(torch.tensor([[0.0, 2.0]]), torch.zeros(0, 2)), torch.tensor([[0.0, 1.0]]))
    assert expand_distances(np.zeros((0, 2)), np.zeros((2, 2))).shape == (0, 2)


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match=r"expected descriptors \(P, C\) and \(G, C\), got \(2, 3\) and \(2, 4\)"):
        expand_descriptors(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="k must be 0 or more, got -1"):
        expand_descriptors(torch.zeros(2, 3), torch.zeros(2, 3), -1)
    with pytest.raises(ValueError, match="alpha must be 0 or more, got -1"):
        expand_descriptors(torch.zeros(2, 3), torch.zeros(2, 3), alpha=-1)
    with pytest.raises(ValueError, match=r"expected distances of shape \(1, 2\) in the gallery, got \(1, 3\)"):
        expand_distances(np.zeros((1, 2)), np.zeros((3, 3)), 1)
