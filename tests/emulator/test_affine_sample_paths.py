"""The paths of affine_sample's forward kernels: maps without rotation, vectors of channels, and what falls back.

All paths give the same bits: those of the plainest, one channel after another under a map of any kind.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.emulator.affine_sample_cases import BOXES, BOXES_AND_ODD, DTYPES, LEAN, OPTIONS, Case, check

Emulated = Callable[..., ModuleType]

OP = "affine_sample"

FORWARD, CHANNELS = "affine_sample/forward.cuh", "affine_sample/channels.cuh"
ANY_MAP = ("affine_sample/block.cuh", "return theta.xy == T(0) && theta.yx == T(0);", "return false;")
PLAINEST = (
    ANY_MAP,
    (FORWARD, "if (has_vectors(p)) {", "if (false) {"),
    (FORWARD, "if (has_planes(p)) {", "if (false) {"),
)


@pytest.fixture(scope="module")
def plainest(emulated: Emulated) -> ModuleType:
    return emulated("affine_sample", "plain", *PLAINEST)


def same_bits(one: np.ndarray, other: np.ndarray) -> None:
    assert one.dtype == other.dtype
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.signbit(one[one == 0]), np.signbit(other[other == 0]))


@pytest.mark.parametrize("channels", [3, 8])
@pytest.mark.parametrize("kind", [*BOXES_AND_ODD, "any", "nan"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_every_path_gives_the_same_bits(
    plain: ModuleType, plainest: ModuleType, options: tuple[int, int, bool], kind: str, channels: int
) -> None:
    plain.configure(seed=2)
    plainest.configure(seed=1)
    for channels_last in (False, True):
        case = Case(kind, options, (2, channels, 7, 6), (13, 9), dtype=np.float32, channels_last=channels_last)
        same_bits(case.forward_by_kernels(plain), case.forward_by_kernels(plainest))


SHAPES: dict[str, dict[str, Any]] = {
    "one pixel": {"shape": (1, 4, 1, 1), "size": (1, 1)},
    "a row": {"shape": (1, 8, 1, 9), "size": (4, 1)},
    "a column": {"shape": (1, 8, 9, 1), "size": (1, 5)},
    "more columns than a block": {"shape": (1, 2, 3, 9), "size": (2, 300), "repeats": 1},
    "more rows than a block": {"shape": (1, 2, 9, 3), "size": (600, 2), "repeats": 1},
    "vectors for several lanes": {"shape": (1, 96, 5, 4), "size": (9, 10)},
    "vectors for several blocks": {"shape": (1, 520, 3, 3), "size": (2, 4), "repeats": 1},
    "one channel beyond a vector": {"shape": (1, 9, 4, 4), "size": (3, 5)},
    "no channels": {"shape": (1, 0, 4, 4), "size": (3, 5)},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", ["box over the edge", "zoomed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(plain: ModuleType, shape: str, kind: str, channels_last: bool, dtype: type) -> None:
    plain.configure(seed=3)
    case = Case(kind, **SHAPES[shape], channels_last=channels_last, dtype=dtype)
    check(case, (case.forward_by_kernels(plain),))


@pytest.mark.parametrize("kind", BOXES)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options)))
def test_boxes_are_those_of_torch(plain: ModuleType, options: tuple[int, int, bool], kind: str) -> None:
    plain.configure(seed=0)
    for channels_last in (False, True):
        case = Case(kind, options, (2, 6, 7, 6), (9, 8), channels_last=channels_last)
        check(case, case.by_kernels(plain))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["box over the edge", "box around", "zoomed"])
@pytest.mark.parametrize("channels", [3, 8])
def test_no_race(race: ModuleType, channels: int, kind: str, seed: int) -> None:
    race.configure(seed=seed)
    for channels_last in (False, True):
        case = Case(kind, shape=(2, channels, 7, 6), size=(11, 6), dtype=np.float32, channels_last=channels_last)
        check(case, (case.forward_by_kernels(race),))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", ["box", "zoomed"])
def test_more_work_for_a_thread_gives_the_same_bits(race: ModuleType, kind: str, channels_last: bool) -> None:
    race.configure(seed=1)
    case = Case(kind, shape=(1, 68, 9, 8), size=(50, 11), repeats=1, dtype=np.float32, channels_last=channels_last)
    expected = case.forward_by_kernels(race)
    for enough in (0, 2, 5):
        same_bits(case.forward_by_kernels(race, enough), expected)


def placed(values: np.ndarray, start: int, pixel: int, row: int, image: int) -> np.ndarray:
    """A copy of (P, C, H, W) with these steps between pixels, rows and images, `start` elements behind 16 bytes."""
    images, channels, height, width = values.shape
    room = np.full(start + image * images + 16, np.nan, values.dtype)
    aligned = room[-(room.ctypes.data // values.itemsize) % (16 // values.itemsize) :]
    steps = [values.itemsize * step for step in (image, 1, row, pixel)]
    copy = np.lib.stride_tricks.as_strided(aligned[start:], (images, channels, height, width), steps)
    copy[:] = values
    return copy


PLACES = {
    "dense": (0, 8, 48, 336),
    "not at 16 bytes": (1, 8, 48, 336),
    "pixels apart": (0, 12, 72, 504),
    "odd pixels": (0, 9, 54, 378),
    "odd rows": (0, 8, 49, 344),
    "odd images": (0, 8, 48, 337),
}


@pytest.mark.parametrize("kind", ["box over the edge", "zoomed"])
@pytest.mark.parametrize("place", PLACES)
def test_images_that_are_not_aligned(race: ModuleType, plainest: ModuleType, place: str, kind: str) -> None:
    race.configure(seed=1)
    case = Case(kind, shape=(2, 8, 7, 6), dtype=np.float32, channels_last=True)
    expected = case.forward_by_kernels(plainest)
    case.input = placed(case.input, *PLACES[place])
    same_bits(case.forward_by_kernels(race), expected)


def test_rows_too_far_apart(plain: ModuleType) -> None:
    case = Case(shape=(1, 1, 2, 2), repeats=1)
    case.input = np.lib.stride_tricks.as_strided(case.input, case.shape, (8, 8, 8 << 30, 8))
    with pytest.raises(ValueError, match="rows and columns fewer than 2\\^30 elements apart"):
        case.forward_by_kernels(plain)


@pytest.mark.parametrize("build", ["plain", "race"])
@pytest.mark.parametrize("kind", ["box over the edge", "zoomed"])
@pytest.mark.parametrize("channels", [3, 8, 24])
def test_half_precision(emulated: Emulated, plain: ModuleType, channels: int, kind: str, build: str) -> None:
    """Storage in 16 bits, sums in float32: float32's results, rounded."""
    halves = emulated("affine_sample_in_half", build, *LEAN)
    for kernels in (halves, plain):
        kernels.configure(seed=1)
    for dtype, bits in ((torch.float16, np.uint16), (torch.bfloat16, np.int16)):
        for channels_last in (False, True):
            case = Case(kind, shape=(2, channels, 7, 6), size=(9, 5), dtype=np.float32, channels_last=channels_last)
            input, theta = (torch.from_numpy(value).to(dtype) for value in (case.input, case.theta))
            case.input, case.theta = input.float().numpy(), theta.float().numpy()
            expected = torch.from_numpy(np.ascontiguousarray(case.forward_by_kernels(plain))).to(dtype)
            case.input, case.theta = (value.view(torch.int16).numpy().view(bits) for value in (input, theta))
            found = torch.from_numpy(np.ascontiguousarray(case.forward_by_kernels(halves)).view(np.int16)).view(dtype)
            assert torch.equal(found, expected)


MEMORY = "out-of-bounds|global memory|bounds"
PLANTED = {
    "barrier after the block": (FORWARD, "  __syncthreads();\n", "", "race|nobody wrote"),
    "barrier after the tables": (FORWARD, "__syncthreads_and(inside_image)", "inside_image", "race|nobody wrote"),
    "last columns": (FORWARD, "if (j >= p.w || rows <= 0)", "if (rows <= 0)", f"race|{MEMORY}"),
    "last rows": (FORWARD, "if (j >= p.w || rows <= 0)", "if (j >= p.w)", f"race|nobody wrote|{MEMORY}"),
    "last channels": ("affine_sample/thread_channels.cuh", "end < p.C ? end : p.C", "end", MEMORY),
    "alignment": (CHANNELS, "% 16 == 0; };", "% 4 == 0; };", "misaligned"),
    "steps of rows": (CHANNELS, "p.row_stride % kMost == 0", "true", "misaligned"),
    "steps of images": (CHANNELS, "steps = steps && p.images.step[d].image % kMost == 0;", "{}", "misaligned"),
}


def take_every_path(kernels: ModuleType) -> None:
    for size in ((2, 130), (300, 2)):  # more columns, and rows, than a block has, and no multiple of them
        Case("box", shape=(1, 3, 7, 6), size=size, repeats=1).forward_by_kernels(kernels)
    for channels_last, kind in ((False, "zoomed"), (False, "box over the edge"), (True, "box around")):
        Case(kind, shape=(2, 3, 7, 6), size=(13, 9), channels_last=channels_last).forward_by_kernels(kernels)
    for place in PLACES.values():
        case = Case("box", shape=(2, 8, 7, 6), dtype=np.float32, channels_last=True)
        case.input = placed(case.input, *place)
        case.forward_by_kernels(kernels)


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, bug: str) -> None:
    *change, message = PLANTED[bug]
    kernels = emulated("affine_sample", "race", tuple(change), *LEAN)
    kernels.configure(seed=1)
    with pytest.raises(kernels.EmulatorError, match=message):
        take_every_path(kernels)


UPRIGHT = "affine_sample/upright.cuh"
WHOLE_COLUMNS = "inside(position.low, geometry.W) && inside(position.low + 1, geometry.W)"
WRONG = {
    "a row that is not the next": (UPRIGHT, "if (low == held + 1) {", "if (low > held) {"),
    "a row that is held": (UPRIGHT, "row != end && row->low == held", "row != end"),
    "half a vector": (CHANNELS, "memcpy(channels, &bits, sizeof bits);", "memcpy(channels, &bits, sizeof bits / 2);"),
    "whole columns of a box": (FORWARD, WHOLE_COLUMNS, "true"),
    "whole rows of a box": ("affine_sample/block.cuh", "position.low + 1 < p.H", "position.low < p.H"),
    "whole samples": ("affine_sample/position.cuh", "whole = whole && there[k];", "whole = whole || there[k];"),
}


def check_every_path(kernels: ModuleType) -> None:
    for kind in ("box around", "box over the last column", "box over the last row", "any"):
        for channels_last in (False, True):
            case = Case(kind, shape=(2, 8, 7, 6), size=(13, 9), channels_last=channels_last)
            check(case, (case.forward_by_kernels(kernels),))


@pytest.mark.parametrize("bug", WRONG)
def test_wrong_results_are_noticed(emulated: Emulated, bug: str) -> None:
    kernels = emulated("affine_sample", "race", WRONG[bug], *LEAN)
    kernels.configure(seed=1)
    with pytest.raises((AssertionError, kernels.EmulatorError)):
        check_every_path(kernels)


def test_right_results_are_not(race: ModuleType) -> None:
    race.configure(seed=1)
    check_every_path(race)
    take_every_path(race)
