"""Ridge reconstruction, ``min_w ||x - Yw||^2 + beta ||w||^2``, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from .._common.derivatives import once_differentiable
from .channel_product import channel_product
from .implicit import with_derivative


def factorise(gram: Tensor, beta: float) -> Tensor:
    """Cholesky factor ``(..., M, M)`` of ``G + beta I`` for a Gram matrix ``(..., M, M)``, constant for gradients.

    To be given in float64: the rounding of a float32 Gram matrix of many alike atoms may exceed a small beta and leave
    nothing positive definite to factor.  A beta below the rounding of float64 is raised to it, for the same reason.
    """
    with torch.no_grad():
        rounding = 4 * torch.finfo(gram.dtype).eps * gram.diagonal(dim1=-2, dim2=-1).sum(-1)
        penalty = rounding.clamp(min=beta)[..., None, None]
        identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        return torch.linalg.cholesky_ex(gram + penalty * identity).L


def inverse(gram: Tensor, beta: float) -> Tensor:
    """``(G + beta I)^-1`` of a float64 Gram matrix ``(..., M, M)``, constant for gradients: see :func:`factorise`."""
    with torch.no_grad():
        return torch.cholesky_inverse(factorise(gram, beta))


def weights(factor: Tensor, correlation: Tensor) -> Tensor:
    """``w (..., M, N) = (Y'Y + beta I)^-1 c`` for ``c = Y'x (..., M, N)``; constant for gradients (eq. 7)."""
    with torch.no_grad():
        batch = torch.broadcast_shapes(factor.shape[:-2], correlation.shape[:-2])
        factor = factor.expand(*batch, *factor.shape[-2:])
        correlation = correlation.expand(*batch, *correlation.shape[-2:])
        return torch.cholesky_solve(correlation.double(), factor).to(correlation.dtype)


def errors(
    gram: Tensor,
    inverse: Tensor,
    correlation: Tensor,
    energy: Tensor,
    beta: float,
    gradient: str,
    *,
    return_gap: bool = False,
) -> tuple[Tensor, Tensor]:
    """Errors ``(R, G)`` in Gram form, ``||x - Yw||^2 = e + w.(Gw - 2c)``, with gradients as of a constant w (eq. 7).

    With them the relative gaps ``(R, G)`` of :func:`reconstruct`, where Y'rho = c - Gw; ``(0,)`` if not asked for.

    ``gradient="implicit"`` makes them exact (`implicit`).

    Args:
        gram: ``(G, M, M)``, float64, and so the others: the expansion cancels.
        inverse: ``(G, M, M)``, from :func:`inverse`.
        correlation: ``(R, G, M)``.
        energy: ``(R,)``.
    """
    gram, correlation, energy = once_differentiable("dsr_distance", gram, correlation, energy)
    c = correlation.transpose(0, 1)
    with torch.no_grad():
        w = _each_with_its_own(c, inverse)
    fitted = _each_with_its_own(w, gram)
    error = (energy + (w * (fitted - 2 * c)).sum(-1)).clamp(min=0)
    if gradient == "implicit":
        with torch.no_grad():
            v = -2 * beta * _each_with_its_own(w, inverse)
        error = with_derivative(error, v * (c - fitted))
    gap = error.new_empty(0)
    if return_gap:
        with torch.no_grad():
            gap = _relative_gap(beta * w - (c - fitted), error, w, beta, -1).mT
    return error.mT, gap


def _each_with_its_own(rows: Tensor, matrices: Tensor) -> Tensor:
    """``rows (G, R, M) @ matrices (G, M, M)``, whose bits do not depend on how many rows there are."""
    own = torch.arange(matrices.shape[0])[:, None]  # not len: exported, it would be a constant
    return channel_product(rows.mT, matrices, own)[:, :, 0]


def reconstruct(x: Tensor, y: Tensor, beta: float, gradient: str) -> tuple[Tensor, Tensor, Tensor]:
    r"""Coefficients ``(*B, M, N)``, error ``(*B, N)`` and certified relative gap ``(*B, N)``.

    With the residual rho = x - Yw, a point of the dual max_u 2u'x - u'u - ||Y'u||^2 / beta, the gap is

        P(w) - D(rho) = ||beta w - Y'rho||^2 / beta,

    zero exactly where Y'rho = beta w; it comes from the data, not from the factor.  No optimum is below zero, so that a
    relative gap is never more than 1.
    """
    x, y = once_differentiable("sparse_reconstruct", x, y)
    wide = y.detach().double()
    factor = factorise(wide.mT @ wide, beta)
    w = weights(factor, wide.mT @ x.detach().double()).to(x.dtype)
    residual = x - y @ w
    error = residual.square().sum(-2)
    if gradient == "implicit":  # v'(c - Gw) = (Yv)'(x - Yw)
        v = weights(factor, -2 * beta * w)
        error = with_derivative(error, ((y @ v) * residual).mT)
    with torch.no_grad():
        gap = _relative_gap(beta * w.double() - wide.mT @ residual.double(), error, w.double(), beta, -2)
    return w, error, gap


def _relative_gap(excess: Tensor, error: Tensor, w: Tensor, beta: float, dim: int) -> Tensor:
    """``||excess||^2 / beta`` for ``excess = beta w - Y'rho``, relative to the objective, over the atoms in ``dim``."""
    primal = error + beta * w.square().sum(dim)
    return torch.where(primal == 0, 0, excess.square().sum(dim) / beta / primal).clamp(max=1)
