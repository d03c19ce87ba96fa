"""depthwise_xcorr against torch's grouped convolution and scipy's correlation, and what torch has no word for."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d
from torch import Tensor
from torch.testing import assert_close

from reidops import depthwise_xcorr, reference
from tests.reidops.threads import with_threads

# One channel; a vector of them, with and without a rest; several.
CHANNELS = (1, 3, 16, 40)
BATCHES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "none": ((), ()),
    "pairs": ((3,), (3,)),
    "all pairs": ((2, 1), (3,)),
    "one search": ((1,), (4,)),
    "one template": ((4,), ()),
}
PADDINGS = ("same", "valid", 0, 3)


def maps(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def place(size: int, k: int, padding: str | int) -> tuple[int, int]:
    """Zeros before and size, as the documentation says it."""
    if padding == "same":
        return (k - 1) // 2, size
    before = 0 if padding == "valid" else int(padding)
    return before, size + 2 * before - k + 1


def of_torch(search: Tensor, template: Tensor, *, padding: str | int = "same") -> Tensor:
    (top, h), (left, w) = (
        place(size, k, padding) for size, k in zip(search.shape[-2:], template.shape[-2:], strict=True)
    )
    batch = torch.broadcast_shapes(search.shape[:-3], template.shape[:-3])
    return reference.depthwise_xcorr(search, template, top, left, h, w, False, batch)


def with_gradients(function: Any, search: Tensor, template: Tensor, **options: Any) -> list[Tensor]:
    search, template = search.detach().clone().requires_grad_(), template.detach().clone().requires_grad_()
    output = function(search, template, **options)
    output.backward(maps(*output.shape, seed=5).to(output.dtype))
    assert search.grad is not None
    assert template.grad is not None
    return [output.detach(), search.grad, template.grad]


def assert_equal_to_torch(search: Tensor, template: Tensor, **options: Any) -> None:
    ours, theirs = (with_gradients(function, search, template, **options) for function in (depthwise_xcorr, of_torch))
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max())))


def channels_last(value: Tensor) -> Tensor:
    return value.movedim(-3, -1).contiguous().movedim(-1, -3)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("k", [(1, 1), (3, 3), (10, 10), (4, 2), (2, 7)], ids=str)
@pytest.mark.parametrize("batch", BATCHES)
def test_equal_to_torch(batch: str, k: tuple[int, int], padding: str | int) -> None:
    of_search, of_template = BATCHES[batch]
    for channels in CHANNELS:
        search, template = maps(*of_search, channels, 11, 23), maps(*of_template, channels, *k, seed=1)
        assert_equal_to_torch(search, template, padding=padding)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (40, 15), (5, 64)], ids=str)
def test_sizes(size: tuple[int, int]) -> None:
    for k in ((1, 1), (5, 5), (10, 10)):
        assert_equal_to_torch(maps(2, 5, *size), maps(2, 5, *k, seed=1))


@pytest.mark.parametrize(("padding", "mode"), [("valid", "valid"), ("same", "same")])
@pytest.mark.parametrize("k", [(3, 3), (10, 10), (4, 5)], ids=str)
def test_equal_to_scipy(k: tuple[int, int], padding: str, mode: str) -> None:
    search, template = maps(3, 20, 15), maps(3, *k, seed=1)
    found = depthwise_xcorr(search, template, padding=padding)
    if mode == "valid":
        expected = [correlate2d(a, b, "valid") for a, b in zip(search.numpy(), template.numpy(), strict=True)]
    else:  # scipy's "same" pads an even template by one more before, ours by one more after: so out of its "full"
        full = [correlate2d(a, b, "full") for a, b in zip(search.numpy(), template.numpy(), strict=True)]
        top, left = k[0] - 1 - (k[0] - 1) // 2, k[1] - 1 - (k[1] - 1) // 2
        expected = [one[top : top + 20, left : left + 15] for one in full]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), rtol=0, atol=1e-12)


def test_a_loop_written_from_the_equation() -> None:
    search, template = maps(2, 4, 5), maps(2, 3, 2, seed=1)
    expected = torch.zeros(2, 4, 5, dtype=torch.float64)
    for c in range(2):
        for y in range(4):
            for x in range(5):
                for i in range(3):
                    for j in range(2):
                        row, column = y + i - 1, x + j - 0  # (3 - 1) // 2 and (2 - 1) // 2 before
                        if 0 <= row < 4 and 0 <= column < 5:
                            expected[c, y, x] += template[c, i, j] * search[c, row, column]
    assert_close(depthwise_xcorr(search, template), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("padding", ["same", "valid", 2])
def test_gradients_of_gradients(padding: str | int) -> None:
    search = maps(2, 1, 2, 5, 4).requires_grad_()
    template = maps(3, 2, 2, 3, seed=1).requires_grad_()

    def function(search: Tensor, template: Tensor) -> Tensor:
        return depthwise_xcorr(search, template, padding=padding)

    assert torch.autograd.gradcheck(function, (search, template))
    assert torch.autograd.gradgradcheck(function, (search, template))


def test_channels_last_stays_channels_last() -> None:
    search, template = maps(2, 5, 9, 8), maps(2, 5, 3, 3, seed=1)
    expected = with_gradients(depthwise_xcorr, search, template)
    found = with_gradients(depthwise_xcorr, channels_last(search), template)
    assert found[0].stride(-3) == 1
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("expanded", ["search", "template", "both"])
def test_channels_that_are_one(expanded: str) -> None:
    """Of no stride between them, and more than a register has, so that blocks of channels differ in size."""
    search, template = maps(4, 3, 37, 8, 7), maps(4, 3, 37, 3, 3, seed=1)
    if expanded != "template":
        search = maps(1, 1, 1, 8, 7).expand(4, 3, 37, 8, 7)
    if expanded != "search":
        template = maps(1, 1, 1, 3, 3, seed=1).expand(4, 3, 37, 3, 3)
    expected = of_torch(search, template)
    for _ in with_threads(*range(1, 8)):  # a thread may begin in the smaller block
        assert_close(depthwise_xcorr(search, template), expected, rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_shape(data: st.DataObject) -> None:
    draw = data.draw
    dims = draw(st.lists(st.integers(1, 3), max_size=3))
    sides = [[draw(st.sampled_from([1, size])) for size in dims][draw(st.integers(0, len(dims))) :] for _ in range(2)]
    channels, height, width = draw(st.integers(1, 20)), draw(st.integers(1, 12)), draw(st.integers(1, 30))
    kh, kw = draw(st.integers(1, height + 4)), draw(st.integers(1, width + 4))
    assert_equal_to_torch(maps(*sides[0], channels, height, width), maps(*sides[1], channels, kh, kw, seed=1))


def test_what_is_not_finite_stays_where_it_is_looked_at() -> None:
    search, template = maps(1, 3, 12, 12), maps(1, 3, 3, 3, seed=1)
    search[0, 1, 4, 5] = torch.nan
    found = depthwise_xcorr(search, template)
    expected = torch.zeros(1, 3, 12, 12, dtype=torch.bool)
    expected[0, 1, 3:6, 4:7] = True
    assert torch.equal(found.isnan(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_precision_of_smaller_types(dtype: torch.dtype) -> None:
    search, template = maps(2, 20, 20, 15).to(dtype), maps(2, 20, 10, 10, seed=1).to(dtype)
    exact = with_gradients(of_torch, search.double(), template.double())
    for one, other in zip(with_gradients(depthwise_xcorr, search, template), exact, strict=True):
        assert one.dtype == dtype
        bound = 4 * torch.finfo(dtype).eps * float(other.abs().max())
        assert float((one.double() - other).abs().max()) <= bound


def test_same_bits_whatever_the_threads() -> None:
    search, template = maps(5, 1, 40, 20, 15).float(), maps(3, 40, 10, 10, seed=1).float()
    expected, found = (with_gradients(depthwise_xcorr, search, template) for _ in with_threads(1, 4))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (([1.0], maps(1, 1, 1)), {}, TypeError, "search must be a tensor of shape (*B, C, H, W), got"),
        ((maps(3, 3), maps(1, 1, 1)), {}, ValueError, "search must have shape (*B, C, H, W), got"),
        ((maps(2, 3, 3), maps(3, 1, 1)), {}, ValueError, "template must have search's 2 channels, got"),
        ((maps(2, 3, 3), maps(2, 1, 1).float()), {}, TypeError, "template must have search's dtype torch.float64"),
        ((maps(2, 2, 3, 3), maps(3, 2, 1, 1)), {}, ValueError, "template must have batch dimensions that broadcast"),
        ((maps(2, 0, 3), maps(2, 1, 1)), {}, ValueError, "search must have maps of at least one pixel, got"),
        ((maps(2, 3, 3), maps(2, 0, 1)), {}, ValueError, "template must have maps of at least one pixel, got"),
        ((maps(2, 3, 3), maps(2, 4, 1)), {"padding": "valid"}, ValueError, "no larger than the padded search map"),
        ((maps(2, 3, 3), maps(2, 1, 1)), {"padding": "full"}, ValueError, "padding must be 'same', 'valid' or an int"),
        ((maps(2, 3, 3), maps(2, 1, 1)), {"padding": -1}, ValueError, "padding must be 'same', 'valid' or an int"),
        ((maps(2, 3, 3), maps(2, 1, 1)), {"padding": True}, ValueError, "padding must be 'same', 'valid' or an int"),
        ((maps(*(1,) * 9, 2, 3, 3), maps(2, 1, 1)), {}, ValueError, "at most 8 batch dimensions, got"),
    ],
)
def test_errors_name_what_is_wrong(
    arguments: tuple[Any, Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=re.escape(message)) as caught:
        depthwise_xcorr(*arguments, **options)
    assert str(caught.value).startswith("depthwise_xcorr: ")


def test_more_than_2_to_31_elements() -> None:
    """One map and one template, expanded: outputs beyond 2^31."""
    search, template = maps(1, 16, 16).half(), torch.full((1, 1, 1), 2.0).half()
    found = depthwise_xcorr(search, template.expand(2**23 + 5, 1, 1, 1))
    assert found.numel() > 2**31
    for place in (0, 2**22, -1):
        assert torch.equal(found[place], 2 * search)
