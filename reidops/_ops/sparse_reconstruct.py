"""Sparse reconstruction of columns by a dictionary, with a certificate: the solver inside DSR."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_choice, check_count, check_number, check_tensor
from .._common.precision import computing_dtype, result_dtype, without_autocast
from .._common.registration import check_memory, reverse_mode_only
from . import implicit, ridge
from .sparse_reconstruct_gram import IN_TORCH, MAX_ITERATIONS, SOLVERS, TOLERANCE, sparse_reconstruct_gram
from .working_set import pays, sparse_reconstruct_working_set

METHODS = ("lasso", "ridge")


class SparseReconstruction(NamedTuple):
    """What :func:`sparse_reconstruct` returns."""

    coefficients: Tensor  #: ``(*B, M, N)``, w of each column
    error: Tensor  #: ``(*B, N)``, ||x - yw||^2, without the penalty
    gap: Tensor  #: ``(*B, N)``, certified relative duality gap: (objective - optimum) / objective is at most this


def sparse_reconstruct(
    x: Tensor,
    y: Tensor,
    beta: float = 0.4,
    *,
    method: str = "lasso",
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> SparseReconstruction:
    r"""Rebuild each column of ``x`` from few columns of ``y`` (DSR, eq. 3).

    .. math:: \min_w \|x - yw\|_2^2 + \beta \|w\|_1        \text{(lasso)}
    .. math:: \min_w \|x - yw\|_2^2 + \beta \|w\|_2^2      \text{(ridge, closed form)}

    The paper's eq. 6 is half of its eq. 3 but keeps the letter: eq. 6 with beta' is this function with
    ``beta = 2 * beta'``. Nothing is normalised here; DSR's 0.4 is meant for columns of length 1.

    Args:
        x: ``(*B, d, N)``, N columns of d channels. float32, float64, float16 or bfloat16; any strides.
        y: ``(*B, d, M)``, M atoms, in the dtype of x. Batch dimensions broadcast. An item of y that serves many items
            of x is not copied.
        beta: weight of the penalty, >= 0, and > 0 for ridge. A lasso at 0 has no certificate: its gap is 1.
        method: ``"lasso"`` or ``"ridge"``.
        solver: how the lasso is solved. ``"active_set"``, ``"feature_sign"`` (the paper's; Lee et al. 2007) and
            ``"coordinate_descent"`` reach the same optimum. ``"fista"`` is for comparison: it runs in plain torch and
            may need many more iterations than the default allows.
        gradient: ``"constant"`` or ``"implicit"``, see below.
        tolerance: relative duality gap at which a column is done, > 0.
        max_iterations: steps per column, >= 1. If they end early, ``gap`` says how far the optimum may be.

    Returns:
        :class:`SparseReconstruction` in the dtype of ``x``. float16 and bfloat16 are summed in float32, and under
        autocast the results stay float32. ``gap`` belongs to the weights before they are rounded to this dtype. NaN or
        Inf in ``x`` makes its column NaN; in ``y`` it makes all columns of that dictionary NaN.

        ``error`` has gradients; ``coefficients`` and ``gap`` have none. With ``gradient="constant"`` w is held constant
        (eq. 7): d error = 2 (x - yw)' dx - 2 (x - yw)' dy w. That is exact for a loss that adds ``beta |w|_1``
        (envelope theorem). With ``gradient="implicit"`` it is exact for the error alone, because w is followed too, as
        long as its support and its signs do not change. Forward-mode derivatives are refused.

    Raises:
        TypeError: an argument is not a floating-point tensor, or ``x`` and ``y`` differ in dtype.
        ValueError: shapes or devices do not match, or a parameter is out of range.
        NotImplementedError: an input carries a forward-mode tangent.

    Example:
        >>> import torch, reidops
        >>> x, y = torch.rand(64, 5), torch.rand(64, 20)
        >>> result = reidops.sparse_reconstruct(x, y, beta=0.4)
        >>> result.coefficients.shape, result.error.shape, bool((result.gap <= 1e-4).all())
        (torch.Size([20, 5]), torch.Size([5]), True)
    """
    op = "sparse_reconstruct"
    check_tensor(op, "x", x, "(*B, d, N)", 2)
    check_tensor(op, "y", y, "(*B, d, M)", 2)
    check_alike(op, "y", y, "x", x)
    if x.shape[-2] != y.shape[-2]:
        raise ValueError(
            f"{op}: x (*B, d, N) and y (*B, d, M) must have the same d, got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    sizes = zip(x.shape[-3::-1], y.shape[-3::-1])
    if any(a != b and a != 1 and b != 1 for a, b in sizes):
        raise ValueError(
            f"{op}: the batch dimensions of x and y must broadcast, got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    check_choice(op, "method", method, METHODS)
    check_solving(op, beta, method, solver, gradient, tolerance, max_iterations)
    reverse_mode_only(op, x, y)
    check_memory(op, x=x, y=y)

    answer = result_dtype(x)
    with without_autocast(x):
        x, y = (value.to(computing_dtype(answer)) for value in (x, y))
        if method == "ridge":
            result = SparseReconstruction(*ridge.reconstruct(x, y, beta, gradient))
        else:
            result = _lasso(x, y, beta, solver, gradient, tolerance, max_iterations)
    return SparseReconstruction(*(value.to(answer) for value in result))


def check_solving(
    op: str, beta: float, method: str, solver: str, gradient: str, tolerance: float, max_iterations: int
) -> None:
    """The parameters that `sparse_reconstruct` and `dsr_distance` share."""
    check_choice(op, "solver", solver, (*SOLVERS, *IN_TORCH))
    check_choice(op, "gradient", gradient, implicit.GRADIENTS)
    check_penalty(op, beta, method)
    check_number(op, "tolerance", tolerance, 0, or_equal=False)
    check_count(op, "max_iterations", max_iterations)


def check_penalty(op: str, beta: float, method: str) -> None:
    """beta >= 0, and > 0 for ridge."""
    of_ridge = method == "ridge"
    check_number(op, "beta (of ridge)" if of_ridge else "beta", beta, 0, or_equal=not of_ridge)


def _lasso(
    x: Tensor, y: Tensor, beta: float, solver: str, gradient: str, tolerance: float, max_iterations: int
) -> SparseReconstruction:
    """Batch dimensions in any arrangement -> R columns against G dictionaries, all with all, as the op takes them.

    A dimension that y lacks multiplies columns (P), one that x lacks multiplies dictionaries (Q), one that both have
    pairs them (S).  So R = P N and G = S Q, and no dictionary is ever copied for the many columns it serves.
    """
    dims = max(x.dim(), y.dim()) - 2
    x = x.reshape((1,) * (dims + 2 - x.dim()) + x.shape)
    y = y.reshape((1,) * (dims + 2 - y.dim()) + y.shape)
    batch = [max(a, b) if min(a, b) else 0 for a, b in zip(x.shape[:dims], y.shape[:dims])]
    p = [i for i in range(dims) if y.shape[i] == 1]
    q = [i for i in range(dims) if y.shape[i] != 1 and x.shape[i] == 1]
    s = [i for i in range(dims) if y.shape[i] != 1 and x.shape[i] != 1]
    (size_p, size_q, size_s), (d, n), m = (_product(batch, kind) for kind in (p, q, s)), x.shape[-2:], y.shape[-1]

    x = x.permute(*s, *q, *p, dims, dims + 1).reshape(size_s, size_p, d, n)
    y = y.permute(*s, *q, *p, dims, dims + 1).reshape(size_s, size_q, d, m)
    rows, dictionaries = size_p * n, size_s * size_q

    def restore(value: Tensor) -> Tensor:
        """(R, G, ...) -> (*B, ..., N)"""
        value = value.reshape([batch[i] for i in p] + [n] + [batch[i] for i in s + q] + list(value.shape[2:]))
        places = [*p, dims, *s, *q]  # where each dimension of `value` belongs; N comes after the batch
        order = [places.index(i) for i in range(dims)] + list(range(dims + 1, value.dim())) + [places.index(dims)]
        return value.permute(order)

    if solver in SOLVERS and gradient == "constant" and beta > 0 and size_q == 1 and pays(rows, m, d):
        error, gap, coefficients = sparse_reconstruct_working_set(
            x.transpose(1, 2).flatten(2), y[:, 0], beta, tolerance, max_iterations, SOLVERS.index(solver)
        )
        return SparseReconstruction(restore(coefficients.permute(2, 0, 1)), restore(error.mT), restore(gap.mT))

    correlation = torch.einsum("spdn,sqdm->pnsqm", x, y).reshape(rows, dictionaries, m)
    gram = (y.mT @ y).reshape(dictionaries, m, m)
    energy = x.square().sum(2).permute(1, 2, 0)[..., None].expand(-1, -1, -1, size_q).reshape(rows, dictionaries)
    # Few columns ask for the data, so these are laid out as rows only there.
    columns = x.detach().mT.permute(1, 2, 0, 3)[:, :, :, None].expand(-1, -1, -1, size_q, -1)
    error, gap, coefficients = sparse_reconstruct_gram(
        gram,
        correlation,
        energy,
        columns.reshape(rows, dictionaries, d),
        y.detach().mT.reshape(dictionaries, m, d),
        beta,
        solver=solver,
        tolerance=tolerance,
        max_iterations=max_iterations,
        return_coefficients=True,
    )
    if gradient == "implicit":
        error = implicit.of_lasso(error, gram, correlation, coefficients, beta)

    return SparseReconstruction(restore(coefficients), restore(error), restore(gap))


def _product(batch: list[int], dims: list[int]) -> int:
    size = 1
    for i in dims:
        size *= batch[i]
    return size
