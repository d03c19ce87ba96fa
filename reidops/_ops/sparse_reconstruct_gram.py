"""The operator ``reidops::sparse_reconstruct_gram``: the lasso in Gram form, many columns against many dictionaries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .. import reference
from .._common.arguments import check_number
from .._common.derivatives import first_derivatives_only, register_derivatives
from .._common.registration import check_memory, check_one_device, float32_under_autocast, folded, is_transformed

SOLVERS = ("active_set", "feature_sign", "coordinate_descent")  # in the order of `enum class Solver` in csrc
IN_TORCH = ("fista",)  # for comparison
TOLERANCE = 1e-4
MAX_ITERATIONS = 1000

_OP = "reidops::sparse_reconstruct_gram"
_FISTA = "reidops::sparse_reconstruct_fista"  # the same in torch, for comparison
_INPUTS = 10  # all but the index, which torch leaves out where it is None


def sparse_reconstruct_gram(
    gram: Tensor,
    correlation: Tensor,
    energy: Tensor,
    columns: Tensor | None,
    atoms: Tensor | None,
    beta: float,
    *,
    solver: str = "active_set",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    return_coefficients: bool = False,
    index: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The operator itself, for callers that have the Gram form: R columns against G dictionaries of M atoms.

    Args:
        gram: ``(G, M, M)`` = Y'Y.
        correlation: ``(R, G, M)`` = Y'x, any strides.
        energy: ``(R, G)`` = ||x||^2.
        columns: ``(R, G, d)`` = x, or None.  With ``atoms`` the error is summed from the data wherever its expansion
            in Gram terms has lost too many digits to certify ``tolerance``.  Any strides, and on a CPU a half type too.
        atoms: ``(G, M, d)`` = Y', or None; so as ``columns``.
        index: ``(P, G)`` int64 on the CPU, or None.  The columns are those of P probes, as many each, and those of
            probe p meet, as number g, dictionary ``index[p, g]`` of ``gram (D, M, M)`` and ``atoms (D, M, d)``.

    Returns:
        error ``(R, G)``, gap ``(R, G)``, and coefficients ``(R, G, M)``, or ``(0,)`` if they are not asked for.
        Backward needs the coefficients: they are kept if autograd is recording, otherwise backward solves again.
        A tangent of forward mode is refused.
    """
    wanted = return_coefficients or (
        torch.is_grad_enabled() and (gram.requires_grad or correlation.requires_grad or energy.requires_grad)
    )
    number = (*SOLVERS, *IN_TORCH).index(solver)
    options = beta, tolerance, max_iterations, number, wanted
    if index is None:
        error, gap, coefficients = _operator(number)(gram, correlation, energy, columns, atoms, *options)
    elif _takes_index(gram, correlation, energy, number):
        error, gap, coefficients = _operator(number)(gram, correlation, energy, columns, atoms, *options, index)
    else:  # each probe with its own dictionaries, taken out
        split = len(correlation) // len(index)
        own = [None if value is None else value.split(split) for value in (correlation, energy, columns)]
        parts = [
            _operator(number)(
                gram[chosen],
                *(None if part is None else part[p] for part in own),
                None if atoms is None else atoms[chosen],
                *options,
            )
            for p, chosen in enumerate(index)
        ]
        error, gap, coefficients = (torch.cat(values) for values in zip(*parts, strict=True))
    return error, gap, coefficients


def _takes_index(gram: Tensor, correlation: Tensor, energy: Tensor, solver: int) -> bool:
    """The CPU kernel takes an index where no gradient and no transform goes through it."""
    given = gram, correlation, energy
    recording = torch.is_grad_enabled() and any(value.requires_grad for value in given)
    transformed = any(is_transformed(value) for value in given)
    return correlation.device.type == "cpu" and solver < len(SOLVERS) and not recording and not transformed


def _operator(solver: int) -> Any:
    return getattr(torch.ops.reidops, (_OP if solver < len(SOLVERS) else _FISTA).split("::")[1])


torch.library.define(
    _FISTA,
    "(Tensor gram, Tensor correlation, Tensor energy, Tensor? columns, Tensor? atoms, float beta, float tolerance, "
    "int max_iterations, int solver, bool return_coefficients) -> (Tensor, Tensor, Tensor)",
)


@torch.library.impl(_FISTA, "CompositeExplicitAutograd")
def _fista(
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
) -> tuple[Tensor, Tensor, Tensor]:
    """FISTA until every column is certified, or ``max_iterations``; in torch, on any device."""
    op = "sparse_reconstruct_fista"
    check_memory(op, gram=gram, correlation=correlation, energy=energy, columns=columns, atoms=atoms)
    check_number(op, "beta", beta, 0, or_equal=True)
    check_number(op, "tolerance", tolerance, 0, or_equal=False)
    result = reference.sparse_reconstruct_gram(
        gram, correlation, energy, columns, atoms, beta, tolerance, max_iterations, solver, return_coefficients
    )
    error, gap, coefficients = (value.contiguous() for value in result)
    return error, gap, coefficients


# What torch needs to know about the operator besides its kernels.


@torch.library.register_fake(_OP)
@torch.library.register_fake(_FISTA)
def _fake(
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
    given = {"gram": gram, "correlation": correlation, "energy": energy, "columns": columns, "atoms": atoms}
    check_one_device("sparse_reconstruct_gram" if solver < len(SOLVERS) else "sparse_reconstruct_fista", **given)
    error = correlation.new_empty(correlation.shape[:2])
    coefficients = correlation.new_empty(correlation.shape if return_coefficients else (0,))
    return error, torch.empty_like(error), coefficients


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    gram, correlation, energy, columns, atoms, *parameters, return_coefficients = inputs[:_INPUTS]
    if any(index is not None for index in inputs[_INPUTS:]):
        raise NotImplementedError(f"{_OP}: derivatives with an index; take the dictionaries out instead")
    error, gap, coefficients = output
    ctx.mark_non_differentiable(gap, coefficients)
    ctx.parameters, ctx.stored = parameters, return_coefficients
    given = [coefficients] if return_coefficients else [gram, correlation, energy, columns, atoms]
    ctx.save_for_backward(error, *given)


def _backward(ctx: Any, grad_error: Tensor, *_: Any) -> tuple[Any, ...]:
    """Eq. 7 in Gram form: with w constant, error = e - 2 w'c + w'Gw, so de = 1, dc = -2w and dG = ww'."""
    error, *given = ctx.saved_tensors
    if ctx.stored:
        (w,) = given
    else:  # the gradient was not in sight, as within vmap
        inputs = [value if value is None else value.detach() for value in given]
        w = _operator(ctx.parameters[-1])(*inputs, *ctx.parameters, True)[2]
    # A second derivative would have to follow w.
    scaled = (-2 * first_derivatives_only("sparse_reconstruct", grad_error, error))[..., None] * w
    grad_gram = scaled.permute(1, 2, 0) @ w.transpose(0, 1) * -0.5 if ctx.needs_input_grad[0] else None
    return grad_gram, scaled, grad_error, *(None,) * (len(ctx.needs_input_grad) - 3)


def _vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
    """One more batch of columns when the dictionaries are the same for all; one more of dictionaries otherwise."""
    gram, correlation, energy, columns, atoms, *parameters, return_coefficients = args[:_INPUTS]
    if any(index is not None for index in args[_INPUTS:]):
        raise NotImplementedError(f"{_OP}: vmap with an index; take the dictionaries out instead")
    size = info.batch_size
    fold = 0 if in_dims[0] is None and in_dims[4] is None else 1  # into R, or into G

    gram, atoms = (
        value if fold == 0 or value is None else folded(value, dim, size)
        for value, dim in ((gram, in_dims[0]), (atoms, in_dims[4]))
    )
    correlation, energy, columns = (
        value if value is None else folded(value, dim, size, fold)
        for value, dim in zip((correlation, energy, columns), in_dims[1:4])
    )
    error, gap, coefficients = _operator(parameters[-1])(
        gram, correlation, energy, columns, atoms, *parameters, return_coefficients
    )
    dims = (fold, fold, fold if return_coefficients else None)
    return tuple(
        value if dim is None else value.unflatten(dim, (size, value.shape[dim] // size if size else 0))
        for value, dim in zip((error, gap, coefficients), dims)
    ), dims


for _name in (_OP, _FISTA):
    register_derivatives(_name, _setup_context, _backward)
    torch.library.register_vmap(_name, _vmap)
    float32_under_autocast(_name)
