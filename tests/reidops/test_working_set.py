"""Few columns and many atoms: sparse_reconstruct takes the data instead of a Gram matrix, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from reidops import sparse_reconstruct
from reidops._ops import sparse_reconstruct as module
from reidops._ops.sparse_reconstruct_gram import SOLVERS
from reidops._ops.working_set import pays
from tests.reidops.certificate import judge
from tests.reidops.features import generator, random_columns, relu_columns

D, M = 200, 600


def atoms(kind: str) -> Tensor:
    y = relu_columns(D, M, seed=1)
    if kind == "repeated":
        y = y[:, torch.randint(60, (M,), generator=generator())]
    elif kind == "neighbours":
        y = random_columns(D, M, 1)
        for j in range(1, M):
            y[:, j] = 0.95 * y[:, j - 1] + (1 - 0.95**2) ** 0.5 * y[:, j]
    elif kind == "zero and badly scaled":
        y = y * torch.logspace(-3, 3, M, dtype=torch.float64)
        y[:, ::7] = 0
    elif kind == "low rank":
        y = random_columns(D, 8, 2) @ random_columns(8, M, 3)
    return y


KINDS = ("alike", "repeated", "neighbours", "zero and badly scaled", "low rank")


@pytest.fixture(autouse=True)
def _sizes_are_of_that_kind() -> None:
    assert pays(2, M, D)
    assert not pays(500, M, D)
    assert not pays(2, 128, D)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_certified_over_all_atoms(kind: str, solver: str, dtype: torch.dtype) -> None:
    x, y = relu_columns(D, 2).to(dtype), atoms(kind).to(dtype)
    largest = 2 * float((y.mT @ x).abs().max())
    for share in (2.0, 0.3, 0.01):
        result = sparse_reconstruct(x, y, share * largest, solver=solver)
        verdict = judge(x, y, result.coefficients, share * largest)
        assert bool((result.gap <= 1e-4).all())
        assert bool((verdict.gap <= 1e-4 + 100 * torch.finfo(dtype).eps / share).all())
        assert_close(result.error.double(), verdict.error, rtol=1e-4, atol=1e-9)
        if share > 1:
            assert not result.coefficients.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_tolerance_never_gives_a_larger_objective(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = relu_columns(D, 2), atoms(kind)
    for share in (0.1, 1e-3):
        beta = share * 2 * float((y.mT @ x).abs().max())
        results = [sparse_reconstruct(x, y, beta, tolerance=10.0**-k) for k in (4, 7, 10)]
        objectives = [judge(x, y, result.coefficients, beta).primal for result in results]
        with monkeypatch.context() as patch:
            patch.setattr(module, "pays", lambda *_: False)
            objectives.append(judge(x, y, sparse_reconstruct(x, y, beta, tolerance=1e-10).coefficients, beta).primal)
        best = torch.stack(objectives).amin(0)
        for k, result, objective in zip((4, 7, 10), results, objectives, strict=False):
            assert bool((objective <= best * (1 + max(10.0**-k, 1e-9))).all())
            assert bool((objective * (1 - result.gap) <= best * (1 + 1e-9)).all())


@pytest.mark.parametrize("solver", SOLVERS)
def test_honest_where_iterations_end(solver: str) -> None:
    x, y = random_columns(D, 2, 0), random_columns(D, M, 1)
    result = sparse_reconstruct(x, y, 0.5, solver=solver, max_iterations=1)
    verdict = judge(x, y, result.coefficients, 0.5)
    optimum = judge(x, y, sparse_reconstruct(x, y, 0.5, tolerance=1e-9).coefficients, 0.5).primal
    assert bool((verdict.primal * (1 - result.gap) <= optimum * (1 + 1e-9)).all())


def test_batches_and_columns_that_are_not_finite() -> None:
    x, y = random_columns(D, 6, 0).reshape(D, 3, 2).movedim(0, 1), random_columns(D, 2 * M, 1).reshape(D, 2, M)
    y = y.movedim(0, 1)[:, None]  # (2, 1, D, M) against (3, D, 2)
    result = sparse_reconstruct(x.expand(2, 3, D, 2), y, 20.0, tolerance=1e-10)
    for a in range(2):
        for b in range(3):
            verdict = judge(x[b], y[a, 0], result.coefficients[a, b], 20.0)
            assert bool((verdict.gap <= 1e-9).all())
    x = x[0].clone()
    x[5, 0] = torch.nan
    result = sparse_reconstruct(x, y[0, 0], 20.0)
    assert result.error.isnan().tolist() == result.gap.isnan().tolist() == [True, False]
    assert bool(result.coefficients[:, 0].isnan().all())
    spoilt = y[0, 0].clone()
    spoilt[3, 7] = torch.inf
    assert bool(sparse_reconstruct(x, spoilt, 20.0).error.isnan().all())


def test_gradient_is_eq_7() -> None:
    x, y = relu_columns(D, 2).requires_grad_(), atoms("alike").requires_grad_()
    result = sparse_reconstruct(x, y, 0.1, tolerance=1e-10)
    upstream = torch.tensor([0.5, -2.0], dtype=torch.float64)
    result.error.backward(upstream)
    residual = ((x - y @ result.coefficients) * upstream).detach()
    assert_close(x.grad, 2 * residual)
    assert_close(y.grad, -2 * residual @ result.coefficients.mT)


def test_vmap_and_bits() -> None:
    x, y = relu_columns(D, 3), torch.stack([atoms("alike"), atoms("repeated")])
    together = torch.vmap(lambda y: sparse_reconstruct(x, y, 0.1).error)(y)
    for k in range(2):
        assert_close(together[k], sparse_reconstruct(x, y[k], 0.1).error, rtol=1e-3, atol=1e-6)
    first, again = sparse_reconstruct(x, y[0], 0.1), sparse_reconstruct(x, y[0], 0.1)
    assert all(torch.equal(value, same) for value, same in zip(first, again, strict=True))
