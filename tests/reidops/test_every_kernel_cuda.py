"""Every CUDA kernel once, on operands so small that compute-sanitizer can follow each access (benchmarks/on_gpu.sh).

What comes out is judged elsewhere; here it only has to be finite.  On a CPU these calls show that they can be made.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import reidops
from tests.reidops.features import relu_columns, relu_maps

pytestmark = pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda", marks=[pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]
        ),
    ],
)

FLOATS = [torch.float32, torch.float64]
DTYPES = [*FLOATS, torch.float16, torch.bfloat16]


def with_gradients(output: Tensor, *of: Tensor) -> None:
    """Checks the output and its gradients."""
    for value in (output, *torch.autograd.grad(output.sum(), of)):
        assert bool(value.isfinite().all())


def leaf(*shape: int, device: str, dtype: torch.dtype, seed: int = 0) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values.to(device, dtype).requires_grad_()


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("solver", ["active_set", "feature_sign", "coordinate_descent"])
def test_sparse_reconstruct(device: str, solver: str, dtype: torch.dtype) -> None:
    for atoms in (5, 128, 130, 260, 400, 520):  # each number of rounds of 128, and beyond registers
        x, y = (relu_columns(40, count, seed=count).to(device, dtype) for count in (9, atoms))
        for beta in (0.4, 1e-3):  # the second is not certified by the first pass in float32
            result = reidops.sparse_reconstruct(x, y, beta, solver=solver, max_iterations=20)
            assert bool(result.error.isfinite().all())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dsr_distance(device: str, dtype: torch.dtype) -> None:
    probe, gallery = (relu_maps(2, 16, 4, 3, seed=seed).to(device, dtype).requires_grad_() for seed in (1, 2))
    with_gradients(reidops.dsr_distance(probe, gallery, scales=(1, 2)), probe, gallery)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("channels", [3, 20])
def test_affine_sample(device: str, channels: int, mode: str, dtype: torch.dtype) -> None:
    for padding in ("zeros", "border", "reflection"):
        for turn in (0.2, 0.0):  # a box has no rotation
            for memory_format in (torch.contiguous_format, torch.channels_last):
                picture = leaf(2, channels, 9, 7, device=device, dtype=dtype)
                theta = torch.tensor([[0.8, turn, 0.3], [-turn, 0.7, -0.2]], device=device, dtype=dtype)
                theta = theta.expand(3, 2, 2, 3).clone().requires_grad_()
                laid_out = picture.contiguous(memory_format=memory_format)
                output = reidops.affine_sample(laid_out, theta, (6, 37), mode=mode, padding_mode=padding)
                with_gradients(output, picture, *([theta] if mode == "bilinear" else []))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("k", [(1, 1), (3, 3), (5, 5), (7, 7), (10, 10), (2, 6)], ids=str)
def test_depthwise_xcorr(device: str, k: tuple[int, int], dtype: torch.dtype) -> None:
    for channels, size in ((3, (20, 15)), (20, (9, 8)), (2, (40, 70))):
        search = leaf(2, 1, channels, *size, device=device, dtype=dtype)
        template = leaf(3, channels, *k, device=device, dtype=dtype, seed=1)
        with_gradients(reidops.depthwise_xcorr(search, template), search, template)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("pool", [False, True])
def test_projected_xcorr(device: str, pool: bool, dtype: torch.dtype) -> None:
    for channels, size, k in ((5, (9, 8), 5), (20, (12, 7), 10), (3, (3, 40), 2)):
        search = leaf(2, 1, channels, *size, device=device, dtype=dtype)
        template = leaf(3, 2, channels, k, min(k, size[1]), device=device, dtype=dtype, seed=1)
        weight = leaf(9, 2, channels, device=device, dtype=dtype, seed=2)
        with_gradients(reidops.projected_xcorr(search, template, weight, pool=pool), search, template, weight)
