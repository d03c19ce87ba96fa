"""The exact derivative of a reconstruction's error, through the coefficients: the implicit function theorem.

With t = beta / 2, active set A (the atoms with w != 0) and their signs s, the lasso's optimum is
w_A = G_AA^-1 (c_A - t s), and stays so while support and signs do not change.  Its error is E = e - 2 w'c + w'Gw, where

    dE = de - 2 w'dc + w'dG w  +  2 (Gw - c)_A' dw_A,        2 (Gw - c)_A = -beta s,
    dw_A = G_AA^-1 (dc - dG w)_A.

The first three terms are eq. 7.  The last one is v'(dc - dG w) with v_A = -beta G_AA^-1 s and zeros elsewhere.  A ridge
has the same form over all atoms: v = -2 beta (G + beta I)^-1 w.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_number
from .._common.derivatives import register_derivatives
from .._common.registration import check_memory, check_one_device

GRADIENTS = ("constant", "implicit")

_CHUNK_BYTES = 64 << 20  # of the small matrices that are factored at a time


def of_lasso(error: Tensor, gram: Tensor, correlation: Tensor, w: Tensor, beta: float) -> Tensor:
    """``error (R, G)`` with its value unchanged, and the derivative v'(dc - dG w) added to that of eq. 7.

    Args:
        error: ``(R, G)``, differentiated with w constant.
        gram: ``(G, M, M)``.
        correlation: ``(R, G, M)``.
        w: ``(R, G, M)``, the lasso's coefficients.
        beta: of the lasso.
    """
    w = w.detach()
    v = lasso_adjoint(gram.detach(), w, beta)
    return with_derivative(error, v * (correlation - (w.transpose(0, 1) @ gram).transpose(0, 1)))


def with_derivative(error: Tensor, terms: Tensor) -> Tensor:
    """The value of ``error`` with the derivative of ``error + terms.sum(-1)``."""
    term = terms.sum(-1)
    return error + (term - term.detach())


def lasso_adjoint(gram: Tensor, coefficients: Tensor, beta: float) -> Tensor:
    """The operator of this name."""
    adjoint: Tensor = torch.ops.reidops.lasso_adjoint(gram, coefficients, beta)
    return adjoint


torch.library.define("reidops::lasso_adjoint", "(Tensor gram, Tensor coefficients, float beta) -> Tensor")


@torch.library.impl("reidops::lasso_adjoint", "CompositeExplicitAutograd")
def _lasso_adjoint(gram: Tensor, coefficients: Tensor, beta: float) -> Tensor:
    """``v (R, G, M)``, v_A = -beta G_AA^-1 sign(w_A) for every column; a constant of the graph.

    A column's active atoms are few: their Gram matrices are gathered, factored in float64 and solved in batches.  Where
    active atoms repeat each other G_AA is singular; a diagonal of the size of rounding splits v evenly between them.

    Args:
        gram: ``(G, M, M)``.
        coefficients: ``(R, G, M)``.
        beta: of the lasso.
    """
    check_memory("lasso_adjoint", gram=gram, coefficients=coefficients)
    check_number("lasso_adjoint", "beta", beta, 0, or_equal=True)
    rows, images, _ = coefficients.shape
    v = torch.zeros_like(coefficients, memory_format=torch.contiguous_format)
    active = (coefficients != 0) & coefficients.isfinite()
    most = int(active.sum(-1).max()) if active.numel() else 0
    if most == 0:
        return v
    chunk = max(1, _CHUNK_BYTES // (8 * most * most * rows))  # dictionaries at a time
    # Of the trace: the rounding of a float32 Gram matrix; in float64 what a factor still tells from zero.
    least = max(4 * torch.finfo(gram.dtype).eps, 1e-10)
    for start in range(0, images, chunk):
        part = slice(start, start + chunk)
        chosen = active[:, part].byte().topk(most, dim=-1).indices  # (R, g, k), the active atoms and some others
        used = active[:, part].gather(-1, chosen)
        image = torch.arange(start, min(start + chunk, images), device=gram.device)[:, None, None]
        matrix = gram[image, chosen[..., :, None], chosen[..., None, :]].double()
        matrix.masked_fill_(~(used[..., :, None] & used[..., None, :]), 0)
        diagonal = matrix.diagonal(dim1=-2, dim2=-1)
        # What is not active forms an identity of its own.
        diagonal += torch.where(used, least * diagonal.sum(-1, keepdim=True), 1)
        sign = coefficients[:, part].gather(-1, chosen).sign().double() * used
        solved = torch.cholesky_solve(sign[..., None], torch.linalg.cholesky_ex(matrix).L)[..., 0]
        v[:, part] = v[:, part].scatter(-1, chosen, (-beta * solved * used).to(v.dtype))
    return v


@torch.library.register_fake("reidops::lasso_adjoint")
def _fake(gram: Tensor, coefficients: Tensor, beta: float) -> Tensor:
    check_one_device("lasso_adjoint", gram=gram, coefficients=coefficients)
    return torch.empty_like(coefficients, memory_format=torch.contiguous_format)


def _keep_nothing(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.mark_non_differentiable(output)


def _backward(ctx: Any, *_: Any) -> tuple[None, None, None]:
    return None, None, None


register_derivatives("reidops::lasso_adjoint", _keep_nothing, _backward)
