"""The CUDA kernel of depthwise_xcorr on the emulator, against torch's grouped convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from reidops import reference

Emulated = Callable[..., ModuleType]

OP = "depthwise_xcorr"
DTYPES = [np.float32, np.float64, np.float16]


@dataclass
class Case:
    """Maps (*search, C, H, W) and templates (*template, C, kh, kw), padded as "same" unless said otherwise."""

    search: tuple[int, int] = (2, 1)
    template: tuple[int, int] = (2, 3)
    channels: int = 3
    size: tuple[int, int] = (9, 7)
    taps: tuple[int, int] = (4, 3)
    before: tuple[int, int] | None = None
    out: tuple[int, int] | None = None
    turned: bool = False
    summed: bool = False
    channels_last: bool = False
    far_channels: bool = False
    dtype: type = np.float64
    maps: np.ndarray = field(init=False)
    templates: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        self.before = self.before or ((self.taps[0] - 1) // 2, (self.taps[1] - 1) // 2)
        self.out = self.out or self.size
        self.maps = random.standard_normal((*self.search, self.channels, *self.size)).astype(self.dtype)
        self.templates = random.standard_normal((*self.template, self.channels, *self.taps)).astype(self.dtype)

    def laid_out(self) -> tuple[np.ndarray, np.ndarray]:
        maps, templates = self.maps, self.templates
        if self.channels_last:
            maps, templates = (
                np.moveaxis(np.ascontiguousarray(np.moveaxis(value, 2, -1)), -1, 2) for value in (maps, templates)
            )
        if self.far_channels:  # one of them, so that no stride is followed
            maps, templates = (
                np.lib.stride_tricks.as_strided(value, strides=(*value.strides[:2], 1 << 33, *value.strides[3:]))
                for value in (maps, templates)
            )
        return maps, templates

    def by_kernel(self, kernels: ModuleType, **options: Any) -> np.ndarray:
        maps, templates = (self.bits(value) for value in self.laid_out())
        found = kernels.correlate(maps, templates, *self.before, *self.out, self.turned, self.summed, **options)
        return found.view(np.float16) if self.dtype == np.float16 else found

    def tiling(self, kernels: ModuleType, **options: Any) -> dict[str, Any]:
        maps, templates = (self.bits(value) for value in self.laid_out())
        return kernels.tiling(maps, templates, *self.before, *self.out, self.turned, self.summed, **options)

    @staticmethod
    def bits(value: np.ndarray) -> np.ndarray:
        """What the kernels take: float16 by its bits, which view() gives where columns lie side by side alone."""
        if value.dtype != np.float16:
            return value
        return np.lib.stride_tricks.as_strided(value.ravel(order="K").view(np.uint16), value.shape, value.strides)

    def by_torch(self) -> np.ndarray:
        maps, templates = (torch.from_numpy(value).double() for value in (self.maps, self.templates))
        batch = list(torch.broadcast_shapes(maps.shape[:2], templates.shape[:2]))
        if self.summed:
            batch[0] = 1
        return reference.depthwise_xcorr(maps, templates, *self.before, *self.out, self.turned, batch).numpy()


def check(case: Case, found: np.ndarray) -> None:
    expected = case.by_torch()
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    tolerance = {np.float16: 2**-11 + 1e-5, np.float32: 1e-5, np.float64: 1e-13}[case.dtype]
    np.testing.assert_allclose(found.astype(np.float64) / scale, expected / scale, rtol=0, atol=tolerance)


SHAPES: dict[str, dict[str, Any]] = {
    "one pixel": {"size": (1, 1), "taps": (1, 1)},
    "template larger than the map": {"size": (3, 2), "taps": (7, 9)},
    "more channels than a block": {"channels": 70, "size": (3, 5)},
    "more rows than a tile": {"channels": 1, "size": (70, 5), "taps": (5, 2), "template": (1, 1)},
    "more columns than a tile": {"channels": 2, "size": (4, 67), "taps": (2, 5), "template": (1, 1)},
    "more taps than fit": {"channels": 1, "size": (6, 5), "taps": (41, 37), "template": (1, 1)},
    "a template's gradient": {"size": (40, 15), "taps": (40, 15), "before": (4, 4), "out": (10, 10), "channels": 2},
    "a map's gradient": {"taps": (10, 10), "before": (5, 5), "size": (20, 8), "turned": True, "summed": True},
    "few outputs": {"size": (10, 5), "taps": (10, 5), "before": (1, 1), "out": (3, 3), "channels": 2},
    "valid": {"before": (0, 0), "out": (6, 5)},
    "all zeros around": {"before": (9, 9), "out": (24, 22)},
    "one map for all": {"search": (1, 1), "template": (2, 5)},
    "one template for all": {"search": (2, 5), "template": (1, 1)},
    "3 x 3": {"taps": (3, 3), "size": (17, 9)},
    "3 x 3, even columns": {"taps": (3, 3), "size": (19, 8), "channels": 4, "before": (1, 0), "out": (19, 8)},
    "5 x 5": {"taps": (5, 5), "size": (20, 8), "channels": 5},
    "5 x 5, taps in fours": {"taps": (5, 5), "size": (20, 8), "channels": 8},
    "7 x 7": {"taps": (7, 7), "size": (10, 6)},
    "10 x 10": {"taps": (10, 10), "size": (9, 12), "template": (2, 2)},
    "5 x 5, turned": {"taps": (5, 5), "size": (8, 5), "turned": True, "summed": True},
    "strides of 64 bits": {"channels": 1, "far_channels": True, "taps": (5, 5)},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_torch(plain: ModuleType, shape: str, channels_last: bool, dtype: type) -> None:
    plain.configure(seed=2)
    case = Case(**SHAPES[shape], channels_last=channels_last, dtype=dtype)
    check(case, case.by_kernel(plain))


def test_shapes_take_every_path(plain: ModuleType) -> None:
    tilings = [Case(**shape, dtype=np.float32).tiling(plain, enough=1) for shape in SHAPES.values()]
    for name, values in {
        "square": {0, 3, 5, 7, 10},
        "rows": {8, 10},
        "vector": {1, 2},
        "paired": {False, True},
        "linear_taps": {False, True},
        "buffers": {1, 2},
        "wide": {False, True},
    }.items():
        assert {tiling[name] for tiling in tilings} == values
    for name in ("parts", "tile_rows", "tile_columns", "chunks", "together"):
        assert max(tiling[name] for tiling in tilings) > 1


@pytest.mark.parametrize("shape", ["one map for all", "5 x 5", "a map's gradient"])
def test_more_blocks_than_a_launch_may_have(plain: ModuleType, shape: str) -> None:
    case = Case(**SHAPES[shape], dtype=np.float32)
    np.testing.assert_array_equal(case.by_kernel(plain, most=1), case.by_kernel(plain))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("shape", ["one map for all", "5 x 5, turned", "3 x 3, even columns", "valid", "few outputs"])
def test_no_race(race: ModuleType, shape: str, dtype: type, seed: int) -> None:
    race.configure(seed=seed)
    case = Case(**SHAPES[shape], dtype=dtype)
    for enough in (1, 1000):
        check(case, case.by_kernel(race, enough=enough))


def test_chunks_of_taps_without_a_race(race: ModuleType) -> None:
    race.configure(seed=3)
    case = Case(search=(1, 1), template=(1, 2), channels=1, size=(4, 3), taps=(34, 33), dtype=np.float32)
    check(case, case.by_kernel(race))


def test_every_order_of_threads_and_blocks_gives_the_same_bits(plain: ModuleType) -> None:
    case = Case(dtype=np.float32, size=(20, 8), taps=(5, 5), channels=12)
    plain.configure(seed=0)
    expected = case.by_kernel(plain)
    for seed in (1, 2, 3):
        plain.configure(seed=seed)
        for enough in (1, 1000):
            np.testing.assert_array_equal(case.by_kernel(plain, enough=enough), expected)


@pytest.mark.parametrize("empty", [{"search": (0, 1), "template": (1, 1)}, {"channels": 0}])
def test_nothing_to_do(plain: ModuleType, empty: dict[str, Any]) -> None:
    case = Case(**empty)
    assert case.by_kernel(plain).shape == case.by_torch().shape


def test_a_sum_over_nothing_is_zero(plain: ModuleType) -> None:
    case = Case(search=(0, 1), template=(1, 2), summed=True)
    np.testing.assert_array_equal(case.by_kernel(plain), 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_stays_where_it_is_looked_at(plain: ModuleType, dtype: type) -> None:
    """A thread has two columns, and taps are gone through in pieces; none beyond the template may touch a pixel."""
    for taps in ((3, 3), (4, 3), (5, 2), (6, 4), (35, 3)):
        case = Case(search=(1, 1), template=(1, 1), channels=1, size=(40, 9), taps=taps, dtype=dtype)
        case.maps[0, 0, 0, 20, 4] = np.nan
        rows, columns = ((k - 1) // 2 for k in taps)
        seen = np.zeros((40, 9), dtype=bool)
        first_row, first_column = 20 + rows - taps[0] + 1, 4 + columns - taps[1] + 1
        seen[max(0, first_row) : first_row + taps[0], max(0, first_column) : first_column + taps[1]] = True
        np.testing.assert_array_equal(np.isnan(case.by_kernel(plain)[0, 0, 0]), seen)


BENCHMARKS = {
    "level 2": {"search": (1, 1), "template": (1, 3), "channels": 4, "size": (40, 15), "taps": (10, 10)},
    "level 3": {"search": (1, 1), "template": (1, 3), "channels": 16, "size": (20, 8), "taps": (5, 5)},
    "tracker": {"search": (1, 1), "template": (1, 1), "channels": 4, "size": (29, 29), "taps": (5, 5)},
    "tracker, 25": {"search": (1, 1), "template": (1, 1), "channels": 4, "size": (25, 25), "taps": (5, 5)},
}


# Where an odd number of rows of pixels leaves two of them over, eight bytes: lanes are multiples of 16 bytes apart, so
# that the banks of eight lanes are all there are, and it takes the wavefronts of 16 bytes, four.
TAPS = (Path(__file__).parents[2] / "csrc/depthwise_xcorr/taps.cuh").read_text().splitlines()
LEFT_OVER = {f"taps.cuh:{line}" for line, text in enumerate(TAPS, 1) if "(from + kWhole)" in text}


def wavefronts_of_the_inner_loop(kernels: ModuleType, case: Case) -> tuple[int, int]:
    """Of all reads of pixels and taps: wavefronts, and how few there could be."""
    kernels.configure(seed=0, count_banks=True)
    check(case, case.by_kernel(kernels, enough=1))
    reads = [row for row in kernels.wavefronts() if "taps.cuh" in row[0] and not row[2]]
    assert {row[1] for row in reads} >= {16}  # two columns of two rows of pixels
    fewest = [4 * row[3] if row[0].removeprefix(" at ") in LEFT_OVER else row[5] for row in reads]
    return sum(row[4] for row in reads), sum(fewest)


@pytest.mark.parametrize("shape", BENCHMARKS)
def test_no_bank_conflicts(race: ModuleType, shape: str) -> None:
    """One block of the benchmarks' shapes; its channels are those that a block has there."""
    case = Case(**BENCHMARKS[shape], dtype=np.float32)
    assert case.tiling(race, enough=1)["blocks"] == 1
    wavefronts, fewest = wavefronts_of_the_inner_loop(race, case)
    assert wavefronts == fewest


PLANTED = {
    "first barrier": ("square", "        __syncthreads();  // what was in shared memory has been used\n", "", "race"),
    "second barrier": (
        "square",
        "      wait_for_copies();\n      __syncthreads();\n",
        "      wait_for_copies();\n",
        "race|nobody wrote",
    ),
    "wait": ("square", "      wait_for_copies();\n", "", "asynchronous copy"),
    "buffer": ("square", "taps + (s.buffer - buffer)", "taps + buffer", "asynchronous copy race|write-after-read"),
    "last rows": (  # in a map that ends there: another thread's row, or none
        "store",
        "if (k < rows) store",
        "if (k < rows + 1) store",
        "write-after-write|out-of-bounds",
    ),
    "outside the map": (
        "load",
        "static_cast<Unsigned>(place) < static_cast",
        "static_cast<Unsigned>(place) <= static_cast",
        "out-of-bounds|global memory|bounds",
    ),
    "sums of parts": ("any_size", "  __syncthreads();  // the last taps have been used\n", "", "race"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    file, old, new, message = PLANTED[place]
    kernels = emulated("depthwise_xcorr_few", "race", (f"depthwise_xcorr/{file}.cuh", old, new))
    kernels.configure(seed=1)
    shape: dict[str, Any] = {"template": (1, 2), "taps": (3, 3), "size": (6, 7)}
    if place == "first barrier":  # the second product of a sum comes where the first has been
        shape |= {"search": (2, 1), "template": (2, 1), "summed": True}
    if place == "sums of parts":
        shape = SHAPES["few outputs"]
    with pytest.raises(kernels.EmulatorError, match=message):
        Case(**{"search": (1, 1), **shape}, dtype=np.float32).by_kernel(kernels, enough=1)


def test_a_product_with_no_tap_is_noticed(emulated: Emulated) -> None:
    change = ("depthwise_xcorr/taps.cuh", "    if (c == columns) break;\n", "    if (c > columns) break;\n")
    changed = emulated("depthwise_xcorr_few", "plain", change)
    with pytest.raises(AssertionError):
        test_what_is_not_finite_stays_where_it_is_looked_at(changed, np.float32)


def test_bank_conflicts_are_noticed(emulated: Emulated) -> None:
    change = (
        "depthwise_xcorr/tiling.cuh",
        "(ceil_of(kColumns * map_h, kFour) | 1);",
        "ceil_of(kColumns * map_h, 8) * 2;",
    )
    case = Case(search=(1, 1), template=(1, 1), channels=4, size=(24, 15), taps=(3, 3), dtype=np.float32)
    few, changed = emulated("depthwise_xcorr_few", "race"), emulated("depthwise_xcorr_few", "race", change)
    wavefronts, fewest = wavefronts_of_the_inner_loop(few, case)
    assert wavefronts == fewest
    wavefronts, fewest = wavefronts_of_the_inner_loop(changed, case)
    assert wavefronts > fewest
