"""The CUDA kernels of affine_sample on the emulator, against torch's affine_grid and grid_sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from reidops import reference

Emulated = Callable[..., ModuleType]

OPTIONS = list(itertools.product((0, 1), (0, 1, 2), (False, True)))  # mode, padding, align_corners
KINDS = ("any", "zoomed", "shrunk", "magnified", "singular", "a point", "far", "nan")
DTYPES = [np.float32, np.float64]


def thetas(kind: str, *batch: int) -> np.ndarray:
    random = np.random.default_rng(1).standard_normal((*batch, 2, 3))
    identity = np.eye(2, 3)
    if kind == "singular":
        return np.repeat(random[..., :1, :], 2, axis=-2)
    if kind == "nan":
        random[..., 0, 1] = np.nan
        return random
    near = {"zoomed": 0.6, "shrunk": 2.5, "magnified": 0.05}
    if kind in near:
        return near[kind] * (identity + 0.2 * random)
    return random * {"any": 1, "a point": np.array([0, 0, 0.5]), "far": 20}[kind]


@dataclass
class Case:
    """Images (P, C, H, W) under maps (P, K, 2, 3), to (h, w)."""

    kind: str = "zoomed"
    options: tuple[int, int, bool] = (0, 0, False)
    shape: tuple[int, int, int, int] = (2, 3, 7, 6)
    size: tuple[int, int] = (5, 8)
    repeats: int = 2
    dtype: type = np.float64
    channels_last: bool = False
    input: np.ndarray = field(init=False)
    theta: np.ndarray = field(init=False)
    grad: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        images, channels, *_ = self.shape
        self.input = random.standard_normal(self.shape).astype(self.dtype)
        self.theta = thetas(self.kind, images, self.repeats).astype(self.dtype)
        self.grad = random.standard_normal((images, self.repeats, channels, *self.size)).astype(self.dtype)

    def by_kernels(self, kernels: ModuleType) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Output, gradient of the input, gradient of theta (P, K, 2, 3)."""
        options = kernels.Options(*self.size, *self.options, self.channels_last)
        input, grad = self.input, self.grad
        if self.channels_last:
            input, grad = (np.ascontiguousarray(np.moveaxis(value, -3, -1)) for value in (input, grad))
            input = np.moveaxis(input, -1, -3)
        output = kernels.forward(input, self.theta, options)
        of_input, of_theta = kernels.backward(grad, input, self.theta, options)
        if self.channels_last:
            output, of_input = np.moveaxis(output, -1, -3), np.moveaxis(of_input, -1, -3)
        return output, of_input, of_theta.sum(-2).reshape(self.theta.shape)

    def by_torch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        input, theta, grad = (torch.from_numpy(value) for value in (self.input, self.theta, self.grad))
        output = reference.affine_sample(input[:, None], theta, *self.size, *self.options)
        gradients = reference.affine_sample_backward(grad, input[:, None], theta, *self.options, True, True)
        return output.numpy(), gradients[0].squeeze(1).numpy(), gradients[1].numpy()


def check(case: Case, results: tuple[np.ndarray, ...]) -> None:
    close = {"rtol": 0, "atol": 2e-4 if case.dtype == np.float32 else 1e-11}
    expected = case.by_torch()
    for i, (result, other) in enumerate(zip(results, expected, strict=False)):
        if i == 2 and case.options[0] == 1:  # the nearest pixel has no gradient by theta, and its kernel is not called
            continue
        scale = max(1.0, float(np.nanmax(np.abs(other), initial=0)))
        np.testing.assert_allclose(result / scale, other / scale, **close)


@pytest.fixture(scope="module")
def plain(emulated: Emulated) -> ModuleType:
    return emulated("affine_sample", "plain")


@pytest.fixture(scope="module")
def race(emulated: Emulated) -> ModuleType:
    return emulated("affine_sample", "race")


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


PLANTED = {
    "barrier": ("  __syncthreads();\n", "", "race|nobody wrote"),
    "last pixels": (
        "pixel < p.pixels(); pixel += part.stride) {\n    const Corners",
        "pixel < p.pixels() + 1; pixel += part.stride) {\n    const Corners",
        "out-of-bounds|global memory|bounds",
    ),
    "last channels": ("last < p.C ? last : p.C, 1};", "last, 1};", "out-of-bounds|global memory|bounds"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    old, new, message = PLANTED[place]
    kernels = emulated("affine_sample", "race", ("affine_sample/affine_sample.cuh", old, new))
    kernels.configure(seed=1)
    with pytest.raises(kernels.EmulatorError, match=message):
        Case(shape=(1, 3, 7, 6), repeats=1).by_kernels(kernels)


def test_a_gather_that_misses_samples_is_noticed(emulated: Emulated) -> None:
    """The rows and columns that may touch a pixel are a bound: one that is too tight loses gradient."""
    change = ("affine_sample/affine_sample.cuh", "low = T(pixel) - 1 - slack;", "low = T(pixel) - T(0.5);")
    kernels = emulated("affine_sample", "plain", change)
    case = Case(kind="magnified", size=(16, 16))
    with pytest.raises(AssertionError):
        check(case, case.by_kernels(kernels))


# The gather of the input's gradient without its bounds: every pixel looks at every sample.
EVERY_SAMPLE = [
    ("affine_sample/affine_sample.cuh", line, "")
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
