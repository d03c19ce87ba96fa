"""The baseline of the benchmark computes what it says, so that its time is worth comparing with."""

from __future__ import annotations

import pytest
import torch

import reidops
from benchmarks.features import natural_maps
from benchmarks.pair_by_pair import KAPPA, ridge_distances


def test_it_is_the_mean_residual_norm_of_ridge() -> None:
    probe, gallery = (
        natural_maps(4, (1, 6), (1, 4), 64, seed=1),
        natural_maps(3, (5, 7), (3, 4), 64, seed=2),
    )
    found = ridge_distances(probe, gallery)
    for i, x in enumerate(probe):
        for j, y in enumerate(gallery):
            rebuilt = reidops.sparse_reconstruct(x.flatten(1), y.flatten(1), KAPPA, method="ridge")
            torch.testing.assert_close(found[i, j], rebuilt.error.sqrt().mean(), rtol=1e-3, atol=1e-4)


def test_it_agrees_with_dsr_distance_where_squares_do_not_matter() -> None:
    probe, gallery = natural_maps(5, (1, 1), (1, 1), 64, seed=3), natural_maps(3, (5, 7), (3, 4), 64, seed=4)
    squared = reidops.dsr_distance(probe, gallery, KAPPA, method="ridge")  # of one block, the mean is the square
    torch.testing.assert_close(ridge_distances(probe, gallery).square(), squared, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("nearest", [1, 2])
def test_only_the_nearest_by_cosine_are_computed(nearest: int) -> None:
    probe, gallery = natural_maps(5, (2, 4), (2, 4), 64, seed=5), natural_maps(4, (5, 7), (3, 4), 64, seed=6)
    found = ridge_distances(probe, gallery, nearest=nearest)
    for row, x in zip(found, probe, strict=True):
        cosines = torch.stack([torch.cosine_similarity(x.mean((1, 2)), y.mean((1, 2)), dim=0) for y in gallery])
        assert set(row.isfinite().nonzero().flatten().tolist()) == set(cosines.topk(nearest).indices.tolist())
