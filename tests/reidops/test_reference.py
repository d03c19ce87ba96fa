"""The oracles judged from the data, and the kernels' twin held against the kernels."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from reidops import reference
from tests.reidops.certificate import judge
from tests.reidops.features import HARD, generator, hard_dictionary, relu_columns, relu_maps


def gram_form(columns: Tensor, atoms: Tensor) -> tuple[Tensor, ...]:
    """``columns (d, R)`` and ``atoms (G, d, M)`` -> the operator's first five arguments."""
    data = columns.mT[:, None].expand(-1, len(atoms), -1)
    correlation = torch.einsum("dr,gdm->rgm", columns, atoms)
    energy = columns.square().sum(0)[:, None].expand(-1, len(atoms))
    return atoms.mT @ atoms, correlation, energy, data, atoms.mT.contiguous()


@pytest.mark.parametrize("kind", ["generic", *HARD])
@pytest.mark.parametrize("beta", [0.05, 0.4])
def test_feature_sign_search_is_optimal(kind: str, beta: float) -> None:
    x, y = (relu_columns(20, 6), relu_columns(20, 30, seed=1)) if kind == "generic" else hard_dictionary(kind)
    w = torch.stack([reference.feature_sign(column, y, beta) for column in x.unbind(1)], dim=1)
    verdict = judge(x, y, w, beta)
    assert float(verdict.kkt.max()) < 1e-9
    assert float(verdict.gap.max()) < 1e-9


def test_feature_sign_search_says_when_it_does_not_arrive() -> None:
    with pytest.raises(RuntimeError, match="not optimal after 1 steps"):
        reference.feature_sign(relu_columns(20, 1)[:, 0], relu_columns(20, 30, seed=1), 0.01, max_iterations=1)


def test_fista_approaches_the_optimum() -> None:
    x, y = relu_columns(64, 8), relu_columns(64, 32, seed=1)
    gaps = []
    for iterations in (10, 100, 400):
        w = reference.fista((y.mT @ y)[None], (x.mT @ y)[None], 0.4, iterations)[0].mT
        gaps.append(float(judge(x, y, w, 0.4).gap.max()))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-4


def test_twin_has_the_operators_signature() -> None:
    schema = torch.ops.reidops.sparse_reconstruct_gram.default._schema
    twin = inspect.signature(reference.sparse_reconstruct_gram)
    assert [argument.name for argument in schema.arguments] == list(twin.parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_twin_and_kernel_agree(dtype: torch.dtype) -> None:
    columns, atoms = relu_columns(40, 9).to(dtype), relu_maps(4, 40, 1, 33, seed=1).squeeze(2).to(dtype)
    arguments = (*gram_form(columns, atoms), 0.4, 1e-5, 5000, 0, True)
    kernel = torch.ops.reidops.sparse_reconstruct_gram(*arguments)
    twin = reference.sparse_reconstruct_gram(*arguments)
    for result in (kernel, twin):
        assert bool((result[1] <= 1e-5).all())
        for g, dictionary in enumerate(atoms):
            assert float(judge(columns, dictionary, result[2][:, g].mT, 0.4).gap.max()) < 1.5e-5
    assert_close(twin[0], kernel[0], rtol=1e-3, atol=0)  # errors at gaps of 1e-5
    assert_close(twin[2], kernel[2], rtol=0, atol=2e-2)


@pytest.mark.parametrize("kind", HARD)
def test_twin_certifies_degenerate_dictionaries(kind: str) -> None:
    x, y = (value.float() for value in hard_dictionary(kind))
    arguments = (*gram_form(x, y[None]), 0.05, 1e-4, 5000)
    error, gap, w = reference.sparse_reconstruct_gram(*arguments, 0, True)
    verdict = judge(x, y, w[:, 0].mT, 0.05)
    assert bool((gap <= 1e-4).all())
    assert float(verdict.gap.max()) <= 1.1e-4
    assert_close(error[:, 0].double(), verdict.error, rtol=1e-4, atol=1e-12)


def test_twin_answers_as_asked() -> None:
    columns, atoms = torch.rand(5, 3, generator=generator()), torch.rand(2, 5, 4, generator=generator(1))
    gram, correlation, energy, *_ = gram_form(columns, atoms)
    correlation[1, 0, 2] = torch.nan
    energy = energy.clone()
    energy[2, 1] = torch.inf
    for solver in range(4):
        error, gap, none = reference.sparse_reconstruct_gram(
            gram, correlation, energy, None, None, 0.4, 1e-4, 1000, solver, False
        )
        assert none.shape == (0,)
        assert error.isnan().nonzero().tolist() == gap.isnan().nonzero().tolist() == [[1, 0], [2, 1]]
    with pytest.raises(ValueError, match="solver must be 0, 1, 2 or 3, got 4"):
        reference.sparse_reconstruct_gram(gram, correlation, energy, None, None, 0.4, 1e-4, 1000, 4, False)
    for shape in ((0, 2, 4), (3, 0, 4), (3, 2, 0)):
        r, g, m = shape
        empty = torch.ones(g, m, m), torch.ones(shape), torch.ones(r, g)
        error, gap, w = reference.sparse_reconstruct_gram(*empty, None, None, 0.4, 1e-4, 1000, 0, True)
        assert (error.shape, gap.shape, w.shape) == ((r, g), (r, g), shape)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", range(3))
@pytest.mark.parametrize("mode", range(2))
def test_affine_sample_backward_is_that_of_the_kernel_where_nothing_is_recorded(
    mode: int, padding: int, align_corners: bool
) -> None:
    """A stand-in is called below torch's autograd, where no graph can be made."""
    random = torch.Generator().manual_seed(0)
    grad, input = (torch.rand(*shape, generator=random).double() for shape in ((2, 4, 3, 5, 4), (2, 1, 3, 7, 6)))
    theta = 0.7 * torch.eye(2, 3).double() + 0.2 * torch.randn(2, 4, 2, 3, generator=random).double()
    given = grad, input, theta, mode, padding, align_corners, True, True
    expected = torch.ops.reidops.affine_sample_backward(*given)
    with torch._C._AutoDispatchBelowAutograd():
        found = reference.affine_sample_backward(*given)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
