"""The operator ``reidops::sparse_reconstruct_gram`` in plain torch: its fallback where no kernel is built."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .fista import fista

_ITERATIONS_BETWEEN_CHECKS = 40  # also FISTA's restarts, which make its convergence linear


def sparse_reconstruct_gram(
    gram: Tensor,
    correlation: Tensor,
    energy: Tensor,
    columns: Tensor | None,
    atoms: Tensor | None,
    beta: float,
    tolerance: float,
    max_iterations: int,
    solver: int,
    return_coefficients: bool,
    index: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sparse reconstruction in Gram form, with the operator's own signature and the header's own certificate.

    FISTA with restarts takes every column near its optimum; coordinate descent finishes those it leaves uncertified,
    unless ``solver`` is 3: FISTA alone.  The other numbers name kernels and are of no consequence here: the optimum is
    the same.

    Args:
        gram: ``(G, M, M)`` = Y'Y.
        correlation: ``(R, G, M)`` = Y'x.
        energy: ``(R, G)`` = ||x||^2.
        columns: ``(R, G, d)`` = x, for the sums whose expansion in Gram terms cancels; or None.
        atoms: ``(G, M, d)`` = Y'; or None.
        beta: weight of the l1 penalty.
        tolerance: relative duality gap to stop at.
        max_iterations: of FISTA, and again of coordinate descent (sweeps).
        index: None. Only the CPU kernel knows what it means.

    Returns:
        error ``(R, G)``, gap ``(R, G)``, and coefficients ``(R, G, M)`` or ``(0,)``.
    """
    if solver not in (0, 1, 2, 3):
        raise ValueError(f"sparse_reconstruct_gram: solver must be 0, 1, 2 or 3, got {solver}")
    if not 0 <= beta < math.inf:
        raise ValueError(f"sparse_reconstruct_gram: beta must be a finite number >= 0, got {beta}")
    if not 0 < tolerance < math.inf:
        raise ValueError(f"sparse_reconstruct_gram: tolerance must be a finite number > 0, got {tolerance}")
    if index is not None:
        raise NotImplementedError("sparse_reconstruct_gram: index must be None without the CPU kernel")
    beta = min(beta, torch.finfo(gram.dtype).max)  # for any larger one: long before it w = 0 is the optimum
    finite = energy.isfinite() & correlation.isfinite().all(-1) & gram.isfinite().flatten(1).all(1)
    gram = torch.where(finite.any(0)[:, None, None], gram, 0)
    c = torch.where(finite[..., None], correlation, 0).transpose(0, 1).contiguous()  # (G, R, M): a dictionary a matrix
    energy = torch.where(finite, energy, 0)

    weights = torch.zeros_like(c)
    error, gap = _certify(gram, c, energy, columns, atoms, weights, beta, tolerance)
    done = 0
    while done < max_iterations and bool((gap > tolerance).any()):
        iterations = min(_ITERATIONS_BETWEEN_CHECKS, max_iterations - done)
        weights = fista(gram, c, beta, iterations, start=weights)
        error, gap = _certify(gram, c, energy, columns, atoms, weights, beta, tolerance)
        done += iterations
    done = 0
    while solver != 3 and done < max_iterations and bool((gap > tolerance).any()):
        sweeps = min(10, max_iterations - done)
        _coordinate_descent(gram, c, weights, beta, sweeps, (gap > tolerance).T.nonzero(as_tuple=True))
        error, gap = _certify(gram, c, energy, columns, atoms, weights, beta, tolerance)
        done += sweeps

    error, gap = (torch.where(finite, value, torch.nan) for value in (error, gap))
    if not return_coefficients:
        return error, gap, error.new_empty(0)
    return error, gap, torch.where(finite[..., None], weights.transpose(0, 1), torch.nan)


def _coordinate_descent(
    gram: Tensor, c: Tensor, weights: Tensor, beta: float, sweeps: int, chosen: tuple[Tensor, ...]
) -> None:
    """Cyclic coordinate descent, in place, on the chosen (dictionary, column) pairs side by side."""
    dictionary, _ = chosen
    w = weights[chosen]
    for _ in range(sweeps):
        rest = c[chosen] - torch.einsum("km,kmn->kn", w, gram[dictionary])  # afresh in each sweep: nothing drifts
        for j in range(w.shape[1]):
            row = gram[dictionary, j]
            diagonal = row[:, j]
            alone = rest[:, j] + diagonal * w[:, j]
            new = alone.sign() * (alone.abs() - beta / 2).relu() / torch.where(diagonal > 0, diagonal, torch.inf)
            rest -= (new - w[:, j])[:, None] * row
            w[:, j] = new
    weights[chosen] = w


def _certify(
    gram: Tensor,
    c: Tensor,
    energy: Tensor,
    columns: Tensor | None,
    atoms: Tensor | None,
    weights: Tensor,
    beta: float,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Error and relative duality gap ``(R, G)``; the mathematics stands in csrc's sparse_reconstruct.h."""
    t = beta / 2
    r = c - weights @ gram
    wc, wr = (weights * c).sum(-1).T, (weights * r).sum(-1).T
    l1 = weights.abs().sum(-1).T
    r_max = r.abs().amax(-1).T if r.shape[-1] else torch.zeros_like(energy)

    error = (energy - wc - wr).relu()
    if columns is not None and atoms is not None:
        lost = error * tolerance < 8 * torch.finfo(error.dtype).eps * energy
        for g in lost.any(0).nonzero().flatten().tolist():
            rows = lost[:, g]
            error[rows, g] = (columns[rows, g] - weights[g, rows] @ atoms[g]).square().sum(-1)

    scale = torch.where(r_max > t, t / r_max, 1)
    primal = error + 2 * t * l1
    gap = (1 - scale).square() * error + 2 * (t * l1 - scale * wr).relu()
    return error, torch.where(primal > 0, gap / primal, gap)
