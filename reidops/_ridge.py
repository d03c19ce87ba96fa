"""Ridge reconstruction, ``min_w ||x - Yw||^2 + beta ||w||^2``, in closed form with the factor of Y'Y kept."""

from __future__ import annotations

import torch
from torch import Tensor


def factorise(y: Tensor, beta: float) -> Tensor:
    """Cholesky factor ``(..., M, M)`` of ``Y'Y + beta I`` for ``y (..., d, M)``, in float64.

    In float64, for the rounding of a float32 Gram matrix of many alike atoms may exceed a small beta and leave nothing
    positive definite to factor.  It is done once a dictionary.
    """
    with torch.no_grad():
        y = y.double()
        identity = torch.eye(y.shape[-1], dtype=y.dtype, device=y.device)
        return torch.linalg.cholesky_ex(y.mT @ y + beta * identity).L


def weights(factor: Tensor, correlation: Tensor) -> Tensor:
    """``w (..., M, N) = (Y'Y + beta I)^-1 c`` for ``c = Y'x (..., M, N)``; constant for gradients (eq. 7)."""
    with torch.no_grad():
        batch = torch.broadcast_shapes(factor.shape[:-2], correlation.shape[:-2])
        factor = factor.expand(*batch, *factor.shape[-2:])
        correlation = correlation.expand(*batch, *correlation.shape[-2:])
        return torch.cholesky_solve(correlation.double(), factor).to(correlation.dtype)


def reconstruct(x: Tensor, y: Tensor, beta: float) -> tuple[Tensor, Tensor, Tensor]:
    r"""Coefficients ``(*B, M, N)``, error ``(*B, N)`` and certified relative gap ``(*B, N)``.

    With the residual rho = x - Yw, a point of the dual max_u 2u'x - u'u - ||Y'u||^2 / beta, the gap is

        P(w) - D(rho) = beta ||w - Y'rho / beta||^2,

    zero exactly where Y'rho = beta w; it comes from the data, not from the factor.
    """
    w = weights(factorise(y, beta), y.mT @ x)
    residual = x - y @ w
    error = residual.square().sum(-2)
    with torch.no_grad():
        excess = beta * (w - y.mT @ residual / beta).square().sum(-2)
        primal = error + beta * w.square().sum(-2)
        gap = torch.where(primal == 0, 0, excess / primal)
    return w, error, gap
