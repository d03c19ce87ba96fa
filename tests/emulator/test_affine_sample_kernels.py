"""The CUDA kernels of affine_sample on the emulator, against torch's affine_grid and grid_sample."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.emulator.affine_sample_cases import DTYPES, LEAN, OPTIONS, Case, check

Emulated = Callable[..., ModuleType]

OP = "affine_sample"

KINDS = ("any", "zoomed", "shrunk", "magnified", "singular", "a point", "far", "nan")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_equal_to_torch(plain: ModuleType, options: tuple[int, int, bool], kind: str) -> None:
    if kind == "nan" and options[1] != 0:
        pytest.skip("torch's own backward reads outside the image")
    plain.configure(seed=2)
    case = Case(kind, options)
    check(case, case.by_kernels(plain))


SHAPES: dict[str, dict[str, Any]] = {
    "one pixel": {"shape": (1, 1, 1, 1), "size": (1, 1)},
    "a row": {"shape": (1, 2, 1, 9), "size": (4, 1)},
    "many channels": {"shape": (2, 37, 5, 4), "size": (3, 3)},
    "more channels than a block": {"shape": (1, 150, 3, 3), "size": (2, 4), "repeats": 1},
    "half a block of pixels": {"shape": (1, 40, 6, 5), "size": (10, 10), "repeats": 1},
    "more pixels than a block": {"shape": (1, 2, 23, 29), "size": (19, 31), "repeats": 1},
    "many repeats": {"shape": (1, 1, 4, 4), "size": (3, 2), "repeats": 9},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(plain: ModuleType, shape: str, channels_last: bool, dtype: type) -> None:
    plain.configure(seed=3)
    case = Case(**SHAPES[shape], channels_last=channels_last, dtype=dtype)
    check(case, case.by_kernels(plain))


@pytest.mark.parametrize("shape", [(1, 150, 23, 29), (2, 70, 5, 4), (1, 3, 40, 40)], ids=str)
def test_more_work_for_a_thread_gives_the_same_bits(race: ModuleType, shape: tuple[int, int, int, int]) -> None:
    race.configure(seed=1)
    case = Case(shape=shape, size=(37, 21), repeats=1, dtype=np.float32)
    options = race.Options(*case.size, *case.options, False)
    expected = race.forward(case.input, case.theta, options)
    check(case, (expected,))
    for enough in (0, 2, 5):
        np.testing.assert_array_equal(race.forward(case.input, case.theta, options, enough), expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [(0, 0, False), (0, 1, True), (0, 2, False), (1, 0, False)], ids=str)
def test_no_race(race: ModuleType, options: tuple[int, int, bool], seed: int) -> None:
    race.configure(seed=seed)
    for channels_last in (False, True):
        case = Case(options=options, channels_last=channels_last)
        check(case, case.by_kernels(race))


def test_every_order_of_threads_gives_the_same_bits(plain: ModuleType) -> None:
    case = Case(dtype=np.float32, shape=(2, 18, 9, 8))
    plain.configure(seed=0)
    expected = case.by_kernels(plain)
    for seed in (1, 2, 3):
        plain.configure(seed=seed)
        for value, same in zip(case.by_kernels(plain), expected, strict=True):
            np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize("empty", [{"shape": (0, 3, 4, 4)}, {"shape": (2, 0, 4, 4)}, {"repeats": 0}])
def test_nothing_to_do(plain: ModuleType, empty: dict[str, Any]) -> None:
    case = Case(**empty)
    check(case, case.by_kernels(plain))


def test_strided_images(plain: ModuleType) -> None:
    case = Case()
    expected = case.by_kernels(plain)
    room = np.full((2, 3, 14, 18), np.nan)
    case.input, given = room[:, :, ::2, ::3], case.input
    case.input[:] = given
    for value, same in zip(case.by_kernels(plain), expected, strict=True):
        np.testing.assert_array_equal(value, same)


def test_a_missing_barrier_is_caught(emulated: Emulated) -> None:
    change = ("affine_sample/theta_gradient.cuh", "  __syncthreads();\n", "")
    kernels = emulated("affine_sample", "race", change, *LEAN)
    kernels.configure(seed=1)
    with pytest.raises(kernels.EmulatorError, match=r"race|nobody wrote"):
        Case(shape=(1, 3, 7, 6), repeats=1).by_kernels(kernels)


def test_a_gather_that_misses_samples_is_noticed(emulated: Emulated) -> None:
    """The rows and columns that may touch a pixel are a bound: one that is too tight loses gradient."""
    change = ("affine_sample/gather_bounds.cuh", "low = T(pixel) - 1 - slack;", "low = T(pixel) - T(0.5);")
    kernels = emulated("affine_sample", "plain", change, *LEAN)
    case = Case(kind="magnified", size=(16, 16))
    with pytest.raises(AssertionError):
        check(case, case.by_kernels(kernels))


# The gather of the input's gradient without its bounds: every pixel looks at every sample.
EVERY_SAMPLE = [
    ("affine_sample/input_gradient.cuh", line, "")
    for line in (
        "rows_of(along_x, along_y, row, rows);",
        "along_x.columns(row, column, columns);",
        "along_y.columns(row, column, columns);",
    )
]
# Long columns and short rows, nearly parallel; positions that cancel; rows so far that only border holds them.
STEEP = {
    "tall and nearly singular": [[0.9, 1, 0], [0.9, 1.01, 0.02]],
    "long columns, short rows": [[3e3, 0.7, 0.1], [3e3, -0.8, 0]],
    "tall and far": [[40, 900, -899], [-41, 890, 20]],
    "cancelling": [[1e4, 1e4 + 0.001, 2e4 - 1], [0.5, 1, 0]],
    "beyond all numbers": [[0, 5e30, 5e30], [0, 1, 0]],
}


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("kind", STEEP)
def test_bounds_of_the_gather_lose_nothing(emulated: Emulated, kind: str, padding: int, align_corners: bool) -> None:
    """The same bits as without them: what is left out adds nothing, and what is left is added in the same order."""
    case = Case(options=(0, padding, align_corners), shape=(1, 1, 7, 6), size=(700, 9), repeats=1, dtype=np.float32)
    case.theta = np.array(STEEP[kind], dtype=np.float32)[None, None]
    found = []
    for kernels in (emulated("affine_sample", "plain"), emulated("affine_sample", "plain", *EVERY_SAMPLE)):
        kernels.configure(seed=1)
        found.append(case.by_kernels(kernels)[1])
    np.testing.assert_array_equal(*found)
    if padding == 1:  # every sample lies somewhere
        assert np.count_nonzero(found[0]) > 0
