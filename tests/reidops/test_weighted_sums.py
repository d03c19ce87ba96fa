"""weighted_sums against float64 sums: few weights that are not zero by their lists, many by a matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reidops import reference
from reidops._ops.weighted_sums import LONG, SPARSE, weighted_sums
from tests.reidops.threads import with_threads

DTYPES = (torch.float32, torch.float64)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
sparse_sums = torch.ops.reidops.sparse_sums

# (A, I, B, J, C): one, less than a panel of channels, several, rows of more than one block, many maps, no values.
SIZES = [
    (1, 1, 1, 1, 1),
    (2, 3, 4, 5, 6),
    (3, 300, 2, 70, 130),
    (70, 5, 3, 9, 33),
    (2, 65, 40, 40, 20),
    (1, 3, 1, 1300, 8),
    (0, 3, 4, 5, 6),
    (2, 0, 4, 5, 6),
    (2, 3, 0, 5, 6),
    (2, 3, 4, 0, 6),
    (2, 3, 4, 5, 0),
]


def random(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def operands(size: tuple[int, ...], share: float, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Weights (A, I, B, J), of which this share is not zero, and maps (B, C, J)."""
    A, I, B, J, C = size  # noqa: E741
    kept = torch.rand(A, I, B, J, generator=torch.Generator().manual_seed(seed)) < share
    weights = random(A, I, B, J, seed=seed + 1, dtype=dtype).where(kept, 0)
    return weights, random(B, C, J, seed=seed + 2, dtype=dtype)


def layouts(value: Tensor) -> Iterator[Tensor]:
    """The same values with every dimension innermost in turn, and between others."""
    for dim in range(value.dim()):
        yield value.movedim(dim, -1).contiguous().movedim(-1, dim)
    spaced = value.new_full([2 * size for size in value.shape], torch.nan)
    every_other = (slice(None, None, 2),) * value.dim()
    spaced[every_other] = value
    yield spaced[every_other]


def exact(weights: Tensor, maps: Tensor) -> Tensor:
    return torch.einsum("aibj,bcj->aci", weights.double(), maps.double())


def bound(weights: Tensor, maps: Tensor) -> Tensor:
    """Of the error of any order of n products and sums: n u sum |w m|, to first order."""
    count = (weights != 0).sum((2, 3)).max() if weights.numel() else 0
    return 1.01 * (count + 1) * torch.finfo(weights.dtype).eps / 2 * exact(weights.abs(), maps.abs())


@every_dtype
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_within_the_error_of_a_sum(size: tuple[int, ...], share: float, dtype: torch.dtype) -> None:
    weights, maps = operands(size, share, dtype)
    for found in (sparse_sums(weights, maps), weighted_sums(weights, maps)):
        assert found.is_contiguous()
        assert found.dtype == dtype
        assert bool(((found - exact(weights, maps)).abs() <= bound(weights, maps)).all())


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(*(st.integers(1, most) for most in (4, 70, 4, 40, 70))),
    share=st.floats(0, 1),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 99),
)
def test_same_bits_however_the_values_lie(size: tuple[int, ...], share: float, dtype: torch.dtype, seed: int) -> None:
    weights, maps = operands(size, share, dtype, seed)
    expected = sparse_sums(weights, maps)
    assert bool(((expected - exact(weights, maps)).abs() <= bound(weights, maps)).all())
    for one in layouts(weights):
        assert torch.equal(sparse_sums(one, maps), expected)
    for one in layouts(maps):
        assert torch.equal(sparse_sums(weights, one), expected)


def test_same_bits_whatever_the_threads() -> None:
    weights, maps = operands((9, 130, 7, 33, 90), 0.2, torch.float32)
    found = [sparse_sums(weights, maps) for _ in with_threads(1, 2, 3, 5)]
    assert all(torch.equal(one, found[0]) for one in found)


@every_dtype
def test_expanded_weights(dtype: torch.dtype) -> None:
    """Strides of zero along every dimension."""
    maps = random(3, 20, 5, seed=0, dtype=dtype)
    for dim in range(4):
        shape = [2, 4, 3, 5]
        shape[dim] = 1
        weights = random(*shape, seed=1, dtype=dtype).expand(2, 4, 3, 5)
        assert torch.equal(sparse_sums(weights, maps), sparse_sums(weights.contiguous(), maps))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_reaches_only_sums_with_a_weight_for_it(bad: float) -> None:
    weights, maps = operands((2, 30, 3, 2 * LONG, 40), SPARSE / 2, torch.float32)
    expected = weighted_sums(weights, maps)
    maps[1, 7, 11] = bad
    found, spoilt = weighted_sums(weights, maps), torch.zeros_like(expected, dtype=torch.bool)
    spoilt[:, 7] = weights[:, :, 1, 11] != 0
    assert 0 < int(spoilt.sum()) < spoilt[:, 7].numel()
    assert torch.equal(found.isfinite(), ~spoilt)
    assert torch.equal(found[~spoilt], expected[~spoilt])


def test_a_weight_that_is_not_a_number_is_none_of_the_zeros() -> None:
    weights, maps = operands((2, 30, 3, 20, 40), 0.1, torch.float32)
    weights[1, 29, 2, 19] = torch.nan
    spoilt = weighted_sums(weights, maps).isnan()
    assert bool(spoilt[1, :, 29].all())
    assert int(spoilt.sum()) == 40


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_gradients_and_theirs(share: float) -> None:
    weights, maps = operands((2, 3, 2, 4, 3), share, torch.float64)
    given = weights.requires_grad_(), maps.requires_grad_()
    assert torch.autograd.gradcheck(weighted_sums, given)
    assert torch.autograd.gradgradcheck(weighted_sums, given)


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_opcheck(share: float) -> None:
    weights, maps = operands((2, 3, 2, 4, 3), share, torch.float32)
    torch.library.opcheck(torch.ops.reidops.sparse_sums, (weights, maps))
    torch.library.opcheck(torch.ops.reidops.weighted_sums, (weights.requires_grad_(), maps.requires_grad_()))


@pytest.mark.parametrize("mapped", [(0, None), (2, None), (None, 0), (None, 2), (1, 3)], ids=str)
def test_vmap(mapped: tuple[int | None, ...]) -> None:
    given, items = operands((2, 3, 2, 4, 3), 0.2, torch.float64), 3
    varied = [
        value if dim is None else torch.stack([value.roll(i, 0) for i in range(items)], dim)
        for value, dim in zip(given, mapped, strict=True)
    ]
    found = torch.func.vmap(weighted_sums, in_dims=mapped)(*varied)
    for i in range(items):
        item = [value if dim is None else value.select(dim, i) for value, dim in zip(varied, mapped, strict=True)]
        assert bool(((found[i] - exact(item[0], item[1])).abs() <= bound(item[0], item[1])).all())


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_half_maps_are_those_of_float32(share: float, half: torch.dtype) -> None:
    weights, maps = operands((2, 30, 3, 20, 40), share, torch.float32)
    found = weighted_sums(weights.requires_grad_(), maps.to(half).requires_grad_())
    assert torch.equal(found, weighted_sums(weights, maps.to(half).float()))
    given = torch.autograd.grad(found.square().sum(), (weights,))
    assert given[0].dtype == torch.float32
    with pytest.raises(TypeError, match=r"weighted_sums: maps must be torch\.float32 or a half type, got"):
        weighted_sums(weights, maps.double())


def test_reference() -> None:
    weights, maps = operands((3, 7, 2, 5, 20), 0.5, torch.float64)
    assert bool(((reference.weighted_sums(weights, maps) - exact(weights, maps)).abs() <= bound(weights, maps)).all())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w, m: (w[0], m), r"weights: expected shape \(A, I, B, J\), got \(3, 4, 5\)"),
        (lambda w, m: (w, m[0]), r"maps: expected shape \(B, C, J\), got \(6, 5\)"),
        (lambda w, m: (w, m[:3]), r"maps: expected shape \(4, 6, 5\), got \(3, 6, 5\)"),
        (lambda w, m: (w, m.double()), "maps: expected dtype Float, got Double"),
        (lambda w, m: (w.half(), m.half()), "expected float32 or float64, got Half"),
    ],
)
def test_what_does_not_fit(change: Any, message: str) -> None:
    weights, maps = operands((2, 3, 4, 5, 6), 0.2, torch.float32)
    with pytest.raises(RuntimeError, match=f"sparse_sums: .*{message}|sparse_sums: {message}"):
        sparse_sums(*change(weights, maps))
