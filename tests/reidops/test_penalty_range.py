"""The penalty's range: every way to the lasso refuses what is no finite number, and none refuses a large one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import reidops
from reidops import reference
from reidops._ops.sparse_reconstruct_gram import IN_TORCH, SOLVERS
from tests.reidops.features import relu_columns

pytestmark = pytest.mark.usefixtures("one_thread")

NO_PENALTIES = (math.nan, math.inf, -math.inf, -1.0)
TOO_LARGE_FOR_FLOAT32 = (1e39, 1e300)

X, Y = relu_columns(12, 5).float(), relu_columns(12, 20, seed=1).float()
GRAM = ((Y.mT @ Y)[None], (X.mT @ Y)[:, None], X.square().sum(0)[:, None])
DATA = X.mT[:, None], Y.mT[None]
ITERATIONS = 10**9  # nothing but an answer ends a loop in time


def in_gram_form(operator: Callable[..., Any], solver: int) -> Callable[[float, float], tuple[Tensor, Tensor]]:
    return lambda beta, tolerance: operator(*GRAM, *DATA, beta, tolerance, ITERATIONS, solver, False)[:2]


def from_data(beta: float, tolerance: float) -> tuple[Tensor, Tensor]:
    operator = torch.ops.reidops.sparse_reconstruct_working_set
    error, gap, _ = operator(X[None], Y[None], beta, tolerance, ITERATIONS, 0)
    return error, gap


def of_public(solver: str) -> Callable[[float, float], tuple[Tensor, Tensor]]:
    def call(beta: float, tolerance: float) -> tuple[Tensor, Tensor]:
        options: dict[str, Any] = {"solver": solver, "tolerance": tolerance, "max_iterations": ITERATIONS}
        result = reidops.sparse_reconstruct(X, Y, beta, **options)
        return result.error, result.gap

    return call


WAYS = {
    **{name: in_gram_form(torch.ops.reidops.sparse_reconstruct_gram, i) for i, name in enumerate(SOLVERS)},
    "fista": in_gram_form(torch.ops.reidops.sparse_reconstruct_fista, len(SOLVERS)),
    "reference": in_gram_form(reference.sparse_reconstruct_gram, 0),
    "working_set": from_data,
    **{f"public {name}": of_public(name) for name in (*SOLVERS, *IN_TORCH)},
}


@pytest.mark.parametrize("beta", NO_PENALTIES)
@pytest.mark.parametrize("way", WAYS)
def test_no_finite_penalty_is_refused(way: str, beta: float) -> None:
    with pytest.raises((ValueError, RuntimeError), match=r"sparse_reconstruct\w*: beta.* a finite number >= 0, got"):
        WAYS[way](beta, 1e-4)


@pytest.mark.parametrize("tolerance", [*NO_PENALTIES, 0.0])
@pytest.mark.parametrize("way", WAYS)
def test_no_finite_tolerance_is_refused(way: str, tolerance: float) -> None:
    with pytest.raises(
        (ValueError, RuntimeError), match=r"sparse_reconstruct\w*: tolerance.* a finite number > 0, got"
    ):
        WAYS[way](0.4, tolerance)


@pytest.mark.parametrize("beta", NO_PENALTIES)
def test_so_it_is_by_a_ridge_and_by_an_adjoint(beta: float) -> None:
    with pytest.raises(ValueError, match=r"sparse_reconstruct: beta \(of ridge\) must be a finite number > 0, got"):
        reidops.sparse_reconstruct(X, Y, beta, method="ridge")
    with pytest.raises(ValueError, match="lasso_adjoint: beta must be a finite number >= 0, got"):
        torch.ops.reidops.lasso_adjoint(GRAM[0], GRAM[1], beta)


@pytest.mark.parametrize("beta", TOO_LARGE_FOR_FLOAT32)
@pytest.mark.parametrize("way", WAYS)
def test_a_penalty_beyond_float32_leaves_zeros(way: str, beta: float) -> None:
    error, gap = WAYS[way](beta, 1e-4)
    assert_close(error.flatten(), X.square().sum(0))
    assert (gap <= 1e-4).all()


@pytest.mark.parametrize("beta", TOO_LARGE_FOR_FLOAT32)
def test_so_it_does_in_a_ridge(beta: float) -> None:
    result = reidops.sparse_reconstruct(X, Y, beta, method="ridge")
    assert_close(result.error, X.square().sum(0))
    assert (result.gap <= 1e-4).all()
