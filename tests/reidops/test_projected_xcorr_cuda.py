"""What needs a GPU: projected_xcorr's CUDA kernel against the CPU's, a second device, and sizes beyond 2^31."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from reidops import projected_xcorr
from tests.reidops.test_depthwise_xcorr import channels_last
from tests.reidops.test_projected_xcorr import SIZES, maps

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

#: Channels, templates and outputs.
NUMBERS = [(1, 1, 1), (5, 2, 3), (5, 4, 130), (40, 3, 33)]


def on_gpu(*given: Tensor, **options: Any) -> Tensor:
    return projected_xcorr(*(value.cuda() for value in given), **options).cpu()


def bound(exact: Tensor, epsilons: float) -> float:
    return epsilons * max(1.0, float(exact.abs().max()))


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(("size", "k"), [*SIZES, ((45, 67), (3, 18))], ids=str)
def test_as_on_the_cpu(size: tuple[int, int], k: tuple[int, int], pool: bool) -> None:
    for channels, templates, outputs in NUMBERS:
        search, template = maps(2, 1, channels, *size), maps(3, templates, channels, *k, seed=1)
        weight = maps(outputs, templates, channels, seed=2)
        for dtype, epsilon in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            given = [value.to(dtype) for value in (search, template, weight)]
            expected = projected_xcorr(*given, pool=pool)
            for laid_out in (given[0], channels_last(given[0])):
                found = on_gpu(laid_out, *given[1:], pool=pool)
                assert_close(found, expected, rtol=0, atol=bound(expected, epsilon))


@pytest.mark.parametrize("padding", ["same", "valid", 0, 7])
def test_padding_and_batches(padding: str | int) -> None:
    for of_search, of_template in (((), ()), ((4,), ()), ((), (4,)), ((2, 1), (3,)), ((2, 3), (2, 1))):
        search, template = maps(*of_search, 6, 20, 15), maps(*of_template, 3, 6, 5, 4, seed=1)
        weight = maps(9, 3, 6, seed=2)
        expected = projected_xcorr(search, template, weight, padding=padding, pool=True)
        found = on_gpu(search, template, weight, padding=padding, pool=True)
        assert_close(found, expected, rtol=0, atol=bound(expected, 1e-12))


@pytest.mark.parametrize("pool", [False, True])
def test_gradients_are_the_cpus(pool: bool) -> None:
    given = [maps(2, 1, 6, 9, 8), maps(3, 3, 6, 4, 3, seed=1), maps(5, 3, 6, seed=2)]
    results = []
    for device in ("cpu", "cuda"):
        leaves = [value.to(device).requires_grad_() for value in given]
        output = projected_xcorr(*leaves, pool=pool)
        weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype, device=device).reshape(output.shape)
        results.append([value.cpu() for value in torch.autograd.grad((output * weights).sum(), leaves)])
    for expected, found in zip(*results, strict=True):
        assert_close(found, expected, rtol=0, atol=bound(expected, 1e-12))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_types(dtype: torch.dtype) -> None:
    given = [
        value.to(dtype) for value in (maps(2, 20, 40, 15), maps(2, 3, 20, 10, 10, seed=1), maps(32, 3, 20, seed=2))
    ]
    exact = projected_xcorr(*(value.double() for value in given), pool=True)
    found = on_gpu(*given, pool=True)
    assert found.dtype == dtype
    assert float((found.double() - exact).abs().max()) <= 4 * torch.finfo(dtype).eps * float(exact.abs().max())


def test_what_is_not_finite_stays_where_it_is_looked_at() -> None:
    search, template, weight = maps(1, 3, 12, 12), maps(1, 3, 3, 3, 3, seed=1), maps(2, 3, 3, seed=2)
    search[0, 1, 4, 5] = torch.nan
    for pool in (False, True):
        expected = projected_xcorr(search, template, weight, pool=pool)
        found = on_gpu(search, template, weight, pool=pool)
        assert torch.equal(found.isnan(), expected.isnan())


def test_same_bits_alone_among_others_and_every_time() -> None:
    given = maps(64, 1, 96, 20, 8).float(), maps(32, 3, 96, 5, 5, seed=1).float(), maps(32, 3, 96, seed=2).float()
    together = on_gpu(*given)
    assert torch.equal(on_gpu(*given), together)
    assert torch.equal(on_gpu(given[0][5, 0], given[1][7], given[2]), together[5, 7])


def test_no_score_map_is_held() -> None:
    search, template = maps(16, 1, 96, 40, 15).float().cuda(), maps(16, 3, 96, 10, 10, seed=1).float().cuda()
    weight = maps(32, 3, 96, seed=2).float().cuda()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    output = projected_xcorr(search, template, weight, pool=True)
    taken = torch.cuda.max_memory_allocated() - before
    assert taken <= 1.1 * (output.nbytes + weight.nbytes)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_second_device() -> None:
    given = [value.to("cuda:1") for value in (maps(2, 3, 8, 8), maps(2, 2, 3, 4, 4, seed=1), maps(3, 2, 3, seed=2))]
    output = projected_xcorr(*given)
    assert output.device == given[0].device
    assert_close(output.cpu(), projected_xcorr(*(value.cpu() for value in given)))


def test_more_than_2_to_31_elements() -> None:
    if torch.cuda.mem_get_info()[0] < 8 << 30:
        pytest.skip("needs 8 GiB of free GPU memory")
    search, template = maps(2, 16, 16).bfloat16().cuda(), maps(1, 2, 3, 3, seed=1).bfloat16().cuda()
    weight = maps(16, 1, 2, seed=2).bfloat16().cuda()
    output = projected_xcorr(search, template.expand(2**19 + 8, 1, 2, 3, 3), weight)
    assert output.numel() > 2**31
    assert torch.equal(output[-1], output[0])
    assert bool(output[-1].any())
