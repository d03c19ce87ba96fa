"""The operator ``reidops::sparse_reconstruct_working_set``: the lasso of few columns by many atoms, from the data.

The Gram matrix of 2,000 atoms costs a thousand times what one column's correlations cost, and a column needs few of
its rows.  So the lasso is solved over a working set W of atoms, by ``sparse_reconstruct_gram`` with the Gram matrix of
W alone.  Then all atoms are looked at once, r = y'(x - yw), and those that violate their condition |r_j| <= t most join
W.  The certificate is that of all atoms: W decides only how many rounds it takes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .._common.arguments import check_number
from .._common.derivatives import first_derivatives_only, register_derivatives
from .._common.registration import check_memory, check_one_device, float32_under_autocast, folded
from .sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram

_OP = "reidops::sparse_reconstruct_working_set"
_FEWEST_ATOMS = 512
_DICTIONARY = 100_000  # elements: below, all products together cost less than the calls
_DICTIONARY_A_COLUMN = 50_000  # below, the rounds cost more than the Gram matrix of all atoms
_FIRST = 64  # atoms of the first working set, for one column
_ROUNDS = 12


def pays(columns: int, atoms: int, channels: int) -> bool:
    """Whether the data are the shorter way: it depends on sizes alone."""
    return atoms >= _FEWEST_ATOMS and atoms * channels >= max(_DICTIONARY, _DICTIONARY_A_COLUMN * columns)


def sparse_reconstruct_working_set(*given: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The operator itself: see :func:`_sparse_reconstruct_working_set`."""
    error, gap, coefficients = torch.ops.reidops.sparse_reconstruct_working_set(*given)
    return error, gap, coefficients


torch.library.define(
    _OP,
    "(Tensor x, Tensor y, float beta, float tolerance, int max_iterations, int solver) "
    "-> (Tensor error, Tensor gap, Tensor coefficients)",
)


@torch.library.impl(_OP, "CompositeExplicitAutograd")
def _sparse_reconstruct_working_set(
    x: Tensor, y: Tensor, beta: float, tolerance: float, max_iterations: int, solver: int
) -> tuple[Tensor, Tensor, Tensor]:
    """``x (S, d, N)`` by ``y (S, d, M)`` -> error ``(S, N)``, gap ``(S, N)``, coefficients ``(S, M, N)``.

    Args:
        x: columns, S times N of them.
        y: a dictionary for each S.
        beta: weight of the penalty.
        tolerance: relative duality gap of all columns.
        max_iterations: of each solution over a working set.
        solver: an index into SOLVERS.
    """
    op = "sparse_reconstruct_working_set"
    check_memory(op, x=x, y=y)
    check_number(op, "beta", beta, 0, or_equal=True)
    check_number(op, "tolerance", tolerance, 0, or_equal=False)
    results = [_solve(*pair, beta, tolerance, max_iterations, SOLVERS[solver]) for pair in zip(x, y, strict=True)]
    if not results:
        return x.new_empty(0, x.shape[2]), x.new_empty(0, x.shape[2]), x.new_empty(0, y.shape[2], x.shape[2])
    error, gap, coefficients = (torch.stack(values) for values in zip(*results, strict=True))
    return error, gap, coefficients


def _solve(
    x: Tensor, y: Tensor, beta: float, tolerance: float, max_iterations: int, solver: str
) -> tuple[Tensor, Tensor, Tensor]:
    """One dictionary: error ``(N,)``, gap ``(N,)``, coefficients ``(M, N)``."""
    atoms = y.shape[1]
    energy = x.square().sum(0)
    lengths = y.square().sum(0)
    r = y.mT @ x
    finite = energy.isfinite() & r.isfinite().all(0)
    if not bool(lengths.isfinite().all() & finite.all()):  # also products that overflow
        return _solve_all(x, y, beta, tolerance, max_iterations, solver)
    state, best = _WorkingSet(x, y), _Best(x, atoms)
    inner = tolerance / 2
    for _ in range(_ROUNDS):
        if not state.grow(r, beta / 2):
            inner /= 8  # nothing is missing: the set itself is to be solved better
        w = state.solve(energy, beta, inner, max_iterations, solver)
        own = state.atoms.double()
        rho = x.double() - own.mT @ w.double()
        r = y.mT @ rho.to(y.dtype)
        best.offer(state.scatter(w, atoms), *_certify(rho, r, own @ rho, w, lengths, beta), beta, tolerance)
        uncertified = best.gap > tolerance
        if not bool(uncertified.any()):
            break
        if 2 * state.size > atoms:  # then all of them cost hardly more
            rest = _solve_all(x[:, uncertified], y, beta, tolerance, max_iterations, solver)
            best.error[uncertified], best.gap[uncertified], best.w[:, uncertified] = rest
            break
    return best.error, best.gap, best.w


def _solve_all(
    x: Tensor, y: Tensor, beta: float, tolerance: float, max_iterations: int, solver: str
) -> tuple[Tensor, Tensor, Tensor]:
    """The same with the Gram matrix of all atoms."""
    rows, atoms = x.mT.contiguous(), y.mT.contiguous()
    error, gap, w = sparse_reconstruct_gram(
        (atoms @ atoms.mT)[None],
        (rows @ y)[:, None],
        x.square().sum(0)[:, None],
        rows[:, None],
        atoms[None],
        beta,
        solver=solver,
        tolerance=tolerance,
        max_iterations=max_iterations,
        return_coefficients=True,
    )
    return error[:, 0], gap[:, 0], w[:, 0].mT


class _Best:
    """The best point of each column so far: no round makes it worse."""

    def __init__(self, x: Tensor, atoms: int) -> None:
        self.error, self.gap = x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])
        self.w = x.new_zeros(atoms, x.shape[1])
        self.objective = torch.full_like(self.gap, torch.inf, dtype=torch.float64)

    def offer(self, w: Tensor, error: Tensor, gap: Tensor, beta: float, tolerance: float) -> None:
        """Takes the columns that are certified for the first time, or else have a smaller objective."""
        objective = error + beta * w.double().abs().sum(0)
        sure, was = gap <= tolerance, self.gap <= tolerance
        better = torch.where(sure == was, objective < self.objective, sure)
        self.objective = torch.where(better, objective, self.objective)
        self.error = torch.where(better, error.to(self.error.dtype), self.error)
        self.gap = torch.where(better, gap.to(self.gap.dtype), self.gap)
        self.w = torch.where(better, w, self.w)


class _WorkingSet:
    """Atoms W of one dictionary, with their Gram matrix and their correlations with all columns."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y
        self.members = torch.zeros(y.shape[1], dtype=torch.bool, device=y.device)
        self.index = torch.empty(0, dtype=torch.int64, device=y.device)
        self.atoms = y.new_empty(0, y.shape[0])
        self.gram = y.new_empty(0, 0)
        self.correlation = x.new_empty(x.shape[1], 0)
        self.support = 0

    @property
    def size(self) -> int:
        return len(self.index)

    def grow(self, r: Tensor, t: float) -> bool:
        """Takes each column's worst violators, as many again as there are; False where there are none."""
        columns = r.shape[1]
        room = max(_FIRST, 2 * self.support) if columns == 1 else max(_FIRST // 4, self.support // columns)
        violation = torch.where(self.members[:, None], 0.0, (r.abs() - t).clamp(min=0))
        worst = violation.topk(min(room, len(r)), dim=0)
        chosen = torch.zeros_like(self.members)
        chosen[worst.indices[worst.values > 0]] = True
        new = chosen.nonzero().flatten()
        if not len(new):
            return False
        self.members |= chosen
        added = self.y[:, new].mT.contiguous()
        across, own = self.atoms @ added.mT, added @ added.mT
        self.gram = torch.cat([torch.cat([self.gram, across], 1), torch.cat([across.mT, own], 1)])
        self.correlation = torch.cat([self.correlation, self.x.mT @ added.mT], 1)
        self.atoms = torch.cat([self.atoms, added])
        self.index = torch.cat([self.index, new])
        return True

    def solve(self, energy: Tensor, beta: float, tolerance: float, max_iterations: int, solver: str) -> Tensor:
        """Coefficients ``(W, N)``."""
        _, _, w = sparse_reconstruct_gram(
            self.gram[None],
            self.correlation[:, None],
            energy[:, None],
            self.x.mT.contiguous()[:, None],
            self.atoms[None],
            beta,
            solver=solver,
            tolerance=tolerance,
            max_iterations=max_iterations,
            return_coefficients=True,
        )
        self.support = int((w != 0).sum())
        return w[:, 0].mT

    def scatter(self, w: Tensor, atoms: int) -> Tensor:
        return w.new_zeros(atoms, w.shape[1]).index_copy(0, self.index, w)


def _certify(rho: Tensor, r: Tensor, own: Tensor, w: Tensor, lengths: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Error and gap in float64, as in csrc's sparse_reconstruct.h, with the rounding of r = y'rho.

    ``own`` is r of the working set in float64, which w . r is summed from.
    """
    t, unit = beta / 2, torch.finfo(r.dtype).eps / 2
    w = w.double()
    error, l1 = rho.square().sum(0), w.abs().sum(0)
    rounding = (4 + len(rho) ** 0.5 / 16) * unit * (error * lengths.double().amax()).sqrt()
    scale = t / (r.double().abs().amax(0) + rounding).clamp(min=t) if t > 0 else torch.zeros_like(l1)
    primal = error + beta * l1
    gap = (1 - scale).square() * error + 2 * (t * l1 - scale * (w * own).sum(0)).clamp(min=0)
    return error, torch.where(primal > 0, gap / primal, gap).clamp(max=1)


# What torch needs to know about the operator besides its kernel.


@torch.library.register_fake(_OP)
def _fake(
    x: Tensor, y: Tensor, beta: float, tolerance: float, max_iterations: int, solver: int
) -> tuple[Tensor, Tensor, Tensor]:
    check_one_device("sparse_reconstruct_working_set", x=x, y=y)
    error = x.new_empty(x.shape[0], x.shape[2])
    return error, torch.empty_like(error), x.new_empty(x.shape[0], y.shape[2], x.shape[2])


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    x, y, *_ = inputs
    error, gap, coefficients = output
    ctx.mark_non_differentiable(gap, coefficients)
    ctx.save_for_backward(x, y, coefficients, error)


def _backward(ctx: Any, grad_error: Tensor, *_: Any) -> tuple[Any, ...]:
    """Eq. 7: with w constant, d error = 2 (x - yw)' (dx - dy w)."""
    x, y, w, error = ctx.saved_tensors
    # A second derivative would have to follow w.
    scaled = 2 * first_derivatives_only("sparse_reconstruct", grad_error, error)[:, None] * (x - y @ w)
    of_x = scaled if ctx.needs_input_grad[0] else None
    of_y = -scaled @ w.mT if ctx.needs_input_grad[1] else None
    return of_x, of_y, *(None,) * 4


def _vmap(info: Any, in_dims: tuple[int | None, ...], x: Tensor, y: Tensor, *parameters: Any) -> tuple[Any, Any]:
    """One more batch of dictionaries."""
    size = info.batch_size

    given = (folded(value, dim, size) for value, dim in zip((x, y), in_dims))
    results = sparse_reconstruct_working_set(*given, *parameters)
    return tuple(value.unflatten(0, (size, value.shape[0] // size if size else 0)) for value in results), (0, 0, 0)


register_derivatives(_OP, _setup_context, _backward)
torch.library.register_vmap(_OP, _vmap)
float32_under_autocast(_OP)
