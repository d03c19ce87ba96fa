"""The operator's index of dictionaries, and its data at any strides and in half types."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from reidops._ops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram
from tests.reidops.features import relu_columns, relu_maps

P, N, D, M, CHANNELS = 3, 5, 4, 9, 30
INDEX = torch.tensor([[3, 0], [1, 1], [0, 2]])


def problem(dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Gram (D, M, M), correlation (P N, 2, M), energy, columns (P N, 2, d) and atoms (D, M, d), for `INDEX`."""
    atoms = relu_maps(D, CHANNELS, 1, M).squeeze(2).mT.to(dtype).contiguous()
    columns = relu_columns(CHANNELS, P * N, seed=1).mT.to(dtype).contiguous()
    chosen = atoms[INDEX].repeat_interleave(N, dim=0)  # (P N, 2, M, d)
    correlation = torch.einsum("rd,rkmd->rkm", columns, chosen)
    energy = columns.square().sum(1)[:, None].expand(-1, 2)
    return atoms @ atoms.mT, correlation, energy, columns[:, None].expand(-1, 2, -1), atoms


@pytest.mark.parametrize("beta", [0.4, 1e-3])  # at the smaller one the data are asked for
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_index_is_what_taking_out_is(dtype: torch.dtype, solver: str, beta: float) -> None:
    gram, correlation, energy, columns, atoms = problem(dtype)
    options: dict[str, Any] = {"solver": solver, "tolerance": 1e-5, "return_coefficients": True}
    found = sparse_reconstruct_gram(gram, correlation, energy, columns, atoms, beta, index=INDEX, **options)
    for p in range(P):
        own, rows = INDEX[p], slice(p * N, (p + 1) * N)
        given = gram[own], correlation[rows], energy[rows], columns[rows], atoms[own]
        for one, other in zip(found, sparse_reconstruct_gram(*given, beta, **options), strict=True):
            assert torch.equal(one[rows], other)


def test_gradients_go_through_an_index() -> None:
    gram, correlation, energy, columns, atoms = problem(torch.float64)
    given = gram.requires_grad_(), correlation.requires_grad_(), energy.clone().requires_grad_()

    def errors(*values: Tensor) -> Tensor:
        return sparse_reconstruct_gram(*values, columns, atoms, 0.4, tolerance=1e-12, index=INDEX)[0]

    found = torch.autograd.grad(errors(*given).sum(), given)
    expected = [torch.zeros_like(value) for value in given]
    for p in range(P):
        own, rows = INDEX[p], slice(p * N, (p + 1) * N)
        part = gram.detach()[own].requires_grad_(), correlation.detach()[rows].requires_grad_(), energy[rows]
        error = sparse_reconstruct_gram(*part, columns[rows], atoms[own], 0.4, tolerance=1e-12)[0]
        of_gram, expected[1][rows] = torch.autograd.grad(error.sum(), part[:2])
        expected[0].index_add_(0, own, of_gram)
    expected[2].fill_(1)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("storage", [torch.float32, torch.float16, torch.bfloat16])
def test_data_may_lie_as_a_network_gives_them(storage: torch.dtype) -> None:
    gram, correlation, energy, columns, atoms = problem(torch.float32)
    columns, atoms = (values.to(storage) for values in (columns, atoms))
    rows = columns.float().contiguous(), atoms.float()
    planar = columns[:, 0].mT.contiguous().mT[:, None].expand(-1, 2, -1), atoms.mT.contiguous().mT
    options: dict[str, Any] = {"return_coefficients": True, "index": INDEX}
    expected = sparse_reconstruct_gram(gram, correlation, energy, *rows, 1e-3, **options)
    found = sparse_reconstruct_gram(gram, correlation, energy, *planar, 1e-3, **options)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (INDEX.int(), r"index: expected int64 of shape \(P, 2\)"),
        (INDEX[:, :1], r"index: expected int64 of shape \(P, 2\)"),
        (INDEX[:2], "index: expected P >= 1 probes with as many of the 15 columns each, got 2"),
        (INDEX[:0], "index: expected P >= 1 probes"),
        (INDEX + 1, "index: expected numbers of 4 dictionaries, got 4"),
        (INDEX - 1, "index: expected numbers of 4 dictionaries, got -1"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(index: Tensor, message: str) -> None:
    with pytest.raises(RuntimeError, match=f"sparse_reconstruct_gram: {message}"):
        torch.ops.reidops.sparse_reconstruct_gram(*problem(torch.float32), 0.4, 1e-4, 100, 0, False, index)


def test_data_of_another_type_are_refused() -> None:
    gram, correlation, energy, columns, atoms = problem(torch.float64)
    with pytest.raises(RuntimeError, match="sparse_reconstruct_gram: columns: expected dtype Double, got Half"):
        sparse_reconstruct_gram(gram, correlation, energy, columns.half(), atoms.half(), 0.4, index=INDEX)
