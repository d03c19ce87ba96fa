"""The second pass of float32 problems on the emulator: what float32 cannot certify is solved in double, and no more."""

from __future__ import annotations

from itertools import product
from types import ModuleType

import numpy as np
import pytest

from tests.emulator.test_sparse_reconstruct_kernels import (
    ACTIVE_SET,
    COORDINATE_DESCENT,
    FEATURE_SIGN,
    SOLVERS,
    TOLERANCE,
    Case,
    Emulated,
    case,
)

OP = "sparse_reconstruct"


def hard(kind: str, beta: float) -> Case:
    """Float32 problems that float32 cannot solve at a small penalty."""
    random = np.random.default_rng(3)
    problem = case(24, r=2, g=2, d=60, beta=beta)
    if kind == "dense":  # far more active atoms than the 32 of an active set
        problem = case(40, r=2, g=1, d=200, beta=beta)
    elif kind == "badly scaled":
        problem.y *= (10.0 ** random.uniform(-2, 2, (2, 24, 1))).astype(np.float32)
    elif kind == "repeated":
        problem.y[:, 12:] = problem.y[:, :12]
    elif kind == "signed":
        problem.x[:], problem.y[:] = (random.standard_normal(value.shape) for value in (problem.x, problem.y))
    elif kind == "in memory":
        problem = case(530, r=1, g=1, d=8, beta=beta)
    return problem


def best_objective(problem: Case, kernels: ModuleType) -> np.ndarray:
    """That of the same problem in float64, with products in float64: at most 1e-6 above the optimum, relatively."""
    exact = Case(problem.x.astype(float), problem.y.astype(float), problem.beta)
    _, gap, w = exact.solve(kernels, tolerance=1e-6, data=True)
    assert gap.max() <= 1e-6
    return exact.judge(w)[2]


HARD = ["dense", "badly scaled", "repeated", "signed"]


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize(("kind", "beta"), [*product(HARD, [1e-3, 1e-5]), ("in memory", 1e-3)])
def test_certified_below_the_rounding_of_float32(plain: ModuleType, kind: str, beta: float, data: bool) -> None:
    problem = hard(kind, beta)
    error, gap, w = problem.solve(plain, data=data)
    assert gap.max() <= TOLERANCE
    true_error, _, objective = problem.judge(w)
    if data:  # and the certificate is that of the data
        np.testing.assert_allclose(objective, best_objective(problem, plain), rtol=2 * TOLERANCE)
        np.testing.assert_allclose(error, true_error, rtol=1e-3, atol=beta**2)
    else:
        np.testing.assert_allclose(error, true_error, atol=2 * problem.rounding)


@pytest.mark.parametrize("solver", [FEATURE_SIGN, COORDINATE_DESCENT])
def test_every_solver(plain: ModuleType, solver: int) -> None:
    problem = case(12, r=2, g=2, d=40, beta=1e-4)
    _, gap, w = problem.solve(plain, data=True, solver=solver)
    assert gap.max() <= TOLERANCE
    np.testing.assert_allclose(problem.judge(w)[2], best_objective(problem, plain), rtol=2 * TOLERANCE)


@pytest.mark.parametrize("data", [True, False])
def test_every_order_of_threads_gives_the_same_bits(plain: ModuleType, data: bool) -> None:
    problem = hard("dense", 1e-3)
    plain.configure(seed=0)
    expected = problem.solve(plain, data=data)
    for seed in (1, 2):
        plain.configure(seed=seed)
        for value, same in zip(problem.solve(plain, data=data), expected, strict=True):
            np.testing.assert_array_equal(value, same)
    plain.configure(seed=0)


@pytest.fixture(scope="module")
def second_pass(emulated: Emulated) -> ModuleType:
    return emulated("sparse_reconstruct_in_double", "plain")


@pytest.mark.parametrize(
    ("reached", "beta", "solved"),
    [
        (TOLERANCE / 2, 0.4, False),
        (TOLERANCE * 2, 0.4, True),
        (TOLERANCE / 2, 1e-3, True),  # certified, but not soundly
        (np.nan, 1e-3, False),  # a column that is not finite
    ],
)
def test_columns_that_float32_certifies_keep_their_bits(
    second_pass: ModuleType, reached: float, beta: float, solved: bool
) -> None:
    second_pass.reached = reached
    error, gap, w = case(20, r=35, d=24, beta=beta).solve(second_pass, data=True)
    untouched = np.full(1, 0xFFFFFFFF, np.uint32)
    if solved:
        assert gap.max() <= TOLERANCE
        assert np.isfinite(error).all()
        assert np.isfinite(w).all()
    else:
        np.testing.assert_array_equal(gap, np.float32(reached))
        for value in (error, w):
            np.testing.assert_array_equal(value.view(np.uint32), np.broadcast_to(untouched, value.shape))


def test_a_column_that_is_not_finite_is_alone(plain: ModuleType) -> None:
    problem = hard("signed", 1e-3)
    expected = problem.solve(plain, data=True)
    problem.x[1, 7] = np.inf
    for value, same in zip(problem.solve(plain, data=True), expected, strict=True):
        assert np.isnan(value[1]).all()
        np.testing.assert_array_equal(value[0], same[0])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", [True, False])
def test_no_penalty_has_no_certificate(plain: ModuleType, data: bool, solver: int) -> None:
    problem = case(6, r=1, g=1, d=20, beta=0.0)
    error, gap, w = problem.solve(plain, data=data, solver=solver, max_iterations=50)
    np.testing.assert_array_equal(gap, 1)
    np.testing.assert_allclose(error, problem.judge(w)[0], rtol=1e-3)


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize("solver", [ACTIVE_SET, COORDINATE_DESCENT])
@pytest.mark.parametrize("m", [5, 36, 140])
def test_no_access_races(emulated: Emulated, m: int, solver: int, data: bool) -> None:
    kernels = emulated("sparse_reconstruct_in_double", "race")
    kernels.configure(seed=3)
    kernels.reached = 1.0
    problem = case(m, r=2, g=2, d=24, beta=0.1)
    assert problem.solve(kernels, solver=solver, data=data)[1].max() <= TOLERANCE


PLANTED = {
    "energy": ("scratch_.energy = energy;\n    __syncwarp();", "scratch_.energy = energy;"),
    "memory": ("memory += warp * doubles_of_a_warp(p);", ""),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    change = "sparse_reconstruct/in_double.cuh", *PLANTED[place]
    kernels = emulated("sparse_reconstruct_in_double", "race", change)
    kernels.configure(seed=1)
    kernels.reached = 1.0
    with pytest.raises(kernels.EmulatorError, match=r"race|nobody wrote"):
        case(21, r=2, g=2, d=16, beta=0.1).solve(kernels, data=True, solver=COORDINATE_DESCENT)
