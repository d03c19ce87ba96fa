"""Both gradients of a reconstruction's error, against float64 finite differences where the support does not change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import reidops
from reidops._ops.implicit import lasso_adjoint
from tests.reidops.features import relu_columns, relu_maps

BETA = 0.3
METHODS = ("lasso", "ridge")


def problem() -> tuple[Tensor, Tensor]:
    x = relu_columns(12, 4, seed=1).double()
    y = relu_columns(12, 6, seed=2).double()
    return x.requires_grad_(), y.requires_grad_()


def solve(x: Tensor, y: Tensor, method: str, gradient: str = "implicit") -> reidops.SparseReconstruction:
    return reidops.sparse_reconstruct(x, y, BETA, method=method, gradient=gradient, tolerance=1e-13)


def along(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Central difference of a function of (x, y) in the direction (dx, dy)."""
    h = 1e-6
    with torch.no_grad():
        return (function(x + h * dx, y + h * dy) - function(x - h * dx, y - h * dy)) / (2 * h)


def directional(value: Tensor, x: Tensor, y: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Derivative of each entry in the direction (dx, dy), by autograd."""
    grads = [torch.autograd.grad(one, (x, y), retain_graph=True) for one in value]
    return torch.stack([(gx * dx).sum() + (gy * dy).sum() for gx, gy in grads])


@pytest.mark.parametrize("method", METHODS)
def test_both_gradients_are_what_they_say(method: str) -> None:
    x, y = problem()
    generator = torch.Generator().manual_seed(0)
    dx, dy = (torch.randn(value.shape, dtype=value.dtype, generator=generator) for value in (x, y))

    def penalty(w: Tensor) -> Tensor:
        return BETA * (w.abs() if method == "lasso" else w.square()).sum(-2)

    def error(a: Tensor, b: Tensor) -> Tensor:
        return solve(a, b, method).error

    def objective(a: Tensor, b: Tensor) -> Tensor:
        result = solve(a, b, method)
        return result.error + penalty(result.coefficients)

    before, after = (solve(x + s * 1e-6 * dx, y + s * 1e-6 * dy, method).coefficients != 0 for s in (-1, 1))
    assert before.equal(after)  # the support does not change on the way
    assert before.any()

    implicit = directional(solve(x, y, method, "implicit").error, x, y, dx, dy)
    torch.testing.assert_close(implicit, along(error, x, y, dx, dy), rtol=1e-6, atol=1e-8)
    constant = directional(solve(x, y, method, "constant").error, x, y, dx, dy)
    torch.testing.assert_close(constant, along(objective, x, y, dx, dy), rtol=1e-6, atol=1e-8)
    assert (implicit - constant).abs().max() > 1e-2  # they are different things


@pytest.mark.parametrize("gradient", ["constant", "implicit"])
@pytest.mark.parametrize("method", METHODS)
def test_the_value_is_the_same(method: str, gradient: str) -> None:
    x, y = problem()
    assert solve(x, y, method, gradient).error.equal(solve(x.detach(), y.detach(), method).error)


@pytest.mark.parametrize("scales", [(1,), (1, 2)], ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_gradcheck_of_distances(method: str, scales: tuple[int, ...]) -> None:
    probe, gallery = relu_maps(2, 8, 3, 2).double(), relu_maps(3, 8, 3, 3, seed=1).double()
    torch.autograd.gradcheck(
        lambda p, g: reidops.dsr_distance(
            p, g, BETA, method=method, scales=scales, tolerance=1e-13, gradient="implicit"
        ),
        (probe.requires_grad_(), gallery.requires_grad_()),
    )


def test_ragged_maps_have_the_gradients_of_pairs() -> None:
    probe = [relu_maps(1, 8, h, w, seed=h).double()[0].requires_grad_() for h, w in ((3, 2), (2, 4))]
    gallery = [relu_maps(1, 8, h, w, seed=h + 5).double()[0].requires_grad_() for h, w in ((4, 2), (2, 3), (3, 3))]
    options = {"tolerance": 1e-13, "gradient": "implicit"}
    together = torch.autograd.grad(reidops.dsr_distance(probe, gallery, BETA, **options).sum(), [*probe, *gallery])
    pairs = sum(reidops.dsr_distance(p[None], g[None], BETA, **options).sum() for p in probe for g in gallery)
    for one, other in zip(together, torch.autograd.grad(pairs, [*probe, *gallery]), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_the_adjoint_solves_its_equations() -> None:
    generator = torch.Generator().manual_seed(0)
    atoms = torch.randn(3, 9, 20, dtype=torch.float64, generator=generator)
    gram = atoms @ atoms.mT
    w = torch.randn(5, 3, 9, dtype=torch.float64, generator=generator)
    w[torch.rand(w.shape, generator=generator) < 0.6] = 0
    v = lasso_adjoint(gram, w, BETA)
    for r in range(5):
        for g in range(3):
            a = w[r, g].nonzero()[:, 0]
            expected = torch.zeros(9, dtype=torch.float64)
            expected[a] = -BETA * torch.linalg.solve(gram[g][a][:, a], w[r, g][a].sign())
            torch.testing.assert_close(v[r, g], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_atoms_that_repeat_share_the_derivative(dtype: torch.dtype) -> None:
    atoms = relu_columns(12, 3, seed=2).to(dtype).mT
    twice = torch.cat([atoms, atoms])[None]
    w = torch.tensor([[[0.3, 0.2, 0.0, 0.1, 0.4, 0.0]]], dtype=dtype)
    v = lasso_adjoint(twice @ twice.mT, w, BETA)[0, 0]
    once = lasso_adjoint(atoms[None] @ atoms.mT, torch.tensor([[[1.0, 1.0, 0.0]]], dtype=dtype), BETA)[0, 0]
    torch.testing.assert_close(v, torch.cat([once, once]) / 2, rtol=1e-4, atol=1e-6)


def test_nan_stays_with_its_column() -> None:
    x, y = problem()
    spoilt = x.detach().clone()
    spoilt[3, 1] = torch.nan
    spoilt.requires_grad_()
    solve(spoilt, y.detach(), "lasso").error.sum().backward()
    solve(x, y.detach(), "lasso").error.sum().backward()
    assert spoilt.grad is not None
    assert x.grad is not None
    assert spoilt.grad[:, 1].isnan().all()
    others = [0, 2, 3]
    assert spoilt.grad[:, others].equal(x.grad[:, others])


def test_no_column_is_active_under_a_huge_penalty() -> None:
    x, y = problem()
    error = reidops.sparse_reconstruct(x, y, 1e6, gradient="implicit").error
    error.sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    torch.testing.assert_close(x.grad, 2 * x.detach())
    assert not y.grad.any()


def test_an_unknown_gradient_is_refused() -> None:
    x, y = problem()
    with pytest.raises(ValueError, match="sparse_reconstruct: gradient must be one of 'constant', 'implicit'"):
        reidops.sparse_reconstruct(x, y, gradient="exact")
