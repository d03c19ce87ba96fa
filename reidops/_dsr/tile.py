"""One tile: some probes' blocks against some dictionaries of one layout, the way from maps to distances."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .._ops import implicit, ridge
from .._ops.channel_product import channel_product
from .._ops.sparse_reconstruct_gram import sparse_reconstruct_gram
from . import rounding
from .probes import Probes, largest_gap, mean_error, pool_rows
from .problem import Problem
from .stacks import Stack, average, gram_of


class Chunk(NamedTuple):
    """Some dictionaries, ready for products."""

    stack: Stack  #: with its cells in the dtype of the product
    atoms: Tensor | None  #: (D, M, C), the data, constant for gradients; None for ridge, which asks for none

    @staticmethod
    def of(stack: Stack, problem: Problem) -> Chunk:
        """A stack, in the dtypes of a problem.  Blocks that are rounded here have a Gram matrix of their own."""
        cells = stack.cells.to(problem.product)
        rounded = cells.dtype.itemsize < stack.cells.dtype.itemsize
        stack = stack._replace(cells=cells, gram=gram_of(cells, stack.averages) if rounded else stack.gram)
        return Chunk(stack, None if stack.inverse is not None else stack.atoms(problem.sums).detach())


def tile(probes: Probes, chunk: Chunk, problem: Problem, index: Tensor | None = None) -> Tensor:
    """``(1, P, G)`` distances, or ``(2, P, G)`` with the gaps.

    With an index ``(P, K)`` they are ``(.., P, K)``: the k-th of probe p is to dictionary ``index[p, k]`` of the chunk.
    The probes have one size then.
    """
    correlation = correlate(probes, chunk, index)
    if index is None or (problem.purpose.method == "lasso" and not follows_weights(problem)):
        error, gap = _errors(probes, chunk, correlation, problem, index)
    else:  # each probe with its own dictionaries, taken out
        count = len(probes.energy) // len(index)
        parts = []
        for p, chosen in enumerate(index):
            rows = slice(p * count, (p + 1) * count)
            one = probes._replace(columns=probes.columns[rows], energy=probes.energy[rows])
            own = Chunk(chunk.stack.take(chosen), None if chunk.atoms is None else chunk.atoms[chosen])
            parts.append(_errors(one, own, correlation[rows], problem, None))
        error, gap = (torch.cat(values) for values in zip(*parts, strict=True))
    if problem.rounds and problem.solving.return_gap:
        gap = rounding.widen(gap, error.detach(), probes.energy, _largest(chunk, index, len(error)), problem)
    return wanted(error, gap, probes, problem)


def correlate(probes: Probes, chunk: Chunk, index: Tensor | None = None) -> Tensor:
    """``(R, G, M)``: products at 1 x 1, then averages of them, first over the probes' blocks, then the gallery's."""
    products = pool_rows(channel_product(probes.cells, chunk.stack.cells, index), probes)
    return products if chunk.stack.averages is None else average(products, chunk.stack.averages)


def wanted(error: Tensor, gap: Tensor, probes: Probes, problem: Problem) -> Tensor:
    """``(1, P, G)`` distances from ``(R, G)`` errors; with gaps ``(2, P, G)``, the largest of each probe's blocks."""
    distance = mean_error(error, probes)
    if not problem.solving.return_gap:
        return distance[None]
    return torch.stack((distance, largest_gap(gap.detach(), probes)))


def lasso(
    probes: Probes,
    chunk: Chunk,
    correlation: Tensor,
    problem: Problem,
    *,
    return_coefficients: bool,
    index: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors and gaps ``(R, G)``, and coefficients ``(R, G, M)``, of shape (0,) where they are not asked for."""
    dictionaries, solving = correlation.shape[1], problem.solving
    error, gap, w = sparse_reconstruct_gram(
        chunk.stack.gram,
        correlation,
        probes.energy[:, None].expand(-1, dictionaries),
        probes.columns[:, None].expand(-1, dictionaries, -1),
        chunk.atoms,
        problem.purpose.beta,
        solver=solving.solver,
        tolerance=solving.tolerance,
        max_iterations=solving.max_iterations,
        return_coefficients=return_coefficients,
        index=index,
    )
    return error, gap, w


def follows_weights(problem: Problem) -> bool:
    """Whether gradients go through the coefficients."""
    return problem.solving.gradient == "implicit" and torch.is_grad_enabled()


def _errors(
    probes: Probes, chunk: Chunk, correlation: Tensor, problem: Problem, index: Tensor | None
) -> tuple[Tensor, Tensor]:
    gram, inverse = chunk.stack.gram, chunk.stack.inverse
    beta, solving = problem.purpose.beta, problem.solving
    if inverse is not None:
        given = gram, inverse, correlation, probes.energy
        return ridge.errors(*given, beta, solving.gradient, return_gap=solving.return_gap)
    exact = follows_weights(problem)
    error, gap, w = lasso(probes, chunk, correlation, problem, return_coefficients=exact, index=index)
    return (implicit.of_lasso(error, gram, correlation, w, beta) if exact else error), gap


def _largest(chunk: Chunk, index: Tensor | None, rows: int) -> Tensor:
    """``(1 or R, G)``, the energy of each dictionary's largest atom."""
    largest = chunk.stack.gram.detach().diagonal(dim1=1, dim2=2).amax(1)
    return largest[None] if index is None else largest[index].repeat_interleave(rows // len(index), dim=0)
