"""What needs a GPU: depthwise_xcorr's CUDA kernel against the CPU's, a second device, and sizes beyond 2^31."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from reidops import depthwise_xcorr
from tests.reidops.test_depthwise_xcorr import BATCHES, CHANNELS, PADDINGS, channels_last, maps, with_gradients

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


def on_gpu(search: Tensor, template: Tensor, *, padding: str | int = "same") -> Tensor:
    return depthwise_xcorr(search.cuda(), template.cuda(), padding=padding).cpu()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("k", [(1, 1), (5, 5), (10, 10), (2, 7)], ids=str)
@pytest.mark.parametrize("batch", BATCHES)
def test_as_on_the_cpu(batch: str, k: tuple[int, int], padding: str | int) -> None:
    of_search, of_template = BATCHES[batch]
    for channels in CHANNELS:
        search, template = maps(*of_search, channels, 20, 15), maps(*of_template, channels, *k, seed=1)
        expected = with_gradients(depthwise_xcorr, search, template, padding=padding)
        for laid_out in (search, channels_last(search)):
            found = with_gradients(on_gpu, laid_out, template, padding=padding)
            for one, other in zip(found, expected, strict=True):
                assert_close(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max())))


@pytest.mark.parametrize("size", [(1, 1), (70, 40), (96, 67)], ids=str)
def test_tiles_and_chunks(size: tuple[int, int]) -> None:
    search, template = maps(2, 3, *size), maps(2, 3, 5, 5, seed=1)
    expected = with_gradients(depthwise_xcorr, search, template)
    for one, other in zip(with_gradients(on_gpu, search, template), expected, strict=True):
        assert_close(one, other, rtol=0, atol=1e-12 * max(1.0, float(other.abs().max())))


def test_gradients_of_gradients() -> None:
    search, template = maps(2, 1, 2, 5, 4).cuda().requires_grad_(), maps(3, 2, 2, 3, seed=1).cuda().requires_grad_()
    assert torch.autograd.gradgradcheck(depthwise_xcorr, (search, template))


def with_gradients_by(search: Tensor, template: Tensor, grad: Tensor) -> list[Tensor]:
    given = search.requires_grad_(), template.requires_grad_()
    output = depthwise_xcorr(*given)
    return [output.detach(), *torch.autograd.grad(output, given, grad)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_other_dtypes(dtype: torch.dtype) -> None:
    """A sum of n products in float32, in any order, is off by at most n roundings of the sum of their sizes."""
    search, template = maps(4, 20, 32, 16).to(dtype), maps(4, 20, 10, 10, seed=1).to(dtype)
    found = with_gradients(on_gpu, search, template)
    grad = maps(*found[0].shape, seed=5).to(dtype).double()
    exact, sizes = (
        with_gradients_by(change(search.double()), change(template.double()), change(grad))
        for change in (torch.clone, torch.abs)
    )
    for one, other, size, products in zip(found, exact, sizes, (10 * 10, 10 * 10, 32 * 16), strict=True):
        bound = products * torch.finfo(torch.float32).eps / 2 * size + torch.finfo(dtype).eps * other.abs()
        assert bool(((one.double() - other).abs() <= bound).all())


def test_same_bits_every_time() -> None:
    search, template = maps(3, 1, 24, 40, 15).float(), maps(8, 24, 10, 10, seed=1).float()
    first = with_gradients(on_gpu, search, template)
    for _ in range(3):
        again = with_gradients(on_gpu, search, template)
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_second_device() -> None:
    search, template = maps(2, 3, 8, 8).to("cuda:1"), maps(2, 3, 4, 4, seed=1).to("cuda:1")
    output = depthwise_xcorr(search, template)
    assert output.device == search.device
    assert_close(output.cpu(), depthwise_xcorr(search.cpu(), template.cpu()))


def test_more_than_2_to_31_elements() -> None:
    if torch.cuda.mem_get_info()[0] < 8 << 30:
        pytest.skip("needs 8 GiB of free GPU memory")
    search, template = maps(16, 16, 16).bfloat16().cuda(), maps(16, 3, 3, seed=1).bfloat16().cuda()
    output = depthwise_xcorr(search, template.expand(2**19 + 8, 16, 3, 3))
    assert output.numel() > 2**31
    assert torch.equal(output[-1], output[0])
    assert bool(output[-1].any())
