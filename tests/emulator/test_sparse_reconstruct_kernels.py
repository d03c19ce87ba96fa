"""The CUDA kernels of sparse_reconstruct on the emulator: judged in float64 from the data, by certificates first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.reidops.features import HARD, hard_dictionary

Emulated = Callable[..., ModuleType]

OP = "sparse_reconstruct"

ACTIVE_SET, FEATURE_SIGN, COORDINATE_DESCENT = SOLVERS = range(3)
TOLERANCE = 1e-4
DTYPES = [np.float32, np.float64]


@dataclass
class Case:
    """R columns x and G dictionaries of M atoms y, l2-normalised rows like a network's non-negative features."""

    x: np.ndarray  # (R, d)
    y: np.ndarray  # (G, M, d)
    beta: float = 0.4

    def solve(self, kernels: ModuleType, **options: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Error, gap and coefficients by the kernels; ``correlation`` in place of its own, ``data`` to hand it over."""
        (r, d), (g, m, _) = self.x.shape, self.y.shape
        dtype = self.x.dtype
        gram = np.zeros((g, m, m + -m % 4), dtype)
        gram[:, :, :m] = np.einsum("gmd,gnd->gmn", self.y, self.y)
        correlation = np.einsum("rd,gmd->rgm", self.x, self.y).astype(dtype, order="C")
        energy = np.broadcast_to(np.square(self.x).sum(1)[:, None], (r, g))
        nothing = np.zeros((0, 0, 0), dtype)
        data = options.pop("data", False)
        columns = np.broadcast_to(self.x[:, None], (r, g, d)) if data else nothing
        given = {"solver": ACTIVE_SET, "tolerance": TOLERANCE, "max_iterations": 1000, "return_coefficients": True}
        return kernels.solve(
            gram,
            options.pop("correlation", correlation),
            energy,
            columns,
            self.y if data else nothing,
            beta=self.beta,
            **(given | options),
        )

    @property
    def rounding(self) -> float:
        """What rounding can make of ||x||^2, and so of r beside t."""
        return float(8 * np.finfo(self.x.dtype).eps * np.square(self.x).sum(1).max(initial=0))

    def judge(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Error, relative duality gap and objective of coefficients w (R, G, M), in float64."""
        x, y, w, t = self.x.astype(float), self.y.astype(float), w.astype(float), self.beta / 2
        rest = x[:, None] - np.einsum("rgm,gmd->rgd", w, y)
        steepest = np.abs(np.einsum("rgd,gmd->rgm", rest, y)).max(-1, initial=0)
        u = rest * np.minimum(1, t / np.maximum(steepest, t))[..., None]
        error = np.square(rest).sum(-1)
        objective = error + self.beta * np.abs(w).sum(-1)
        dual = 2 * (u * x[:, None]).sum(-1) - np.square(u).sum(-1)
        gap = (objective - dual) / np.where(objective > 0, objective, 1)
        return error, gap, objective


def features(random: np.random.Generator, count: int, d: int, dtype: type) -> np.ndarray:
    x = np.maximum(random.standard_normal((1, d)) + 0.7 * random.standard_normal((count, d)), 0)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(dtype)


def case(
    m: int, dtype: type = np.float32, *, r: int = 3, g: int = 2, d: int = 40, beta: float = 0.4, seed: int = 0
) -> Case:
    random = np.random.default_rng(seed)
    return Case(features(random, r, d, dtype), np.stack([features(random, m, d, dtype) for _ in range(g)]), beta)


def check(case: Case, solution: tuple[np.ndarray, np.ndarray, np.ndarray], tolerance: float = TOLERANCE) -> None:
    """Certified, and the certificate and the error are what the data say."""
    error, gap, w = solution
    rounding = case.rounding
    true_error, true_gap, objective = case.judge(w)
    assert gap.max() <= tolerance
    np.testing.assert_allclose(gap, true_gap, atol=rounding / (case.beta / 2), rtol=0.02)
    np.testing.assert_allclose(error, true_error, atol=rounding, rtol=TOLERANCE / 10)
    # KKT: where w is zero, the correlation of the atom with the rest is no more than t; else it is t, with w's sign.
    x, y, t = case.x.astype(float), case.y.astype(float), case.beta / 2
    r = np.einsum("rgd,gmd->rgm", x[:, None] - np.einsum("rgm,gmd->rgd", w.astype(float), y), y)
    violation = np.where(w == 0, np.maximum(np.abs(r) - t, 0), np.abs(r - t * np.sign(w)))
    # A step along one coordinate that violates by v gains v^2 / ||y_j||^2, which cannot be more than the gap allows.
    assert (np.square(violation).max(-1) <= gap * objective + rounding).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("m", [1, 3, 31, 32, 33, 64, 128, 130, 317, 500, 530])
def test_every_size(plain: ModuleType, m: int, solver: int, dtype: type) -> None:
    problem = case(m, dtype, seed=m)
    check(problem, problem.solve(plain, solver=solver))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [128, 512, 513])  # the most of what is staged, of what is in registers, and in memory
@pytest.mark.parametrize("kilobytes", [99, 163])
def test_fits_the_shared_memory_of_every_device(plain: ModuleType, kilobytes: int, m: int, dtype: type) -> None:
    problem = case(m, dtype)
    plain.configure(shared_kilobytes=kilobytes)
    try:
        check(problem, problem.solve(plain))
    finally:
        plain.configure()


@pytest.mark.parametrize("m", [5, 128, 317, 530])
@pytest.mark.parametrize("solver", SOLVERS)
def test_no_access_races(emulated: Emulated, m: int, solver: int) -> None:
    kernels = emulated("sparse_reconstruct", "race")
    kernels.configure(seed=3)
    problem = case(m, r=2, g=2, d=24, beta=0.1)
    check(problem, problem.solve(kernels, solver=solver, data=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m", [40, 140, 530])
def test_every_order_of_threads_gives_the_same_bits(plain: ModuleType, m: int, dtype: type) -> None:
    problem = case(m, dtype, beta=0.05)
    plain.configure(seed=0)
    expected = problem.solve(plain)
    for seed in (1, 2, 3):
        plain.configure(seed=seed)
        for value, same in zip(problem.solve(plain), expected, strict=True):
            np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_not_asked_for_changes_nothing(plain: ModuleType, solver: int) -> None:
    problem = case(70, beta=0.1)
    with_coefficients = problem.solve(plain, solver=solver)
    without = problem.solve(plain, solver=solver, return_coefficients=False)
    for value, same in zip(without[:2], with_coefficients[:2], strict=True):
        np.testing.assert_array_equal(value, same)
    assert without[2].size == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_solvers_agree(plain: ModuleType, dtype: type) -> None:
    problem = case(96, dtype, r=4, beta=0.1)
    objectives = [problem.judge(problem.solve(plain, solver=solver)[2])[2] for solver in SOLVERS]
    # Each is above the optimum by at most its gap.
    for objective in objectives[1:]:
        np.testing.assert_allclose(objective, objectives[0], rtol=2 * TOLERANCE)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", [ACTIVE_SET, FEATURE_SIGN])
def test_a_full_active_set_hands_over(plain: ModuleType, solver: int, dtype: type) -> None:
    problem = case(100, dtype, r=2, g=1, d=200, beta=0.02)
    solution = problem.solve(plain, solver=solver)
    check(problem, solution)
    assert (np.count_nonzero(solution[2], axis=-1) > 32).all()  # more than an active set holds


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alike", [0, 1e-4, 1e-3])
def test_repeated_atoms(plain: ModuleType, alike: float, solver: int, dtype: type) -> None:
    problem = case(64, dtype, d=100, beta=0.1)
    noise = np.random.default_rng(1).standard_normal(problem.y[:, 32:].shape)
    problem.y[:, 32:] = problem.y[:, :32] * (1 + alike * noise)
    check(problem, problem.solve(plain, solver=solver))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("beta", [0.4, 0.01])
@pytest.mark.parametrize("kind", HARD)
def test_degenerate_dictionaries(plain: ModuleType, kind: str, beta: float, solver: int, dtype: type) -> None:
    x, y = (value.numpy().T.astype(dtype) for value in hard_dictionary(kind))
    problem = Case(x.copy(), y[None].copy(), beta)
    check(problem, problem.solve(plain, solver=solver, max_iterations=20000, data=True))


@pytest.mark.parametrize("solver", SOLVERS)
def test_signs(plain: ModuleType, solver: int) -> None:
    random = np.random.default_rng(5)
    problem = Case(random.standard_normal((3, 30)), random.standard_normal((2, 50, 30)), beta=8.0)
    solution = problem.solve(plain, solver=solver)
    check(problem, solution)
    assert (solution[2] > 0).any()
    assert (solution[2] < 0).any()


@pytest.mark.parametrize("solver", SOLVERS)
def test_zero_atoms_never_enter(plain: ModuleType, solver: int) -> None:
    problem = case(40, beta=0.1)
    alone = Case(problem.x, problem.y[:, ::2].copy(), problem.beta)
    problem.y[:, 1::2] = 0
    error, gap, w = problem.solve(plain, solver=solver)
    check(problem, (error, gap, w))
    assert not w[:, :, 1::2].any()
    np.testing.assert_allclose(error, alone.solve(plain, solver=solver)[0], atol=2 * TOLERANCE)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_column_that_is_not_finite_is_alone(plain: ModuleType, bad: float) -> None:
    problem = case(50, r=4)
    expected = problem.solve(plain)
    correlation = np.einsum("rd,gmd->rgm", problem.x, problem.y)
    correlation[1, 0, 37] = bad
    problem.x[3, 7] = bad  # its energy; and its correlations, were they not given
    for value, same in zip(problem.solve(plain, correlation=correlation), expected, strict=True):
        assert np.isnan(value[1, 0]).all()
        assert np.isnan(value[3]).all()
        np.testing.assert_array_equal(value[[0, 2]], same[[0, 2]])
        np.testing.assert_array_equal(value[1, 1], same[1, 1])


@pytest.mark.parametrize("m", [48, 140, 530])
@pytest.mark.parametrize("offset", [0, 1])
def test_strided_correlations(plain: ModuleType, offset: int, m: int) -> None:
    """Also where a column's correlations start in the middle of 16 bytes."""
    problem = case(m)
    expected = problem.solve(plain)
    room = np.full((2, 6, m + 4), np.nan, np.float32)
    correlation = room[:, ::2, offset : offset + m].swapaxes(0, 1)
    correlation[:] = np.einsum("rd,gmd->rgm", problem.x, problem.y)
    for value, same in zip(problem.solve(plain, correlation=correlation), expected, strict=True):
        np.testing.assert_array_equal(value, same)


def test_error_of_near_copies_comes_from_the_data(plain: ModuleType) -> None:
    problem = case(20, beta=1e-2)
    problem.x[:] = problem.y[0, :3] * np.float32(1 + 1e-4)
    error, _, w = problem.solve(plain, data=True)
    np.testing.assert_allclose(error[:, 0], problem.judge(w)[0][:, 0], rtol=1e-3)
    expanded = problem.solve(plain)[0]
    assert (np.abs(expanded[:, 0] / problem.judge(w)[0][:, 0] - 1) > 1e-3).any()  # and not from the Gram form


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_gap_is_honest_when_iterations_run_out(plain: ModuleType, solver: int, dtype: type) -> None:
    problem = case(128, dtype, d=200, beta=0.02)
    error, gap, w = problem.solve(plain, solver=solver, max_iterations=1)
    true_error, true_gap, _ = problem.judge(w)
    assert (gap > TOLERANCE).any()
    np.testing.assert_allclose(gap, true_gap, rtol=0.02, atol=problem.rounding / (problem.beta / 2))
    np.testing.assert_allclose(error, true_error, atol=problem.rounding)


@pytest.mark.parametrize(("r", "g", "m"), [(0, 2, 8), (2, 0, 8), (0, 0, 0), (3, 2, 0)])
def test_nothing_to_do(plain: ModuleType, r: int, g: int, m: int) -> None:
    problem = Case(np.ones((r, 4), np.float32), np.ones((g, m, 4), np.float32))
    error, gap, w = problem.solve(plain)
    np.testing.assert_array_equal(error, np.full((r, g), 4.0))  # no atoms: nothing is explained
    np.testing.assert_array_equal(gap, np.zeros((r, g)))
    assert w.shape == (r, g, m)


def test_more_columns_than_a_block_takes(plain: ModuleType) -> None:
    problem = case(6, r=30, g=3, d=12)
    check(problem, problem.solve(plain))


@pytest.mark.parametrize("build", ["plain", "race"])
def test_the_launch_changes_no_bit(emulated: Emulated, build: str) -> None:
    """One block takes all columns of a dictionary, and its warps several each, instead of 24 columns a block."""
    problem = case(20, r=60, g=2, d=24, beta=0.1)
    expected = problem.solve(emulated("sparse_reconstruct_staged", "plain"))
    file = "sparse_reconstruct/sparse_reconstruct.cuh"
    kernels = emulated("sparse_reconstruct_staged", build, (file, "kBlocksWanted = 2048", "kBlocksWanted = 1"))
    for seed in (0, 1, 2):
        kernels.configure(seed=seed)
        for value, same in zip(problem.solve(kernels), expected, strict=True):
            np.testing.assert_array_equal(value, same)


# A barrier taken away, a bound forgotten: what the race build is for.
PLANTED = {
    "join": (
        "active_set.cuh",
        "scratch_.x[lane_index()] = g;\n    __syncwarp();",
        "scratch_.x[lane_index()] = g;",
        "race|nobody wrote",
    ),
    "refresh": (
        "active_set.cuh",
        "  __device__ __forceinline__ void refresh(LaneVector<T, kRounds>& r) {\n"
        "    scratch_.x[lane_index()] = w_;\n    __syncwarp();",
        "  __device__ __forceinline__ void refresh(LaneVector<T, kRounds>& r) {\n    scratch_.x[lane_index()] = w_;",
        "race|nobody wrote",
    ),
    "staging": (
        "sparse_reconstruct.cuh",
        "    __syncthreads();\n    const T largest",
        "    const T largest",
        "race|nobody wrote|out-of-bounds",
    ),
    "coordinate_descent": ("coordinate_descent.cuh", "atom < column.atoms ?", "true ?", "out-of-bounds|nobody wrote"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    file, old, new, message = PLANTED[place]
    kernels = emulated("sparse_reconstruct_staged", "race", (f"sparse_reconstruct/{file}", old, new))
    kernels.configure(seed=1)
    solver = COORDINATE_DESCENT if place == "coordinate_descent" else ACTIVE_SET
    with pytest.raises(kernels.EmulatorError, match=message):
        case(20, r=2, g=1, d=16, beta=0.1).solve(kernels, solver=solver)
