"""Dictionaries that are hard on rounding, as in the test suites of scikit-learn, celer, skglm, SPAMS and adelie.

The judges know nothing of the solvers: a linear program, non-negative least squares in the split variables w+ and w-,
and the certificate of `tests/reidops/certificate.py`, all in float64.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.linalg import hilbert
from scipy.optimize import linprog, nnls
from torch import Tensor

from reidops import sparse_reconstruct
from reidops._ops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram
from tests.reidops.certificate import judge
from tests.reidops.features import random_columns

KINDS = (
    "hilbert",
    "vandermonde",
    "repeated and opposite",
    "nearly repeated",
    "constant",
    "nearly constant",
    "low rank",
    "nearly singular",
    "correlated neighbours",
    "more atoms than channels",
    "badly scaled",
    "tiny",
    "huge",
)
DTYPES = [torch.float32, torch.float64]
SHARES = (0.3, 1e-2, 1e-4, 1e-6)  # of the smallest penalty that leaves nothing


def dictionary(kind: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Columns ``(d, 4)`` and atoms ``(d, M)``, float64."""
    x, y = random_columns(40, 4, seed), random_columns(40, 30, seed + 100)
    if kind == "hilbert":
        return random_columns(60, 4, seed), torch.from_numpy(hilbert(60)[:, :40].copy())
    if kind == "vandermonde":
        return random_columns(60, 4, seed), torch.from_numpy(np.vander(np.linspace(0, 1, 60), 20).copy())
    if kind == "correlated neighbours":  # celer's and skglm's designs: correlation 0.99^|i - j|
        for j in range(1, y.shape[1]):
            y[:, j] = 0.99 * y[:, j - 1] + (1 - 0.99**2) ** 0.5 * y[:, j]
    made = {
        "repeated and opposite": lambda: torch.cat([y, y, -y], 1),
        "nearly repeated": lambda: torch.cat([y, y + 1e-9 * random_columns(40, 30, seed + 200)], 1),
        "constant": lambda: torch.ones(40, 20, dtype=torch.float64),
        "nearly constant": lambda: 1 + 1e-6 * y,
        "low rank": lambda: random_columns(40, 5, seed) @ y[:5],
        "nearly singular": lambda: (
            torch.linalg.qr(y).Q @ torch.logspace(0, -10, 30, dtype=torch.float64).diag() @ y[:30]
        ),
        "more atoms than channels": lambda: random_columns(40, 90, seed),
        "badly scaled": lambda: y * torch.logspace(-3, 3, 30, dtype=torch.float64),
        "tiny": lambda: y * 1e-50,
        "huge": lambda: y * 1e50,
    }
    scale = {"tiny": 1e-50, "huge": 1e50}.get(kind, 1.0)
    return x * scale, made[kind]() if kind in made else y


def largest_penalty(x: Tensor, y: Tensor) -> float:
    return 2 * float((y.mT @ x).abs().max())


def optimum(x: Tensor, y: Tensor, beta: float) -> float:
    """Of one column.  With w = u - v, u, v >= 0, the penalty is linear: min ||x - y(u - v)||^2 + beta 1'(u + v), which
    is the non-negative least squares of the rows below, up to what their last one adds; then corrected for it."""
    scale = float(x.norm())
    a = np.hstack([y.numpy(), -y.numpy()]) / scale
    # || b - A z ||^2 with one more row (c, target): (target - c 1'z)^2 = target^2 - 2 target c 1'z + c^2 (1'z)^2
    small = 1e-7
    rows = np.vstack([a, np.full((1, a.shape[1]), -small * beta / scale**2)])
    target = np.append(x.numpy() / scale, 0.5 / small)
    z, _ = nnls(rows, target, maxiter=20_000)
    w = torch.from_numpy(z[: y.shape[1]] - z[y.shape[1] :])
    return float(judge(x[:, None], y, w[:, None], beta).primal)


def rounding(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
    """Of an objective that `judge` sums in float64: y w is uncertain by roundings of |y| |w|, where those cancel."""
    cancelled = (y.abs() @ w.abs()).norm(dim=0)
    return 16 * torch.finfo(torch.float64).eps * (cancelled + x.norm(dim=0)) * (x - y @ w).norm(dim=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_tolerance_never_gives_a_larger_objective(kind: str, solver: str) -> None:
    """An objective is as near the best of all solvers as was asked for, and what is not certified says so."""
    x, y = dictionary(kind)
    for share in SHARES:
        beta = share * largest_penalty(x, y)

        def solve(solver: str, tolerance: float) -> tuple[Tensor, Tensor, Tensor]:
            w, _, gap = sparse_reconstruct(x, y, beta, solver=solver, tolerance=tolerance)  # noqa: B023
            return judge(x, y, w, beta).primal, gap, rounding(x, y, w)  # noqa: B023

        tolerances = (1e-4, 1e-6, 1e-8, 1e-10)
        results = [solve(solver, tolerance) for tolerance in tolerances]
        best = torch.stack([*(r[0] for r in results), *(solve(other, 1e-10)[0] for other in SOLVERS)]).amin(0)
        for tolerance, (objective, gap, noise) in zip(tolerances, results, strict=True):
            assert bool((objective <= best * (1 + tolerance) + noise).all())
            assert bool((objective * (1 - gap) <= best + noise).all())  # the gap is true
        for (loose, *_), (tight, _, noise) in pairwise(results):
            assert bool((tight <= loose + noise).all())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("tiny", "huge")])
def test_what_is_certified_is_true(kind: str, solver: str, dtype: torch.dtype) -> None:
    """Penalties that are not near zero are certified in both precisions, and the certificate is that of the data."""
    x, y = (value.to(dtype) for value in dictionary(kind))
    for share in (0.3, 1e-2, 1e-4):
        beta = share * largest_penalty(x, y)
        result = sparse_reconstruct(x, y, beta, solver=solver)
        verdict = judge(x, y, result.coefficients, beta)
        # Weights are rounded to float32 after they were certified: that alone moves r by some roundings of y'y w.
        energy = y.double().square().sum(0).max() * result.coefficients.double().abs().sum(0)
        rounding = 4 * torch.finfo(dtype).eps * energy / (beta / 2)
        assert bool((result.gap <= 1e-4).all())
        assert bool((verdict.gap <= result.gap + rounding + 1e-12).all())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["hilbert", "vandermonde", "repeated and opposite", "more atoms than channels"])
def test_non_negative_least_squares_finds_nothing_better(kind: str, solver: str) -> None:
    x, y = dictionary(kind)
    for share in (0.1, 1e-2):
        beta = share * largest_penalty(x, y)
        result = sparse_reconstruct(x, y, beta, solver=solver, tolerance=1e-9)
        objective = judge(x, y, result.coefficients, beta).primal
        for k in range(x.shape[1]):
            assert float(objective[k]) <= optimum(x[:, k], y, beta) * (1 + 1e-8)


@pytest.mark.parametrize("beta", [1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_penalty_near_zero_is_the_linear_program(solver: str, beta: float) -> None:
    """beta -> 0 with more atoms than channels: the exact reconstruction of the least |w|_1, which bounds all others."""
    x, y = random_columns(32, 3, 5), random_columns(32, 64, 6)
    result = sparse_reconstruct(x, y, beta, solver=solver)
    objective = judge(x, y, result.coefficients, beta).primal
    for k in range(x.shape[1]):
        exact = linprog(np.ones(128), A_eq=np.hstack([y, -y]), b_eq=x[:, k].numpy())
        assert exact.status == 0
        assert float(objective[k]) <= beta * exact.fun * (1 + 2e-4)
    assert bool(((result.coefficients != 0).sum(0) <= 32).all())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_gram_form_without_data_is_certified_or_says_so(solver: str) -> None:
    x, y = dictionary("vandermonde")
    beta = 1e-6 * largest_penalty(x, y)
    gram, correlation, energy = (y.mT @ y)[None], (x.mT @ y)[:, None], x.square().sum(0)[:, None]
    results = [
        sparse_reconstruct_gram(
            gram, correlation, energy, None, None, beta, solver=solver, tolerance=10.0**-k, return_coefficients=True
        )
        for k in (4, 8, 12)
    ]
    objectives = [judge(x, y, w[:, 0].mT, beta).primal for _, _, w in results]
    best = torch.stack(objectives).amin(0)
    for (_, gap, _), objective in zip(results, objectives, strict=True):
        assert bool((objective <= best * (1 + gap[:, 0] + 1e-6)).all())


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_input_gives_the_same_bits(kind: str) -> None:
    x, y = dictionary(kind)
    beta = 1e-6 * largest_penalty(x, y)
    first = sparse_reconstruct(x, y, beta, tolerance=1e-10)
    alone = [sparse_reconstruct(x[:, k : k + 1], y, beta, tolerance=1e-10) for k in range(x.shape[1])]
    again = sparse_reconstruct(x, y, beta, tolerance=1e-10)
    for value, same in zip(first, again, strict=True):
        assert torch.equal(value, same)
    # A product of one column may be summed in another order; that moves an objective by no more than rounding.
    objective = judge(x, y, first.coefficients, beta).primal
    for k, one in enumerate(alone):
        torch.testing.assert_close(
            judge(x[:, k : k + 1], y, one.coefficients, beta).primal[0], objective[k], rtol=1e-9, atol=0
        )
