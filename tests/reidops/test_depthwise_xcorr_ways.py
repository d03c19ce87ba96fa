"""depthwise_xcorr's ways on the CPU: channels one by one where few, and Fourier transforms under large templates.

test_depthwise_xcorr.py has what holds whatever the way.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from reidops import depthwise_xcorr
from tests.reidops.test_depthwise_xcorr import (
    PADDINGS,
    assert_equal_to_torch,
    channels_last,
    maps,
    of_torch,
    with_gradients,
)
from tests.reidops.threads import with_threads

# Maps and templates: outputs side by side, and, as the gradient by a template is, products of taps side by side; rows
# shorter than a register, of one, and of several and a rest.
SHAPES = [((7, 5), (3, 3)), ((16, 16), (5, 5)), ((33, 67), (1, 9)), ((19, 130), (6, 2)), ((12, 9), (12, 9))]
# Large enough for Fourier transforms: odd and even sizes, a template as large as its map, some ranges of outputs.
LARGE = [((64, 64), (31, 31)), ((71, 90), (32, 45)), ((96, 50), (64, 50)), ((60, 61), (60, 61)), ((260, 410), (19, 20))]


def threads_agree(search: Tensor, template: Tensor) -> bool:
    found = [with_gradients(depthwise_xcorr, search, template) for _ in with_threads(1, 2, 5, 1)]
    return all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_few_channels(channels: int, shape: tuple[tuple[int, int], tuple[int, int]], padding: str | int) -> None:
    size, k = shape
    assert_equal_to_torch(maps(2, channels, *size), maps(2, channels, *k, seed=1), padding=padding)
    assert_equal_to_torch(maps(3, channels, *size), maps(channels, *k, seed=1), padding=padding)


@pytest.mark.parametrize(("size", "k"), [((21, 37), (5, 5)), ((64, 64), (31, 31))], ids=str)
def test_any_strides(size: tuple[int, int], k: tuple[int, int]) -> None:
    search, template = maps(2, 3, *size), maps(2, 3, *k, seed=1)
    expected = with_gradients(depthwise_xcorr, search, template)
    apart = [torch.zeros(*value.shape[:-1], 2 * value.shape[-1]).double()[..., ::2] for value in (search, template)]
    turned = [value.mT.contiguous().mT for value in (search, template)]
    for to, value in zip(apart, (search, template), strict=True):
        to.copy_(value)
    last = [channels_last(value) for value in (search, template)]
    for one, other in ((last[0], template), last, apart, turned):
        for got, wanted in zip(with_gradients(depthwise_xcorr, one, other), expected, strict=True):
            assert_close(got, wanted, rtol=0, atol=1e-12 * float(wanted.abs().max()))
    expanded = depthwise_xcorr(search[:, :1].expand(2, 3, *size), template)
    assert_close(expanded, of_torch(search[:, :1].expand(2, 3, *size), template), rtol=0, atol=1e-11)


@pytest.mark.parametrize(("size", "k"), [((21, 37), (5, 5)), ((64, 64), (31, 31))], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_precision_of_smaller_types(
    channels: int, dtype: torch.dtype, size: tuple[int, int], k: tuple[int, int]
) -> None:
    """As in test_depthwise_xcorr.py, and no more than twice the error of torch's own sums in the same dtype."""
    search, template = maps(2, channels, *size).to(dtype), maps(2, channels, *k, seed=1).to(dtype)
    exact = with_gradients(of_torch, search.double(), template.double())
    found, theirs = (with_gradients(function, search, template) for function in (depthwise_xcorr, of_torch))
    for one, rival, other in zip(found, theirs, exact, strict=True):
        error, their_error = (float((value.double() - other).abs().max()) for value in (one, rival))
        assert one.dtype == dtype
        assert error <= 4 * torch.finfo(dtype).eps * float(other.abs().max())
        assert error <= 2 * their_error


@pytest.mark.parametrize("k", [(3, 3), (31, 31)], ids=str)
def test_nothing(k: tuple[int, int]) -> None:
    for batch, channels in (((0,), 1), ((2,), 0), ((), 0)):
        search = maps(*batch, channels, 64, 64).requires_grad_()
        template = maps(*batch, channels, *k).requires_grad_()
        found = depthwise_xcorr(search, template)
        assert found.shape == (*batch, channels, 64, 64)
        found.sum().backward()
        assert search.grad is not None
        assert search.grad.shape == search.shape
    for channels in (1, 40):  # a sum of nothing is zero
        search, template = maps(0, channels, 64, 64), maps(channels, *k).requires_grad_()
        depthwise_xcorr(search, template).sum().backward()
        assert template.grad is not None
        assert torch.equal(template.grad, torch.zeros_like(template))


def test_gradients_of_gradients_of_one_channel() -> None:
    search, template = maps(2, 1, 6, 5).requires_grad_(), maps(1, 3, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(depthwise_xcorr, (search, template))
    assert torch.autograd.gradgradcheck(depthwise_xcorr, (search, template))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_sizes_of_few_channels(data: st.DataObject) -> None:
    channels, height, width = (data.draw(st.integers(1, most)) for most in (3, 40, 70))
    kh, kw = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    padding = data.draw(st.sampled_from(["same", "valid", 1, 20]))
    assert_equal_to_torch(maps(channels, height, width), maps(channels, kh, kw, seed=1), padding=padding)


# Fourier transforms.


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_templates_go_by_fourier_transforms(shape: tuple[tuple[int, int], tuple[int, int]]) -> None:
    """So that the tests below say something: sums of small integers are exact in float32, and an FFT's are not."""
    size, k = shape
    search, template = ((4 * maps(2, *of, seed=of[0])).round().float() for of in (size, k))
    assert not torch.equal(depthwise_xcorr(search, template).double(), of_torch(search.double(), template.double()))


@pytest.mark.parametrize("padding", ["same", "valid", 3, 70])
@pytest.mark.parametrize("shape", LARGE[:4], ids=str)
def test_large_templates(shape: tuple[tuple[int, int], tuple[int, int]], padding: str | int) -> None:
    size, k = shape
    assert_equal_to_torch(maps(2, *size), maps(2, *k, seed=1), padding=padding)
    assert_equal_to_torch(maps(2, 1, 1, *size), maps(3, 1, *k, seed=1), padding=padding)  # sums of several products


def test_ranges_of_outputs() -> None:
    size, k = LARGE[-1]
    search, template = maps(2, *size), maps(2, *k, seed=1)
    found, expected = depthwise_xcorr(search, template), of_torch(search, template)
    assert_close(found, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


def test_gradients_of_a_large_template() -> None:
    """Along some directions, since a whole gradcheck would make thousands of calls."""
    search, template = maps(1, 40, 40).requires_grad_(), maps(1, 33, 33, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(depthwise_xcorr, (search, template), fast_mode=True)
    assert torch.autograd.gradgradcheck(depthwise_xcorr, (search, template), fast_mode=True)


def test_a_dark_part_keeps_its_digits() -> None:
    """An FFT's error is as large everywhere as where the map is brightest."""
    search, template = maps(2, 128, 192).float(), maps(2, 31, 31, seed=1).float()
    search[..., :96] *= 1e-6
    search[1, :, :48] = 0
    exact = of_torch(search.double(), template.double())
    ours, theirs = ((way(search, template).double() - exact).abs() for way in (depthwise_xcorr, of_torch))
    for begin, end in ((0, 30), (50, 80), (112, 192)):  # those that look at one part alone
        for channel in range(2):
            assert float(ours[channel, :, begin:end].max()) <= 2 * float(theirs[channel, :, begin:end].max())
    assert not ours[1, :, :30].any()


def test_cancelling_sums_keep_their_digits() -> None:
    """A template without a mean on a map far from zero: no further from the truth than torch's own sums."""
    search, template = 100 + maps(1, 1, 96, 96).float(), maps(1, 1, 31, 31, seed=1).float()
    template -= template.mean()
    exact = F.conv2d(search.double(), template.double())
    ours = depthwise_xcorr(search, template, padding="valid").double() - exact
    theirs = F.conv2d(search, template).double() - exact
    assert float(ours.abs().max()) <= 2 * float(theirs.abs().max())


def test_what_is_not_finite_stays_where_it_is_looked_at() -> None:
    search, template = maps(1, 1, 128, 128).float(), maps(1, 1, 31, 31, seed=1).float()
    for value in (torch.nan, torch.inf):
        search[..., 20, 30] = value
        found, expected = depthwise_xcorr(search, template), of_torch(search, template)
        assert torch.equal(found.isfinite(), expected.isfinite())
        finite = expected.isfinite()
        assert_close(found[finite], expected[finite], rtol=0, atol=1e-4)


def test_large_and_small_numbers() -> None:
    """A spectrum's numbers are larger than the map's, and its squares smaller."""
    search, template = maps(1, 1, 128, 128).float(), maps(1, 1, 31, 31, seed=1).float()
    for of_search, of_template in ((1.0, 1.0), (2.0**120, 2.0**-40), (2.0**-120, 2.0**60), (2.0**-60, 2.0**-60)):
        one, other = search * of_search, template * of_template
        exact = of_torch(one.double(), other.double())
        ours, theirs = (function(one, other).double() - exact for function in (depthwise_xcorr, of_torch))
        assert float(ours.abs().max()) <= 2 * float(theirs.abs().max())


@pytest.mark.parametrize(("size", "k"), [((67, 45), (5, 7)), ((64, 64), (31, 31)), ((260, 210), (19, 20))], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_same_bits_whatever_the_threads(channels: int, size: tuple[int, int], k: tuple[int, int]) -> None:
    assert threads_agree(maps(2, channels, *size).float(), maps(channels, *k, seed=1).float())
