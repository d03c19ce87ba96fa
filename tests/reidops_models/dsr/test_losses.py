"""Eq. 5 and its gradient, eq. 7, against loops written from the text."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.dsr.losses import pair_loss

ALPHAS = ([1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, -1.0, 1.0])


def block_sets(n: int = 5, m: int = 8, channels: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x, y = (torch.rand(3, channels, count, generator=generator, dtype=torch.float64) for count in (n, m))
    return F.normalize(x, dim=1), F.normalize(y, dim=1)


def solve(x: Tensor, y: Tensor, beta: float) -> Tensor:
    """W of eq. 3 by coordinate descent: a coefficient at a time, of all columns, until nothing moves."""
    weights = torch.zeros(y.shape[1], x.shape[1], dtype=x.dtype)
    energy = y.square().sum(0)
    for _ in range(2000):
        before = weights.clone()
        for m in range(y.shape[1]):
            slope = y[:, m] @ (x - y @ weights) + energy[m] * weights[m]
            weights[m] = slope.sign() * (slope.abs() - beta / 2).clamp(min=0) / energy[m]
        if (weights - before).abs().max() < 1e-13:
            return weights
    raise AssertionError("coordinate descent did not end")


@pytest.mark.parametrize("alphas", ALPHAS, ids=str)
def test_value_and_gradient_are_those_of_equations_5_and_7(alphas: list[float]) -> None:
    x, y = (value.requires_grad_() for value in block_sets())
    alpha, beta = torch.tensor(alphas, dtype=torch.float64), 0.1
    result = pair_loss(x, y, alpha, beta)
    result.loss.backward()

    loss, objective = 0.0, 0.0
    towards_x, towards_y = torch.zeros_like(x), torch.zeros_like(y)
    for b in range(3):
        weights = solve(x[b].detach(), y[b].detach(), beta)
        assert (weights != 0).any()
        residual = x[b].detach() - y[b].detach() @ weights
        n = x.shape[2]
        error = residual.square().sum() / n
        torch.testing.assert_close(result.errors[b], error)
        loss += alphas[b] * error / 3
        objective += (alphas[b] * error + beta * weights.abs().sum() / n) / 3
        towards_x[b] = 2 * alphas[b] * residual / n / 3
        towards_y[b] = -2 * alphas[b] * residual @ weights.mT / n / 3
    torch.testing.assert_close(result.loss.detach(), loss)
    torch.testing.assert_close(result.objective, objective)
    torch.testing.assert_close(x.grad, towards_x)
    torch.testing.assert_close(y.grad, towards_y)
    assert not result.objective.requires_grad


@pytest.mark.parametrize("alphas", ALPHAS, ids=str)
def test_the_implicit_gradient_is_the_derivative_of_the_loss(alphas: list[float]) -> None:
    x, y = (value.requires_grad_() for value in block_sets())
    alpha = torch.tensor(alphas, dtype=torch.float64)
    pair_loss(x, y, alpha, 0.1, gradient="implicit").loss.backward()
    generator = torch.Generator().manual_seed(5)
    for value in (x, y):
        step = 1e-5 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
        sides = []
        for sign in (1, -1):
            moved = (value + sign * step).detach()
            sides.append(exact_loss(moved if value is x else x, moved if value is y else y, alpha))
        assert value.grad is not None
        torch.testing.assert_close((value.grad * step).sum(), (sides[0] - sides[1]) / 2, rtol=1e-5, atol=0)


def exact_loss(x: Tensor, y: Tensor, alpha: Tensor) -> Tensor:
    """The error term of eq. 5 with W solved to the end."""
    errors = [(x[b] - y[b] @ solve(x[b].detach(), y[b].detach(), 0.1)).square().sum(0).mean() for b in range(3)]
    return (alpha * torch.stack(errors).detach()).mean()


def test_pairs_of_a_batch_do_not_meet() -> None:
    x, y = block_sets()
    together = pair_loss(x, y, torch.ones(3)).errors
    apart = torch.cat([pair_loss(x[b : b + 1], y[b : b + 1], torch.ones(1)).errors for b in range(3)])
    torch.testing.assert_close(together, apart)


def test_shapes_that_do_not_match_are_named() -> None:
    x, y = block_sets()
    with pytest.raises(ValueError, match=r"pair_loss: expected as many alpha as pairs .* alpha \(2,\)"):
        pair_loss(x, y, torch.ones(2))
    with pytest.raises(ValueError, match=r"y \(1, 24, 8\)"):
        pair_loss(x, y[:1], torch.ones(3))
