"""What needs a GPU: affine_sample's CUDA kernels against the CPU's, a second device, and sizes beyond 2^31."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from reidops import affine_sample
from tests.reidops.test_affine_sample import CHANNELS, KINDS, OPTIONS, channels_last, maps, thetas, with_gradients

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_as_on_the_cpu(options: dict[str, Any], kind: str, channels: int) -> None:
    input, theta = maps(2, 1, channels, 9, 7), thetas(kind, 2, 3)
    expected = with_gradients(affine_sample, input, theta, (11, 13), **options)
    for laid_out in (input, channels_last(input)):
        found = gpu_with_gradients(laid_out, theta, (11, 13), **options)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, rtol=0, atol=1e-11 * max(1.0, float(other.abs().max())))


def gpu_with_gradients(input: torch.Tensor, theta: torch.Tensor, size: Any, **options: Any) -> list[torch.Tensor]:
    input, theta = input.cuda().requires_grad_(), theta.cuda().requires_grad_()
    output = affine_sample(input, theta, size, **options)
    output.backward(maps(*output.shape, seed=5).to(output.dtype).cuda())
    assert input.grad is not None
    assert theta.grad is not None
    return [output.detach().cpu(), input.grad.cpu(), theta.grad.cpu()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_other_dtypes(dtype: torch.dtype) -> None:
    input, theta = maps(4, 1, 20, 32, 16).to(dtype), thetas("zoomed", 4, 3).to(dtype)
    expected = with_gradients(affine_sample, input, theta, (24, 24))
    # float32 results of the CPU are off by 6 to 18 roundings of the largest; theirs and the GPU's may point apart.
    roundings = max(64 * torch.finfo(torch.float32).eps, 4 * torch.finfo(dtype).eps)
    for one, other in zip(gpu_with_gradients(input, theta, (24, 24)), expected, strict=True):
        assert_close(one, other, rtol=0, atol=roundings * max(1.0, float(other.abs().max())))


def test_same_bits_every_time() -> None:
    input, theta = maps(3, 1, 24, 40, 20).float(), thetas("zoomed", 3, 8).float()
    first = gpu_with_gradients(input, theta, (40, 20))
    for _ in range(3):
        again = gpu_with_gradients(input, theta, (40, 20))
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_second_device() -> None:
    input, theta = maps(2, 3, 8, 8).to("cuda:1"), thetas("zoomed", 2).to("cuda:1")
    output = affine_sample(input, theta, (5, 5))
    assert output.device == input.device
    assert_close(output.cpu(), affine_sample(input.cpu(), theta.cpu(), (5, 5)))


def test_more_than_2_to_31_samples() -> None:
    if torch.cuda.mem_get_info()[0] < 8 << 30:
        pytest.skip("needs 8 GiB of free GPU memory")
    image, theta = maps(64, 16, 16).bfloat16().cuda(), thetas("zoomed").bfloat16().cuda()
    output = affine_sample(image, theta.expand(2**17 + 8, 2, 3), (16, 16))
    assert output.numel() > 2**31
    assert torch.equal(output[-1], output[0])
    assert bool(output[-1].any())
