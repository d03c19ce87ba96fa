"""What needs a GPU: the CUDA kernels against the CPU's, streams, graphs, devices, and sizes beyond 2^31."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import reidops
from reidops._ops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram
from tests.reidops.certificate import judge
from tests.reidops.features import HARD, hard_dictionary, relu_columns, relu_maps

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

DTYPES = [torch.float32, torch.float64]
TOLERANCE = 1e-4


def gpu(value: Tensor) -> Tensor:
    return value.to("cuda")


def test_the_cuda_library_is_loaded() -> None:
    assert reidops._library.CUDA_MISSING is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("m", [1, 3, 31, 32, 33, 64, 128, 130, 317, 512, 513, 1100])
def test_certified_and_as_on_the_cpu(m: int, solver: str, dtype: torch.dtype) -> None:
    x, y = relu_columns(96, 50).to(dtype), relu_columns(96, m, seed=1).to(dtype)
    result = reidops.sparse_reconstruct(gpu(x), gpu(y), beta=0.2, solver=solver)
    expected = reidops.sparse_reconstruct(x, y, beta=0.2, solver=solver)
    verdict = judge(x, y, result.coefficients.cpu(), 0.2)
    rounding = 32 * torch.finfo(dtype).eps / verdict.primal
    assert bool((result.gap.cpu() <= TOLERANCE).all())
    assert bool(((result.gap.cpu() - verdict.gap).abs() <= rounding).all())
    assert_close(result.error.cpu().double(), verdict.error, rtol=5e-5, atol=0)
    primal = expected.error + 0.2 * expected.coefficients.abs().sum(0)
    assert_close(verdict.primal, primal.double(), rtol=2 * TOLERANCE, atol=0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_degenerate_dictionaries_are_certified(kind: str, solver: str, dtype: torch.dtype) -> None:
    x, y = (value.to(dtype) for value in hard_dictionary(kind))
    for beta in (0.4, 0.01):
        result = reidops.sparse_reconstruct(gpu(x), gpu(y), beta, solver=solver, max_iterations=20000)
        verdict = judge(x, y, result.coefficients.cpu(), beta)
        assert bool((result.gap <= TOLERANCE).all())
        assert_close(result.error.cpu().double(), verdict.error, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("scales", [(1,), (1, 2, 3)], ids=str)
def test_distances_as_on_the_cpu(scales: tuple[int, ...]) -> None:
    probe, gallery = relu_maps(5, 64, 16, 8).float(), relu_maps(9, 64, 16, 8, seed=1).float()
    expected = reidops.dsr_distance(probe, gallery, scales=scales)
    distances = reidops.dsr_distance(gpu(probe), gpu(gallery), scales=scales)
    assert_close(distances.cpu(), expected, rtol=3 * TOLERANCE, atol=0)
    ragged = [maps[:, : 6 + i] for i, maps in enumerate(gallery)]
    expected = reidops.dsr_distance(list(probe), ragged, scales=scales)
    distances = reidops.dsr_distance([*map(gpu, probe)], [*map(gpu, ragged)], scales=scales)
    assert_close(distances.cpu(), expected, rtol=3 * TOLERANCE, atol=0)


def test_gradients_as_on_the_cpu() -> None:
    maps = relu_maps(3, 32, 8, 4), relu_maps(4, 32, 8, 4, seed=1)
    gradients = []
    for device in ("cpu", "cuda"):
        probe, gallery = (side.to(device).requires_grad_() for side in maps)
        objective = reidops.dsr_distance(probe, gallery, tolerance=1e-9).square().sum()
        gradients.append([gradient.cpu() for gradient in torch.autograd.grad(objective, (probe, gallery))])
    assert_close(*gradients, rtol=1e-4, atol=1e-7)


def test_the_same_bits_again() -> None:
    probe, gallery = gpu(relu_maps(8, 64, 16, 8).float()), gpu(relu_maps(40, 64, 16, 8, seed=1).float())
    first = reidops.dsr_distance(probe, gallery, beta=0.1)
    for _ in range(3):
        assert torch.equal(reidops.dsr_distance(probe, gallery, beta=0.1), first)


def test_runs_on_the_current_stream() -> None:
    x, y = gpu(relu_columns(64, 512).float()), gpu(relu_columns(64, 128, seed=1).float())
    expected = reidops.sparse_reconstruct(x, y).error
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # a kernel on any other stream would run ahead of the copy
        late = torch.zeros_like(x).copy_(x)
        error = reidops.sparse_reconstruct(late, y).error
    torch.cuda.synchronize()
    # cuBLAS promises the same bits on one stream only; ahead of the copy all errors would be zero.
    assert_close(error, expected, rtol=3 * TOLERANCE, atol=0)


def test_captured_in_a_graph_and_replayed_on_new_data() -> None:
    x, y = gpu(relu_columns(64, 256).float()), gpu(relu_columns(64, 128, seed=1).float())
    other = gpu(relu_columns(64, 256, seed=2).float())
    expected = reidops.sparse_reconstruct(other, y).error
    given = x.clone()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        reidops.sparse_reconstruct(given, y)  # warm: lazy initialisation is not for a capture
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        error = reidops.sparse_reconstruct(given, y).error
    given.copy_(other)
    graph.replay()
    torch.cuda.synchronize()
    assert_close(error, expected, rtol=3 * TOLERANCE, atol=0)  # cuBLAS may go another way under capture


# What was warm has 128 atoms, in shared memory; these have theirs in two to four rounds of registers, or in memory.
@pytest.mark.parametrize("m", [200, 300, 500, 600])
def test_captured_with_another_number_of_atoms_than_was_warm(m: int) -> None:
    x = gpu(relu_columns(64, 256).float())

    def given(atoms: int) -> tuple[Tensor, Tensor, Tensor]:
        y = gpu(relu_columns(64, atoms, seed=1).float())
        return (y.mT @ y)[None], (x.mT @ y)[:, None], x.square().sum(0)[:, None]

    warm, other = given(128), given(m)
    sparse_reconstruct_gram(*warm, None, None, 0.4)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        error, _, _ = sparse_reconstruct_gram(*other, None, None, 0.4)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(error, sparse_reconstruct_gram(*other, None, None, 0.4)[0])


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one GPU")
def test_the_second_gpu_while_the_first_is_current() -> None:
    x, y = relu_columns(64, 100).float(), relu_columns(64, 128, seed=1).float()
    error = reidops.sparse_reconstruct(x.to("cuda:1"), y.to("cuda:1")).error
    assert error.device == torch.device("cuda:1")
    assert torch.cuda.current_device() == 0
    assert_close(error.cpu(), reidops.sparse_reconstruct(x, y).error, rtol=3 * TOLERANCE, atol=0)


def has_memory(gigabytes: int) -> bool:
    return torch.cuda.is_available() and torch.cuda.mem_get_info()[0] > gigabytes << 30


@pytest.mark.skipif(not has_memory(24), reason="needs 24 GiB of free GPU memory")
def test_more_than_two_to_the_31_correlations() -> None:
    """Columns at the very end of the tensor are solved as they are alone.

    There are more channels than atoms: a Gram of fewer is singular, and indefinite once it is rounded, and without the
    data no certificate is owed for that.
    """
    atoms, images = 128, 600
    rows = 2**31 // (atoms * images) + 1000
    x, y = relu_columns(256, rows).float(), relu_maps(images, 256, 16, 8, seed=1).flatten(2).mT.float()
    x, y = gpu(x.mT.contiguous()), gpu(y.contiguous())
    correlation = (x @ y.flatten(0, 1).mT).unflatten(1, (images, atoms))
    assert correlation.numel() > 2**31
    gram, energy = y @ y.mT, x.square().sum(1)[:, None].expand(-1, images)
    error, gap, _ = sparse_reconstruct_gram(gram, correlation, energy, None, None, 0.4)
    assert bool((gap <= TOLERANCE).all())
    last, _, _ = sparse_reconstruct_gram(gram, correlation[-5:], energy[-5:], None, None, 0.4)
    assert torch.equal(error[-5:], last)
