"""sparse_reconstruct: first its certificates, from the data; then others' solutions; then gradients."""

from __future__ import annotations

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from reidops import reference, sparse_reconstruct
from reidops._ops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram
from tests.reidops.certificate import judge
from tests.reidops.features import HARD, generator, hard_dictionary, random_columns, relu_columns, relu_maps

SHAPES = ((16, 5, 9), (40, 7, 33), (24, 6, 64), (64, 3, 130))  # d, N, M


# --- certificates ---------------------------------------------------------------------------------------------------


def worst_gap(x: Tensor, y: Tensor, w: Tensor, beta: float) -> Tensor:
    """The largest gap that may be reported: `rounding_of_gram_form` in sparse_reconstruct.h, twice.

    Rounding may have raised every r_j by `largest` and lowered w . r by `product`; the certificate then counts as much
    again, because it may have been the other way round.
    """
    x, y, w, t = x.double(), y.double(), w.double(), beta / 2
    residual = x - y @ w
    r = y.mT @ residual
    l1, longest, error = w.abs().sum(0), y.norm(dim=0).max(), residual.square().sum(0)
    largest = (4 + len(x) ** 0.5 / 16) * 6e-8 * (x.norm(dim=0) + longest * l1) * longest
    product = largest * l1 / 3
    a = (t / (r.abs().amax(0) + 2 * largest)).clamp(max=1)
    slack = t * l1 - a * ((w * r).sum(0) - 2 * product)
    return ((1 - a).square() * error + 2 * slack.relu()) / (error + beta * l1)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("beta", [0.02, 0.4, 1.5])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_column_is_certified(shape: tuple[int, int, int], beta: float, solver: str) -> None:
    d, n, m = shape
    for x, y in (
        (relu_columns(d, n), relu_columns(d, m, seed=1)),
        (random_columns(d, n, 0), random_columns(d, m, 1)),
    ):
        result = sparse_reconstruct(x.float(), y.float(), beta, solver=solver)
        verdict = judge(x.float(), y.float(), result.coefficients, beta)
        assert bool((result.gap <= 1e-4).all())
        # The certified weights are rounded to float32 when they are stored: about ||x||^2, in units of its last place.
        stored = 16 * torch.finfo(torch.float32).eps * x.square().sum(0) / verdict.primal
        assert bool((verdict.gap <= result.gap + stored).all())
        assert bool((result.gap <= worst_gap(x, y, result.coefficients, beta) + stored).all())
        assert_close(result.error.double(), verdict.error, rtol=5e-5, atol=0)  # half the tolerance


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_degenerate_dictionaries_are_certified(kind: str, solver: str, dtype: torch.dtype) -> None:
    x, y = (value.to(dtype) for value in hard_dictionary(kind))
    for beta in (0.4, 0.01):
        result = sparse_reconstruct(x, y, beta, solver=solver, max_iterations=20000)
        verdict = judge(x, y, result.coefficients, beta)
        assert bool((result.gap <= 1e-4).all())
        assert bool((verdict.gap <= 1.1e-4).all())
        assert_close(result.error.double(), verdict.error, rtol=1e-4, atol=1e-12)
        zeros = y.norm(dim=0) == 0
        assert not result.coefficients[zeros].any()


@pytest.mark.parametrize("solver", [*SOLVERS, "fista"])
def test_conditions_of_optimality_hold(solver: str) -> None:
    x, y = relu_columns(40, 6), relu_columns(40, 33, seed=1)
    result = sparse_reconstruct(x, y, solver=solver, tolerance=1e-13, max_iterations=100_000)
    assert bool((result.gap <= 1e-13).all())
    assert float(judge(x, y, result.coefficients, 0.4).kkt.max()) < 1e-6


@pytest.mark.parametrize("solver", [*SOLVERS, "fista"])
def test_gap_is_honest_where_iterations_end(solver: str) -> None:
    x, y = random_columns(30, 8, 0), random_columns(30, 60, 1)
    result = sparse_reconstruct(x, y, 0.1, solver=solver, max_iterations=1)
    verdict = judge(x, y, result.coefficients, 0.1)
    assert_close(result.gap, verdict.gap, rtol=1e-6, atol=1e-9)
    optimum = judge(x, y, sparse_reconstruct(x, y, 0.1, tolerance=1e-10).coefficients, 0.1).primal
    assert bool((verdict.primal * (1 - result.gap) <= optimum * (1 + 1e-9)).all())


def test_small_errors_keep_their_digits() -> None:
    """||x - Yw||^2 of 1e-6 is the difference of numbers near 1: expanded in float32 nothing of it would be left."""
    y = relu_columns(50, 12).float()
    x = y @ torch.rand(12, 9, generator=generator(3))
    x = x / x.norm(dim=0)
    result = sparse_reconstruct(x, y, beta=1e-3)
    verdict = judge(x, y, result.coefficients, 1e-3)
    assert float(verdict.error.max()) < 1e-5
    assert_close(result.error.double(), verdict.error, rtol=1e-3, atol=0)
    assert bool((result.gap <= 1e-4).all())


def test_no_penalty_is_least_squares_without_certificate() -> None:
    x, y = random_columns(30, 4, 0), random_columns(30, 6, 1)
    result = sparse_reconstruct(x, y, 0.0, max_iterations=5000)
    assert_close(result.coefficients, torch.linalg.lstsq(y, x).solution, rtol=1e-6, atol=1e-6)
    assert bool((result.gap > 0.5).all())  # with t = 0 no residual but zero is feasible in the dual


def test_a_large_penalty_leaves_nothing() -> None:
    x, y = relu_columns(30, 4), relu_columns(30, 6, seed=1)
    result = sparse_reconstruct(x, y, beta=2.001 * float((y.mT @ x).abs().max()))
    assert not result.coefficients.any()
    assert_close(result.error, x.square().sum(0))
    assert not result.gap.any()


# --- others' solutions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [*SOLVERS, "fista"])
def test_all_solvers_reach_the_papers_optimum(solver: str) -> None:
    x, y = relu_columns(40, 6), relu_columns(40, 33, seed=1)
    coefficients, error = reference.sparse_reconstruct(x, y)
    result = sparse_reconstruct(x, y, solver=solver, tolerance=1e-13, max_iterations=100_000)
    assert_close(result.coefficients, coefficients, rtol=0, atol=1e-5)
    assert_close(result.error, error, rtol=1e-6, atol=0)


def test_scikit_learns_optimum() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = relu_columns(40, 4), relu_columns(40, 33, seed=1)
    # sklearn: ||x - yw||^2 / (2 d) + alpha |w|_1
    lasso = linear_model.Lasso(alpha=0.4 / (2 * 40), fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = torch.from_numpy(lasso.fit(y.numpy(), x.numpy()).coef_).mT
    assert_close(sparse_reconstruct(x, y, tolerance=1e-12).coefficients, expected, rtol=0, atol=1e-5)


def test_spams_optimum_and_the_papers_eq_6() -> None:
    """SPAMS solves 1/2 ||x - yw||^2 + lambda |w|_1, the paper's eq. 6: its lambda is half of eq. 3's beta."""
    spams = pytest.importorskip("spams")
    numpy = pytest.importorskip("numpy")
    x, y = relu_columns(40, 4), relu_columns(40, 33, seed=1)
    fortran = (numpy.asfortranarray(value.numpy()) for value in (x, y))
    eq_6 = torch.from_numpy(spams.lasso(*fortran, lambda1=0.2, mode=2).toarray())
    assert_close(sparse_reconstruct(x, y, beta=2 * 0.2, tolerance=1e-12).coefficients, eq_6, rtol=0, atol=1e-5)


@pytest.mark.parametrize("beta", [0.001, 0.4, 3.0])
def test_ridge_is_its_closed_form(beta: float) -> None:
    x, y = relu_columns(40, 6), relu_columns(40, 50, seed=1)
    result = sparse_reconstruct(x, y, beta, method="ridge")
    assert_close(result.coefficients, reference.ridge(x, y, beta), rtol=1e-8, atol=1e-10)
    assert_close(result.error, (x - y @ result.coefficients).square().sum(0))
    assert bool((result.gap < 1e-12).all())


def test_ridge_gap_bounds_the_distance_from_the_optimum() -> None:
    """In float32 a beta of 1e-4 leaves a gap that can be seen; the optimum must lie within it."""
    x, y = (value.float() for value in hard_dictionary("sums of atoms"))
    result = sparse_reconstruct(x, y, 1e-4, method="ridge")

    def objective(w: Tensor) -> Tensor:
        return (x.double() - y.double() @ w.double()).square().sum(0) + 1e-4 * w.double().square().sum(0)

    primal, optimum = objective(result.coefficients), objective(reference.ridge(x, y, 1e-4))
    assert bool((result.gap > 0).all())
    assert bool(((primal - optimum) / primal <= result.gap + 1e-9).all())


def test_ridge_survives_repeated_atoms() -> None:
    x, y = (value.float() for value in hard_dictionary("repeated atoms"))
    result = sparse_reconstruct(x, y, 1e-5, method="ridge")
    assert bool((result.gap < 1e-4).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("beta", [1e-300, 1e-38, 1e-18, 1e39, 1e300])
def test_ridge_of_any_penalty_has_its_error_and_a_gap(beta: float, dtype: torch.dtype) -> None:
    """More atoms than channels: without a penalty that float64 can tell from none, nothing is positive definite."""
    x, y = relu_columns(8, 5).to(dtype), relu_columns(8, 12, seed=1).to(dtype)
    result = sparse_reconstruct(x, y, beta, method="ridge")
    expected = torch.zeros(5, dtype=dtype) if beta < 1 else x.square().sum(0)
    assert_close(result.error, expected, rtol=1e-5, atol=1e-9)
    assert bool(((result.gap >= 0) & (result.gap <= 1)).all())


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("iterations", [2**31, 2**32 + 1, 2**63 - 1])
def test_more_iterations_than_32_bits_count(iterations: int, solver: str) -> None:
    x, y = relu_columns(12, 3), relu_columns(12, 9, seed=1)
    assert bool((sparse_reconstruct(x, y, solver=solver, max_iterations=iterations).gap <= 1e-4).all())


@pytest.mark.parametrize("scale", [1e-15, 1e-12, 1e15, 1e18])
def test_float32_is_distrusted_whatever_the_scale(scale: float) -> None:
    """What decides on double is relative: neither tiny nor huge features may overflow or vanish in it."""
    x, y = relu_columns(64, 6).float(), relu_columns(64, 20, seed=1).float()
    x, y = scale * x, scale * y
    beta = 1e-6 * scale**2
    result, exact = sparse_reconstruct(x, y, beta), sparse_reconstruct(x.double(), y.double(), beta)
    assert_close(result.coefficients.double(), exact.coefficients, rtol=1e-5, atol=1e-5)


def test_error_is_as_good_as_torchs_own() -> None:
    """Both in float32, against float64: at most twice the plain torch error, plus one unit in the last place."""
    for seed in range(5):
        x, y = relu_columns(256, 32, seed=seed).float(), relu_columns(256, 64, seed=seed + 50).float()
        result = sparse_reconstruct(x, y, tolerance=1e-6)
        exact = judge(x, y, result.coefficients, 0.4).error
        plain = (x - y @ result.coefficients).square().sum(0)
        ours, theirs = ((value - exact).abs().max() for value in (result.error.double(), plain.double()))
        assert float(ours) <= 2 * float(theirs) + 4 * torch.finfo(torch.float32).eps


# --- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge"])
def test_gradient_is_eq_7(method: str) -> None:
    x, y = relu_columns(12, 5).requires_grad_(), relu_columns(12, 9, seed=1).requires_grad_()
    result = sparse_reconstruct(x, y, method=method, tolerance=1e-10)
    upstream = torch.linspace(-1, 2, 5, dtype=torch.float64)
    result.error.backward(upstream)
    residual = ((x - y @ result.coefficients) * upstream).detach()
    assert_close(x.grad, 2 * residual)
    assert_close(y.grad, -2 * residual @ result.coefficients.mT)
    assert not result.coefficients.requires_grad
    assert not result.gap.requires_grad


@pytest.mark.parametrize("method", ["lasso", "ridge"])
def test_gradient_of_the_whole_objective_is_exact(method: str) -> None:
    """Envelope theorem: at the optimum, the objective does not change with w."""

    def objective(x: Tensor, y: Tensor) -> Tensor:
        result = sparse_reconstruct(x, y, method=method, tolerance=1e-14, max_iterations=100_000)
        penalty = result.coefficients.abs() if method == "lasso" else result.coefficients.square()
        return result.error + 0.4 * penalty.sum(-2)

    x, y = relu_columns(10, 3).requires_grad_(), relu_columns(10, 6, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(objective, (x, y), eps=1e-5, atol=1e-6)


def test_gradient_keeps_its_digits_where_the_error_is_small() -> None:
    y = relu_columns(50, 12).float()
    x = (y @ torch.rand(12, 9, generator=generator(3))).requires_grad_()
    result = sparse_reconstruct(x, y, beta=1e-3)
    result.error.sum().backward()
    exact = 2 * (x.detach().double() - y.double() @ result.coefficients.double())
    assert x.grad is not None
    assert float((x.grad - exact).norm()) < 1e-5 * float(x.detach().norm())


# --- shapes, values that are not finite, refusals -------------------------------------------------------------------

SIZE = st.sampled_from([1, 2, 3])


@settings(max_examples=25, deadline=None)
@given(
    batch=st.lists(st.tuples(SIZE, st.sampled_from(["both", "x", "y"])), max_size=3),
    short=st.integers(0, 2),
    method=st.sampled_from(["lasso", "ridge"]),
)
def test_batches_broadcast(batch: list[tuple[int, str]], short: int, method: str) -> None:
    d, n, m = 6, 2, 4
    x_batch = [size if who != "y" else 1 for size, who in batch]
    y_batch = [size if who != "x" else 1 for size, who in batch]
    while short and y_batch and y_batch[0] == 1:  # a leading 1 may as well be missing
        y_batch.pop(0)
        short -= 1
    x = torch.rand(*x_batch, d, n, generator=generator(0), dtype=torch.float64)
    y = torch.rand(*y_batch, d, m, generator=generator(1), dtype=torch.float64)
    solve = functools.partial(sparse_reconstruct, method=method, tolerance=1e-12)
    result = solve(x, y)
    full = torch.broadcast_shapes(tuple(x_batch), tuple(y_batch))
    assert result.coefficients.shape == (*full, m, n)
    xs, ys = x.expand(*full, d, n).reshape(-1, d, n), y.expand(*full, d, m).reshape(-1, d, m)
    for i, (one_x, one_y) in enumerate(zip(xs, ys, strict=True)):
        alone = solve(one_x, one_y)
        for value, expected in zip(result, alone, strict=True):
            assert_close(value.reshape(len(xs), *expected.shape)[i], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["lasso", "ridge"])
@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_bad_data_stays_where_it_is(method: str, poison: float) -> None:
    x, y = relu_maps(1, 10, 1, 6).squeeze(2), relu_maps(3, 10, 1, 5, seed=1).squeeze(2)
    clean = sparse_reconstruct(x, y, method=method)
    bad_x, bad_y = x.clone(), y.clone()
    bad_x[0, 3, 2], bad_y[1, 7, 4] = poison, poison
    result = sparse_reconstruct(bad_x, bad_y, method=method)
    tainted = torch.zeros(3, 6, dtype=torch.bool)
    tainted[:, 2] = True
    tainted[1] = True
    for value, expected in zip(result[1:], clean[1:], strict=True):
        assert bool(value[tainted].isnan().all())
        assert_close(value[~tainted], expected[~tainted])
    coefficients = result.coefficients.mT
    assert bool(coefficients[tainted].isnan().all())
    assert_close(coefficients[~tainted], clean.coefficients.mT[~tainted])


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_gram_matrix_that_is_not_finite_spoils_its_own_columns(solver: str) -> None:
    """Even where no atom that is needed has a part in it, and the correlations are finite."""
    x, y = relu_columns(12, 5).float(), relu_maps(3, 12, 3, 5).flatten(2).float()
    gram, correlation = y.mT @ y, torch.einsum("dn,gdm->ngm", x, y)
    gram[1, 4, 7] = gram[1, 7, 4] = torch.nan
    energy = x.square().sum(0)[:, None].expand(-1, 3)
    error, gap, _ = sparse_reconstruct_gram(gram, correlation, energy, None, None, 0.4, solver=solver)
    for value in (error, gap):
        assert value.isnan().tolist() == [[False, True, False]] * 5


def test_data_whose_products_overflow_is_solved_in_double() -> None:
    x, y = relu_columns(12, 5).float(), relu_columns(12, 9, seed=1).float() * 1e25
    result = sparse_reconstruct(x, y, 0.4)
    exact = sparse_reconstruct(x.double(), y.double(), 0.4)
    assert_close(result.error.double(), exact.error, rtol=1e-5, atol=1e-6)


def test_more_elements_than_32_bits_count() -> None:
    """Rows that lie 2^30 elements apart, in memory that is reserved and, but for three pages, never touched."""
    rows, m = 3, 4
    try:
        space = torch.empty(2**31 + 64)
    except RuntimeError:
        pytest.skip("this machine does not lend 8 GiB of address space")
    correlation = space.as_strided((rows, 1, m), (2**30, m, 1))
    correlation.copy_(torch.rand(rows, 1, m, generator=generator(0)))
    gram, energy = torch.eye(m)[None], torch.full((rows, 1), 4.0)
    far = torch.ops.reidops.sparse_reconstruct_gram(gram, correlation, energy, None, None, 0.4, 1e-6, 100, 0, True)
    near = torch.ops.reidops.sparse_reconstruct_gram(
        gram, correlation.contiguous(), energy, None, None, 0.4, 1e-6, 100, 0, True
    )
    assert all(torch.equal(a, b) for a, b in zip(far, near, strict=True))
    assert_close(far[2][:, 0], (correlation[:, 0] - 0.2).relu())


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"x": torch.rand(4)}, ValueError, r"x must have shape \(\*B, d, N\), got .*\(4,\)"),
        ({"y": [[1.0]]}, TypeError, "y must be a tensor"),
        ({"y": torch.rand(5, 3)}, ValueError, r"same d, got \(4, 2\) and \(5, 3\)"),
        ({"x": torch.rand(2, 4, 2), "y": torch.rand(3, 4, 3)}, ValueError, "must broadcast"),
        ({"beta": -0.1}, ValueError, "beta must be a finite number >= 0, got -0.1"),
        ({"beta": float("nan")}, ValueError, "beta must be .* got nan"),
        ({"beta": "0.4"}, TypeError, "beta must be .* got '0.4'"),
        ({"beta": 0.0, "method": "ridge"}, ValueError, r"beta \(of ridge\) must be a finite number > 0, got 0.0"),
        ({"tolerance": 0.0}, ValueError, "tolerance must be a finite number > 0, got 0.0"),
        ({"max_iterations": 0}, ValueError, "max_iterations must be an int >= 1, got 0"),
        ({"max_iterations": 1.5}, TypeError, "max_iterations must be an int >= 1, got 1.5"),
        ({"method": "l0"}, ValueError, "method must be one of 'lasso', 'ridge', got 'l0'"),
        ({"solver": "newton"}, ValueError, "solver must be one of 'active_set', .* got 'newton'"),
    ],
)
def test_refusals_name_the_argument(changes: dict[str, object], error: type[Exception], words: str) -> None:
    arguments = {"x": torch.rand(4, 2), "y": torch.rand(4, 3), **changes}
    with pytest.raises(error, match=rf"^sparse_reconstruct: .*{words}"):
        sparse_reconstruct(**arguments)  # type: ignore[arg-type]
