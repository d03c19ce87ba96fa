"""Every word of CUDA that the emulator knows means what CUDA's programming guide says, in both builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Emulated = Callable[[str, str], ModuleType]

SEEDS = [0, 1, 2, 3]
LANE = np.arange(32)


@pytest.fixture(params=["plain", "race"])
def kernels(request: pytest.FixtureRequest, emulated: Emulated) -> ModuleType:
    module = emulated("vocabulary", request.param)
    module.configure(seed=2)
    return module


# ---- warps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("width", [32, 16, 8, 2, 1])
@pytest.mark.parametrize("argument", [0, 1, 5, 16, 31])
def test_shuffles(kernels: ModuleType, dtype: type, width: int, argument: int) -> None:
    x: np.ndarray = (LANE * 3 - 40).astype(dtype)
    first = LANE // width * width
    past = first + width
    sources = {
        "index": first + argument % width,
        "up": np.where(LANE - argument < first, LANE, LANE - argument),
        "down": np.where(LANE + argument >= past, LANE, LANE + argument),
        "xor": np.where((LANE ^ argument) >= past, LANE, LANE ^ argument),
    }
    y = kernels.shuffles(x, argument, width)
    assert y.dtype == dtype
    for row, (kind, source) in zip(y, sources.items(), strict=True):
        np.testing.assert_array_equal(row, x[source], err_msg=kind)


def test_shuffle_width_must_be_a_power_of_two(kernels: ModuleType) -> None:
    with pytest.raises(kernels.EmulatorError, match="power of two"):
        kernels.shuffles(LANE.astype(np.float32), 1, 12)


MASKS = st.integers(1, 2**32 - 1)
VALUES = st.lists(st.integers(-(2**31), 2**31 - 1), min_size=32, max_size=32)


@pytest.mark.parametrize("build", ["plain", "race"])
@given(values=VALUES, mask=MASKS, seed=st.sampled_from(SEEDS))
@settings(max_examples=30, deadline=None)
def test_votes(emulated: Emulated, build: str, values: list[int], mask: int, seed: int) -> None:
    kernels = emulated("vocabulary", build)
    kernels.configure(seed=seed)
    x = np.array(values, dtype=np.int32)
    inside = (mask >> LANE & 1).astype(bool)
    votes = (x > 0) & inside
    y = kernels.votes(x, mask)[:, inside]
    assert (y[0] == sum(1 << int(lane) for lane in LANE[votes])).all()
    assert (y[1] == votes.any()).all()
    assert (y[2] == votes[inside].all()).all()


@pytest.mark.parametrize("build", ["plain", "race"])
@given(values=VALUES, mask=MASKS, seed=st.sampled_from(SEEDS))
@settings(max_examples=30, deadline=None)
def test_reductions(emulated: Emulated, build: str, values: list[int], mask: int, seed: int) -> None:
    kernels = emulated("vocabulary", build)
    kernels.configure(seed=seed)
    x = np.array(values, dtype=np.int32)
    inside = (mask >> LANE & 1).astype(bool)
    part, bits = x[inside], x[inside].view(np.uint32)
    wrapped_sum = part.astype(np.int64).sum().astype(np.int32)
    folded = [np.bitwise_and.reduce(bits), np.bitwise_or.reduce(bits), np.bitwise_xor.reduce(bits), bits.max()]
    expected = [wrapped_sum, part.min(), part.max(), *np.array(folded).view(np.int32)]
    y = kernels.reductions(x, mask)
    np.testing.assert_array_equal(y[:, inside], np.repeat(np.array(expected)[:, None], inside.sum(), axis=1))
    assert (y[:, ~inside] == -1).all()  # never written


# ---- blocks and grids ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positive", [0, 1, 57, 96])
def test_block_votes(kernels: ModuleType, positive: int) -> None:
    x = np.where(np.arange(96) < positive, 1, -1).astype(np.int32)
    expected = positive + 1000 * (positive > 0) + 10000 * (positive == 96)
    assert (kernels.block_votes(x) == expected).all()


@pytest.mark.parametrize(
    ("grid", "block"),
    [((3, 2, 2), (4, 3, 2)), ((1, 1, 1), (1024, 1, 1)), ((5, 1, 1), (1, 1, 64))],
)
def test_indices(kernels: ModuleType, grid: tuple[int, ...], block: tuple[int, ...]) -> None:
    y = kernels.ranks(grid, block)
    np.testing.assert_array_equal(y, np.arange(np.prod(grid) * np.prod(block)))


@pytest.mark.parametrize("block", [(0, 1, 1), (1025, 1, 1), (32, 33, 1), (1, 1, 65)])
def test_launches_that_cuda_rejects(kernels: ModuleType, block: tuple[int, ...]) -> None:
    with pytest.raises(kernels.EmulatorError, match="invalid launch configuration"):
        kernels.ranks((1, 1, 1), block)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("kilobytes", [1, 48, 100, 227])
def test_dynamic_shared_memory(kernels: ModuleType, dtype: type, kilobytes: int) -> None:
    kernels.configure(shared_kilobytes=kilobytes)
    x: np.ndarray = np.arange(kilobytes * 1024 // np.dtype(dtype).itemsize, dtype=dtype)
    np.testing.assert_array_equal(kernels.reverse(x), x[::-1])


@pytest.mark.parametrize("kilobytes", [99, 163, 227])
def test_too_much_dynamic_shared_memory(kernels: ModuleType, kilobytes: int) -> None:
    """The limits of today's devices; no device has more than 227 KB, whatever is asked."""
    kernels.configure(shared_kilobytes=kilobytes if kilobytes < 227 else 1000)
    kernels.reverse(np.zeros(kilobytes * 256, dtype=np.float32))
    with pytest.raises(kernels.EmulatorError, match="invalid launch configuration"):
        kernels.reverse(np.zeros(kilobytes * 256 + 1, dtype=np.float32))


def test_the_environment_sets_the_limit_of_shared_memory() -> None:
    """In a process of its own: it is read when a library is loaded."""
    program = (
        "import numpy as np; from tests.emulator.conftest import load; kernels = load('vocabulary', 'plain');"
        "kernels.configure(seed=1); kernels.reverse(np.zeros(99 * 256 + 1, dtype=np.float32))"
    )
    for kilobytes, refused in (("99", True), ("163", False)):
        environ = {**os.environ, "REIDOPS_EMULATED_SHARED_KB": kilobytes}
        done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)
        assert ("invalid launch configuration" in done.stderr) == refused, done.stderr
        assert (done.returncode != 0) == refused


def test_shared_memory_starts_unset_in_every_block(emulated: Emulated) -> None:
    kernels = emulated("vocabulary", "plain")
    assert np.isnan(kernels.leave_behind(5)).all()


def test_stacks_start_unset_in_every_thread(emulated: Emulated) -> None:
    """In the race build what watches a kernel has a stack below it, and leaves its own numbers there."""
    assert np.isnan(emulated("vocabulary", "plain").leave_on_stack(3, 40)).all()
    assert not (emulated("vocabulary", "race").leave_on_stack(3, 40) == 1).any()


def test_trap(kernels: ModuleType) -> None:
    x: np.ndarray = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(kernels.trap_at_nan(x)[0], x)
    x[5] = np.nan
    with pytest.raises(kernels.EmulatorError, match=r"__trap at vocabulary\.cuh:\d+"):
        kernels.trap_at_nan(x)


# ---- schedules -------------------------------------------------------------------------------------------------------


def test_seeds_order_threads_and_blocks(kernels: ModuleType) -> None:
    def order(seed: int) -> np.ndarray:
        kernels.configure(seed=seed)
        return kernels.tickets(4, 50)

    ascending = np.arange(200).reshape(4, 50)
    np.testing.assert_array_equal(order(0), ascending)
    np.testing.assert_array_equal(order(1), 199 - ascending)
    for seed in (2, 3):
        np.testing.assert_array_equal(np.sort(order(seed), axis=None), np.arange(200))
        np.testing.assert_array_equal(order(seed), order(seed))
        assert not np.array_equal(order(seed), ascending)
    assert not np.array_equal(order(2), order(3))


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_vectors(kernels: ModuleType) -> None:
    assert kernels.sum_vectors(np.arange(512, dtype=np.float32)) == 512 * 511 / 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_atomics(kernels: ModuleType, dtype: type) -> None:
    x: np.ndarray = np.arange(-50, 50).astype(dtype)
    y: np.ndarray = np.zeros(5, dtype)
    kernels.atomics(x, y)
    np.testing.assert_array_equal(y, [x.sum(), -50, 49, 7, 3])


def test_bounds_follow_strides(emulated: Emulated) -> None:
    kernels = emulated("vocabulary", "race")
    x = np.arange(1024, dtype=np.float32)
    assert kernels.sum_vectors(x[256:768]) == x[256:768].sum()
    with pytest.raises(kernels.EmulatorError, match="out-of-bounds read of global memory"):
        kernels.sum_vectors(x[:508])


def test_other_types_are_refused(kernels: ModuleType) -> None:
    with pytest.raises(TypeError, match="incompatible function arguments"):
        kernels.sum_vectors(np.zeros(512, dtype=np.float64))


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def test_arithmetic(kernels: ModuleType) -> None:
    a = np.array([0.1, -3.7, 1e-3, 8e20, 1.0, 0.3, np.inf, np.nan], dtype=np.float32)
    wide = a.astype(np.float64)
    with np.errstate(all="ignore"):
        square_error = (wide * wide - np.float64(a * a)).astype(np.float32)  # exact in float64: 48 bits
        expected = {
            "fmaf": square_error,
            "__frcp_rn": np.float32(1) / a,
            "__fsqrt_rn": np.sqrt(np.abs(a)),
            "rsqrtf": np.float32(1) / np.sqrt(np.abs(a)),
            "__fdividef": a / np.float32(3),
            "sign bit": -a,
            "isfinite": np.isfinite(a),
            "max": np.fmax(a, np.float32(0.5)),
            "min": np.fmin(a, np.float32(0.5)),
            "integers": np.full(8, 9),
        }
    y = kernels.arithmetic(a)
    for row, (name, values) in zip(y, expected.items(), strict=True):
        np.testing.assert_array_equal(row, values, err_msg=name)


def test_bit_counts(kernels: ModuleType) -> None:
    x = np.array([0, 1, 2, 0x80000000, 0xFFFFFFFF, 0x00F0, 12345, 3], dtype=np.uint32)
    numbers = [int(value) for value in x]
    expected = [
        [value.bit_count() for value in numbers],
        [(value & -value).bit_length() for value in numbers],
        [32 - value.bit_length() for value in numbers],
        [value.bit_count() + 1 for value in numbers],
        [64 - value.bit_length() for value in numbers],
    ]
    np.testing.assert_array_equal(kernels.bit_counts(x), expected)


# ---- and it is CUDA --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc to ask")
def test_kernels_are_cuda(tmp_path: Path) -> None:
    here = Path(__file__).parent
    command = ["nvcc", "-std=c++20", "-arch=sm_80", "-ptx", "-Werror=all-warnings", f"-I{here.parent.parent / 'csrc'}"]
    ptx = tmp_path / "as_cuda.ptx"
    compiled = subprocess.run(
        [*command, str(here / "as_cuda.cu"), "-o", str(ptx)], capture_output=True, text=True, check=False
    )
    assert compiled.returncode == 0, compiled.stderr
    assert "write_after_read" in ptx.read_text()
