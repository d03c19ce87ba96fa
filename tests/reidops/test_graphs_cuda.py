"""What needs a GPU: operators whose shapes were warm, captured in a CUDA graph and replayed on new data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import reidops
from tests.reidops.features import relu_maps

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


def replayed(run: Callable[..., Tensor], *given: Tensor, new: tuple[Tensor, ...]) -> Tensor:
    """``run(*new)``, by a graph of ``run(*given)``."""
    held = [value.clone() for value in given]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run(*held)  # a kernel that runs for the first time is loaded, which is not for a capture
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = run(*held)
    for value, other in zip(held, new, strict=True):
        value.copy_(other)
    graph.replay()
    torch.cuda.synchronize()
    return result


def maps(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).cuda()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_affine_sample(memory_format: torch.memory_format) -> None:
    first, other = (
        (maps(2, 8, 20, 15, seed=seed).contiguous(memory_format=memory_format), maps(3, 2, 2, 3, seed=seed + 1))
        for seed in (0, 10)
    )

    def run(pictures: Tensor, theta: Tensor) -> Tensor:
        return reidops.affine_sample(pictures, theta, (10, 12))

    assert torch.equal(replayed(run, *first, new=other), run(*other))


@pytest.mark.parametrize("k", [5, 10, 4])
def test_depthwise_xcorr(k: int) -> None:
    first, other = ((maps(2, 1, 8, 20, 15, seed=seed), maps(3, 8, k, k, seed=seed + 1)) for seed in (0, 10))
    assert torch.equal(replayed(reidops.depthwise_xcorr, *first, new=other), reidops.depthwise_xcorr(*other))


def test_projected_xcorr() -> None:
    first, other = (
        (maps(2, 1, 8, 20, 15, seed=seed), maps(3, 2, 8, 5, 5, seed=seed + 1), maps(6, 2, 8, seed=seed + 2))
        for seed in (0, 10)
    )
    assert torch.equal(replayed(reidops.projected_xcorr, *first, new=other), reidops.projected_xcorr(*other))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_dsr_distance(dtype: torch.dtype) -> None:
    first, other = (
        tuple(relu_maps(count, 64, 8, 4, seed=seed + count).to("cuda", dtype) for count in (3, 5)) for seed in (0, 10)
    )
    found = replayed(reidops.dsr_distance, *first, new=other)
    rtol = max(3e-4, torch.finfo(dtype).eps)  # cuBLAS may go another way under capture
    assert_close(found, reidops.dsr_distance(*other), rtol=rtol, atol=0)
