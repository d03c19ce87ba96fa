"""The lasso solvers against each other on one Gram problem: time a column at the certified gap they reached.

pytest benchmarks/bench_sparse_reconstruct.py --benchmark-json=results.json && python -m benchmarks.table results.json
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reidops.reference import fista
from reidops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram

from .features import feature_maps

ATOMS = {32: (8, 4), 128: (16, 8), 320: (20, 16)}
BETAS = (0.1, 0.4)
GALLERY = 8


def gram_form(atoms: int) -> tuple[torch.Tensor, ...]:
    height, width = ATOMS[atoms]
    columns = feature_maps(2, height, width, 512, seed=1).flatten(2).mT.flatten(0, 1)
    gallery = feature_maps(GALLERY, height, width, 512, seed=2).flatten(2).mT.contiguous()
    correlation = (columns @ gallery.flatten(0, 1).mT).unflatten(1, (GALLERY, atoms))
    energy = columns.square().sum(1)[:, None].expand(-1, GALLERY)
    return gallery @ gallery.mT, correlation, energy


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("atoms", ATOMS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solver(benchmark: Any, solver: str, atoms: int, beta: float) -> None:
    gram, correlation, energy = gram_form(atoms)
    _, gap, w = sparse_reconstruct_gram(
        gram, correlation, energy, None, None, beta, solver=solver, return_coefficients=True
    )
    benchmark.group = f"{atoms} atoms, beta {beta}"
    benchmark.extra_info.update(
        columns=gap.numel(),
        threads=torch.get_num_threads(),
        largest_gap=gap.max().item(),
        nonzeros=(w != 0).float().sum(-1).mean().item(),
    )
    benchmark.pedantic(
        lambda: sparse_reconstruct_gram(gram, correlation, energy, None, None, beta, solver=solver),
        rounds=9,
        warmup_rounds=1,
    )


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("atoms", ATOMS)
def test_fista_100_iterations(benchmark: Any, atoms: int, beta: float) -> None:
    gram, correlation, energy = gram_form(atoms)
    c = correlation.transpose(0, 1).contiguous()
    w = fista(gram, c, beta, iterations=100)
    benchmark.group = f"{atoms} atoms, beta {beta}"
    gap = relative_gap(gram, c, energy.mT, w, beta)
    benchmark.extra_info.update(columns=energy.numel(), threads=torch.get_num_threads(), largest_gap=gap)
    benchmark.pedantic(lambda: fista(gram, c, beta, iterations=100), rounds=5, warmup_rounds=1)


def relative_gap(gram: torch.Tensor, c: torch.Tensor, energy: torch.Tensor, w: torch.Tensor, beta: float) -> float:
    """The largest duality gap of coefficients ``(G, R, M)``, in float64."""
    gram, c, energy, w = (value.double() for value in (gram, c, energy, w))
    r, t = c - w @ gram, beta / 2
    error = energy - (w * (c + r)).sum(-1)
    scale = (t / r.abs().amax(-1)).clamp(max=1)
    l1 = w.abs().sum(-1)
    gap = (1 - scale) ** 2 * error + 2 * (t * l1 - scale * (w * r).sum(-1))
    return (gap / (error + beta * l1)).max().item()
