"""The CUDA kernel of depthwise_xcorr on the emulator, against torch's grouped convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from reidops import reference

Emulated = Callable[..., ModuleType]
DTYPES = [np.float32, np.float64]


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
    dtype: type = np.float64
    maps: np.ndarray = field(init=False)
    templates: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        self.before = self.before or ((self.taps[0] - 1) // 2, (self.taps[1] - 1) // 2)
        self.out = self.out or self.size
        self.maps = random.standard_normal((*self.search, self.channels, *self.size)).astype(self.dtype)
        self.templates = random.standard_normal((*self.template, self.channels, *self.taps)).astype(self.dtype)

    def by_kernel(self, kernels: ModuleType, **options: Any) -> np.ndarray:
        maps, templates = self.maps, self.templates
        if self.channels_last:
            maps, templates = (
                np.moveaxis(np.ascontiguousarray(np.moveaxis(value, 2, -1)), -1, 2) for value in (maps, templates)
            )
        return kernels.correlate(maps, templates, *self.before, *self.out, self.turned, self.summed, **options)

    def by_torch(self) -> np.ndarray:
        maps, templates = torch.from_numpy(self.maps), torch.from_numpy(self.templates)
        batch = list(torch.broadcast_shapes(maps.shape[:2], templates.shape[:2]))
        if self.summed:
            batch[0] = 1
        return reference.depthwise_xcorr(maps, templates, *self.before, *self.out, self.turned, batch).numpy()


def check(case: Case, found: np.ndarray) -> None:
    expected = case.by_torch()
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    tolerance = 1e-5 if case.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def plain(emulated: Emulated) -> ModuleType:
    return emulated("depthwise_xcorr", "plain")


@pytest.fixture(scope="module")
def race(emulated: Emulated) -> ModuleType:
    return emulated("depthwise_xcorr", "race")


SHAPES: dict[str, dict[str, Any]] = {
    "one pixel": {"size": (1, 1), "taps": (1, 1)},
    "template larger than the map": {"size": (3, 2), "taps": (7, 9)},
    "more channels than a block": {"channels": 70, "size": (3, 5)},
    "more rows than a tile": {"channels": 1, "size": (70, 5), "taps": (5, 2), "template": (1, 1)},
    "more columns than a tile": {"channels": 2, "size": (4, 67), "taps": (2, 5), "template": (1, 1)},
    "more taps than fit": {"channels": 1, "size": (6, 5), "taps": (41, 37), "template": (1, 1)},
    "a template's gradient": {"size": (40, 15), "taps": (40, 15), "before": (4, 4), "out": (10, 10), "channels": 2},
    "a map's gradient": {"taps": (10, 10), "before": (5, 5), "size": (20, 8), "turned": True, "summed": True},
    "valid": {"before": (0, 0), "out": (6, 5)},
    "all zeros around": {"before": (9, 9), "out": (24, 22)},
    "one map for all": {"search": (1, 1), "template": (2, 5)},
    "one template for all": {"search": (2, 5), "template": (1, 1)},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_torch(plain: ModuleType, shape: str, channels_last: bool, dtype: type) -> None:
    plain.configure(seed=2)
    case = Case(**SHAPES[shape], channels_last=channels_last, dtype=dtype)
    check(case, case.by_kernel(plain))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", ["one map for all", "a map's gradient", "valid"])
def test_no_race(race: ModuleType, shape: str, seed: int) -> None:
    race.configure(seed=seed)
    case = Case(**SHAPES[shape])
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


def test_what_is_not_finite_stays_where_it_is_looked_at(plain: ModuleType) -> None:
    """Taps are read four at a time and in chunks; none beyond the template may touch a pixel."""
    for taps in ((3, 3), (5, 2), (35, 3)):
        case = Case(search=(1, 1), template=(1, 1), channels=1, size=(40, 9), taps=taps)
        case.maps[0, 0, 0, 20, 4] = np.nan
        rows, columns = ((k - 1) // 2 for k in taps)
        seen = np.zeros((40, 9), dtype=bool)
        first_row, first_column = 20 + rows - taps[0] + 1, 4 + columns - taps[1] + 1
        seen[max(0, first_row) : first_row + taps[0], max(0, first_column) : first_column + taps[1]] = True
        np.testing.assert_array_equal(np.isnan(case.by_kernel(plain)[0, 0, 0]), seen)


PLANTED = {
    "first barrier": ("            __syncthreads();  // the last taps have been used\n", "", "race"),
    "second barrier": (
        "            __syncthreads();\n            if (channel < tile.channels)",
        "            if (channel < tile.channels)",
        "race|nobody wrote",
    ),
    "last rows": ("if (y < p.h) narrow", "if (y < p.h + 1) narrow", "out-of-bounds|global memory|bounds"),
    "outside the map": ("x >= 0 && x < p.W;", "x >= 0 && x <= p.W;", "out-of-bounds|global memory|bounds"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    old, new, message = PLANTED[place]
    kernels = emulated("depthwise_xcorr", "race", ("depthwise_xcorr/depthwise_xcorr.cuh", old, new))
    kernels.configure(seed=1)
    with pytest.raises(kernels.EmulatorError, match=message):
        Case(search=(1, 1), template=(1, 2), channels=1).by_kernel(kernels, enough=1)


def test_a_product_with_no_tap_is_noticed(emulated: Emulated) -> None:
    change = ("depthwise_xcorr/depthwise_xcorr.cuh", "if (i + u + v >= rows) break;", "")
    with pytest.raises(AssertionError):
        test_what_is_not_finite_stays_where_it_is_looked_at(emulated("depthwise_xcorr", "plain", change))
