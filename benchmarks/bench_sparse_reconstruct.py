"""The solvers by name against each other: the time of a column, and the certified gap that it was left with.

One thing at a time is varied about 128 atoms of 512 channels at beta 0.4, correlated as a network's features are:
beta, the number of atoms, of channels, and how alike neighbouring atoms are. The call is the public one, with its
products and coefficients. FISTA ends after so many iterations, or when it is certified; ridge has another optimum.

    pytest benchmarks/bench_sparse_reconstruct.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import reidops
from reidops._ops.sparse_reconstruct_gram import SOLVERS

from .features import SMOOTHNESS, feature_maps

PROBES, GALLERY = 2, 8  # images on either side


class Case(NamedTuple):
    height: int = 16
    width: int = 8
    channels: int = 512
    beta: float = 0.4
    smoothness: float = SMOOTHNESS  # of the features over the map, in locations


CASES = {
    "128 atoms, 512 channels, beta 0.4": Case(),
    "beta 0.1": Case(beta=0.1),
    "beta 0.05": Case(beta=0.05),
    "32 atoms": Case(8, 4),
    "320 atoms": Case(20, 16),
    "192 channels": Case(channels=192),
    "2048 channels": Case(channels=2048),
    "atoms unlike each other": Case(smoothness=0.0),
    "atoms much alike": Case(smoothness=3.0),
}

ROWS: dict[str, dict[str, Any]] = {
    **{solver: {"solver": solver} for solver in SOLVERS},
    **{f"fista, {n} iterations": {"solver": "fista", "max_iterations": n} for n in (30, 100, 300)},
    "ridge": {"method": "ridge"},
}


def columns_and_atoms(case: Case) -> tuple[Tensor, Tensor]:
    """``(probes, 1, d, N)`` and ``(gallery, d, M)``."""
    shape = case.height, case.width, case.channels
    probe, gallery = (
        feature_maps(images, *shape, seed=seed, smoothness=case.smoothness).flatten(2)
        for seed, images in enumerate((PROBES, GALLERY), start=1)
    )
    return probe[:, None], gallery


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("solver", ROWS)
def test_solver(benchmark: Any, solver: str, name: str) -> None:
    x, y = columns_and_atoms(CASES[name])
    beta, options = CASES[name].beta, ROWS[solver]
    result = reidops.sparse_reconstruct(x, y, beta, **options)
    benchmark.group = name
    benchmark.extra_info.update(
        columns=result.gap.numel(),
        threads=torch.get_num_threads(),
        largest_gap=result.gap.max().item(),
        nonzeros=(result.coefficients != 0).float().sum(-2).mean().item(),
    )
    benchmark.pedantic(lambda: reidops.sparse_reconstruct(x, y, beta, **options), rounds=3, warmup_rounds=1)
