"""projected_xcorr against depthwise_xcorr, max_pool2d and a 1x1 convolution, one after another."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from reidops import depthwise_xcorr, projected_xcorr
from tests.reidops.threads import with_threads


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_torch(
    search: Tensor, template: Tensor, weight: Tensor, *, padding: str | int = "same", pool: bool = False
) -> Tensor:
    scores = depthwise_xcorr(search.unsqueeze(-4), template, padding=padding)
    batch = scores.shape[:-4]
    flat = scores.reshape(-1, *scores.shape[-2:])
    if pool:
        flat = F.max_pool2d(flat, 2, ceil_mode=True)
    flat = flat.reshape(-1, weight[0].numel(), *flat.shape[-2:])
    return F.conv2d(flat, weight.flatten(1)[..., None, None]).reshape(*batch, len(weight), *flat.shape[-2:])


SIZES = [
    ((1, 1), (1, 1)),
    ((7, 6), (4, 3)),
    ((8, 5), (10, 10)),
    ((40, 15), (10, 10)),
    ((20, 8), (5, 5)),
    ((3, 40), (1, 2)),
]


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(("size", "k"), SIZES, ids=str)
def test_equal_to_three_operations(size: tuple[int, int], k: tuple[int, int], pool: bool) -> None:
    for channels, outputs, templates in ((1, 1, 1), (5, 3, 2), (40, 33, 3)):
        search, template = maps(2, 1, channels, *size), maps(3, templates, channels, *k, seed=1)
        weight = maps(outputs, templates, channels, seed=2)
        expected = by_torch(search, template, weight, pool=pool)
        found = projected_xcorr(search, template, weight, pool=pool)
        assert_close(found, expected, rtol=0, atol=1e-12 * max(1.0, float(expected.abs().max())))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shape(data: st.DataObject) -> None:
    draw = data.draw
    dims = draw(st.lists(st.integers(1, 3), max_size=2))
    sides = [[draw(st.sampled_from([1, size])) for size in dims][draw(st.integers(0, len(dims))) :] for _ in range(2)]
    channels, templates, outputs = draw(st.integers(1, 20)), draw(st.integers(1, 3)), draw(st.integers(1, 20))
    size, k = (tuple(draw(st.integers(1, most)) for _ in range(2)) for most in (12, 6))
    padding = draw(st.sampled_from(["same", 5]))
    search, template = maps(*sides[0], channels, *size), maps(*sides[1], templates, channels, *k, seed=1)
    weight = maps(outputs, templates, channels, seed=2)
    for pool in (False, True):
        expected = by_torch(search, template, weight, padding=padding, pool=pool)
        found = projected_xcorr(search, template, weight, padding=padding, pool=pool)
        assert found.shape == expected.shape
        assert_close(found, expected, rtol=0, atol=1e-12 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("pool", [False, True])
def test_gradients_and_theirs(pool: bool) -> None:
    given = [maps(2, 1, 2, 4, 5), maps(3, 2, 2, 2, 3, seed=1), maps(3, 2, 2, seed=2)]
    given = [value.requires_grad_() for value in given]

    def function(*given: Tensor) -> Tensor:
        return projected_xcorr(*given, pool=pool)

    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)


def test_what_is_not_finite_stays_where_it_is_looked_at() -> None:
    search, template, weight = maps(1, 3, 12, 12), maps(1, 1, 3, 3, 3, seed=1), maps(2, 1, 3, seed=2)
    search[0, 1, 4, 5] = torch.nan
    for pool, shown in ((False, (slice(3, 6), slice(4, 7))), (True, (slice(1, 3), slice(2, 4)))):
        found = projected_xcorr(search, template, weight, pool=pool)
        expected = torch.zeros_like(found, dtype=torch.bool)
        expected[(slice(None), slice(None), *shown)] = True
        assert torch.equal(found.isnan(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_precision_of_smaller_types(dtype: torch.dtype) -> None:
    given = [value.to(dtype) for value in (maps(2, 20, 20, 15), maps(2, 3, 20, 10, 10, seed=1), maps(8, 3, 20, seed=2))]
    exact = by_torch(*(value.double() for value in given), pool=True)
    found = projected_xcorr(*given, pool=True)
    assert found.dtype == dtype
    assert float((found.double() - exact).abs().max()) <= 4 * torch.finfo(dtype).eps * float(exact.abs().max())


def test_same_bits_whatever_the_threads() -> None:
    given = [value.float() for value in (maps(5, 1, 40, 20, 15), maps(3, 3, 40, 5, 5, seed=1), maps(32, 3, 40, seed=2))]
    expected, found = (projected_xcorr(*given) for _ in with_threads(1, 4))
    assert torch.equal(found, expected)


def test_weights_of_their_own_for_every_item() -> None:
    search, template, weight = maps(4, 3, 6, 5), maps(2, 3, 2, 2, seed=1), maps(4, 5, 2, 3, seed=2)
    found = torch.func.vmap(projected_xcorr, in_dims=(0, None, 0))(search, template, weight)
    expected = torch.stack([projected_xcorr(one, template, own) for one, own in zip(search, weight, strict=True)])
    assert_close(found, expected)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1.0], maps(1, 1, 1, 1), maps(1, 1, 1)), {}, TypeError, "search must be a tensor of shape (*B, C, H, W)"),
        ((maps(2, 3, 3), maps(2, 1, 1), maps(1, 1, 2)), {}, ValueError, "template must have shape (*B, T, C, kh, kw)"),
        (
            (maps(2, 3, 3), maps(1, 3, 1, 1), maps(1, 1, 2)),
            {},
            ValueError,
            "one T or more, search's 2 channels",
        ),
        ((maps(2, 3, 3), maps(0, 2, 1, 1), maps(1, 0, 2)), {}, ValueError, "template must have one T or more"),
        ((maps(2, 3, 3), maps(1, 2, 1, 1), maps(1, 2, 2)), {}, ValueError, "weight must have shape (O, 1, 2), got"),
        ((maps(2, 3, 3), maps(1, 2, 1, 1), maps(1, 1, 2).float()), {}, TypeError, "weight must have search's dtype"),
        ((maps(2, 2, 3, 3), maps(3, 1, 2, 1, 1), maps(1, 1, 2)), {}, ValueError, "batch dimensions that broadcast"),
        ((maps(2, 0, 3), maps(1, 2, 1, 1), maps(1, 1, 2)), {}, ValueError, "search must have maps of at least one"),
        (
            (maps(2, 3, 3), maps(1, 2, 4, 1), maps(1, 1, 2)),
            {"padding": "valid"},
            ValueError,
            "no larger than",
        ),
        ((maps(2, 3, 3), maps(1, 2, 1, 1), maps(1, 1, 2)), {"padding": -1}, ValueError, "padding must be 'same'"),
    ],
)
def test_errors_name_what_is_wrong(
    arguments: tuple[Any, Any, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)) as caught:
        projected_xcorr(*arguments, **options)
    assert str(caught.value).startswith("projected_xcorr: ")
