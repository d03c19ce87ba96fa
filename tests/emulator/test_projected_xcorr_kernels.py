"""The CUDA kernel of projected_xcorr on the emulator, against correlation, pooling and a product in torch."""

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

OP = "projected_xcorr"
DTYPES = [np.float32, np.float64]
MANY = 10**6  # blocks that no case has: every tile is as small as can be


@dataclass
class Case:
    """Maps (*search, C, H, W) and templates (*template, T, C, kh, kw), padded as "same" unless said otherwise."""

    search: tuple[int, int] = (2, 1)
    template: tuple[int, int] = (1, 2)
    channels: int = 3
    templates: int = 3
    outputs: int = 5
    size: tuple[int, int] = (9, 7)
    taps: tuple[int, int] = (4, 3)
    before: tuple[int, int] | None = None
    out: tuple[int, int] | None = None
    pooled: bool = False
    channels_last: bool = False
    dtype: type = np.float64
    maps: np.ndarray = field(init=False)
    parts: np.ndarray = field(init=False)
    weight: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        self.before = self.before or ((self.taps[0] - 1) // 2, (self.taps[1] - 1) // 2)
        self.out = self.out or self.size
        self.maps = random.standard_normal((*self.search, self.channels, *self.size)).astype(self.dtype)
        parts = (*self.template, self.templates, self.channels, *self.taps)
        self.parts = random.standard_normal(parts).astype(self.dtype)
        self.weight = random.standard_normal((self.channels, self.templates, self.outputs)).astype(self.dtype)

    def by_kernel(self, kernels: ModuleType, name: str = "project", **options: Any) -> np.ndarray:
        maps, parts = self.maps, self.parts
        if self.channels_last:
            maps, parts = (
                np.moveaxis(np.ascontiguousarray(np.moveaxis(value, -3, -1)), -1, -3) for value in (maps, parts)
            )
        return getattr(kernels, name)(maps, parts, self.weight, *self.before, *self.out, self.pooled, **options)

    def by_torch(self) -> np.ndarray:
        maps, parts, weight = (torch.from_numpy(value) for value in (self.maps, self.parts, self.weight))
        batch = list(torch.broadcast_shapes(maps.shape[:2], parts.shape[:2]))
        weight = weight.permute(2, 1, 0)
        return reference.projected_xcorr(maps, parts, weight, *self.before, *self.out, self.pooled, batch).numpy()


def check(case: Case, found: np.ndarray) -> None:
    expected = case.by_torch()
    assert found.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    tolerance = 1e-5 if case.dtype == np.float32 else 1e-13
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


SHAPES: dict[str, dict[str, Any]] = {
    "one pixel, one of all": {"size": (1, 1), "taps": (1, 1), "channels": 1, "templates": 1, "outputs": 1},
    "one template": {"templates": 1},
    "two templates": {"templates": 2},
    "five templates, one output": {"templates": 5, "outputs": 1},
    "template larger than the map": {"size": (3, 2), "taps": (7, 9)},
    "more channels than a step": {"channels": 70, "size": (3, 5), "template": (1, 1)},
    "more templates than a step": {"templates": 75, "size": (20, 31), "channels": 2, "template": (1, 1)},
    "more rows than a tile": {"size": (45, 5), "taps": (5, 2), "template": (1, 1)},
    "more columns than a tile": {"channels": 2, "size": (4, 67), "taps": (2, 5), "template": (1, 1)},
    "more outputs than a block": {"outputs": 131, "size": (5, 4), "template": (1, 1)},
    "more taps than fit": {"channels": 2, "size": (6, 5), "taps": (21, 18), "templates": 4, "template": (1, 1)},
    "tall templates": {"channels": 2, "size": (30, 9), "taps": (14, 3)},
    "level 2": {"channels": 6, "size": (40, 15), "taps": (10, 10), "outputs": 32, "template": (1, 1)},
    "level 3": {"channels": 14, "size": (20, 8), "taps": (5, 5), "outputs": 32, "template": (1, 1)},
    "valid": {"before": (0, 0), "out": (6, 5)},
    "all zeros around": {"before": (9, 9), "out": (24, 22), "template": (1, 1)},
    "one map for all": {"search": (1, 1), "template": (2, 5)},
    "one template for all": {"search": (2, 5), "template": (1, 1)},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_torch(plain: ModuleType, shape: str, pooled: bool, dtype: type) -> None:
    plain.configure(seed=2)
    for channels_last in (False, True):
        case = Case(**SHAPES[shape], pooled=pooled, channels_last=channels_last, dtype=dtype)
        check(case, case.by_kernel(plain))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("shape", ["one map for all", "one template", "two templates", "valid", "tall templates"])
def test_no_race(race: ModuleType, shape: str, pooled: bool, seed: int) -> None:
    race.configure(seed=seed)
    case = Case(**SHAPES[shape], pooled=pooled, dtype=DTYPES[seed % 2])
    for enough in (1, MANY):
        check(case, case.by_kernel(race, enough=enough))


@pytest.mark.parametrize(
    "options",
    [
        {"size": (6, 5), "taps": (21, 18), "templates": 4},
        {"size": (3, 5), "channels": 41},
        {"size": (20, 31), "templates": 75},
        {"size": (12, 35), "outputs": 17},
        {"size": (3, 2), "outputs": 131},
    ],
    ids=["pieces of taps", "steps of channels", "steps of templates", "tiles", "chunks of outputs"],
)
def test_many_steps_without_a_race(race: ModuleType, options: dict[str, Any]) -> None:
    race.configure(seed=3)
    case = Case(search=(1, 1), template=(1, 1), **{"channels": 2, **options}, pooled=True, dtype=np.float32)
    check(case, case.by_kernel(race))


@pytest.mark.parametrize("pooled", [False, True])
def test_every_order_of_threads_and_every_tile_give_the_same_bits(plain: ModuleType, pooled: bool) -> None:
    case = Case(dtype=np.float32, size=(40, 15), taps=(7, 5), channels=12, outputs=9, pooled=pooled)
    plain.configure(seed=0)
    expected = case.by_kernel(plain, enough=1)
    for seed in (1, 2, 3):
        plain.configure(seed=seed)
        for enough in (1, 10, MANY):
            np.testing.assert_array_equal(case.by_kernel(plain, enough=enough), expected)


def test_a_pair_has_the_same_bits_alone_and_among_others(plain: ModuleType) -> None:
    case = Case(dtype=np.float32, search=(3, 1), template=(1, 2), size=(20, 8), taps=(5, 5), channels=9, outputs=8)
    together = case.by_kernel(plain, enough=7)
    alone = Case(dtype=np.float32, search=(1, 1), template=(1, 1), size=(20, 8), taps=(5, 5), channels=9, outputs=8)
    alone.maps, alone.parts, alone.weight = case.maps[2:], case.parts[:, 1:], case.weight
    np.testing.assert_array_equal(alone.by_kernel(plain, enough=7)[0, 0], together[2, 1])


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_types(emulated: Emulated, name: str) -> None:
    """numpy has no bfloat16: both are handed over as their bits."""
    kernels = emulated("projected_xcorr_half", "plain")
    dtype = getattr(torch, name)
    case = Case(channels=9, taps=(5, 5), size=(12, 9), outputs=6, pooled=True, dtype=np.float32)
    rounded = [torch.from_numpy(value).to(dtype) for value in (case.maps, case.parts, case.weight)]
    case.maps, case.parts, case.weight = (value.double().numpy() for value in rounded)
    exact = case.by_torch()
    case.maps, case.parts, case.weight = (value.view(torch.int16).numpy().view(np.uint16) for value in rounded)
    found = torch.from_numpy(case.by_kernel(kernels, f"project_{name}").view(np.int16)).view(dtype)
    bound = torch.finfo(dtype).eps * float(np.abs(exact).max())
    assert float((found.double() - torch.from_numpy(exact)).abs().max()) <= bound


@pytest.mark.parametrize("empty", [{"search": (0, 1)}, {"channels": 0}, {"outputs": 0}])
def test_nothing_to_do(plain: ModuleType, empty: dict[str, Any]) -> None:
    case = Case(**empty)
    found = case.by_kernel(plain)
    assert found.shape == case.by_torch().shape
    np.testing.assert_array_equal(found, 0)


def check_not_finite(kernels: ModuleType) -> None:
    for taps in ((3, 3), (5, 2), (7, 3), (18, 3)):
        for pooled in (False, True):
            case = Case(search=(1, 1), template=(1, 1), channels=2, size=(41, 9), taps=taps, pooled=pooled)
            case.maps[0, 0, 1, 20, 4] = np.nan
            expected = np.isnan(case.by_torch())
            assert expected.any()
            assert not expected.all()
            np.testing.assert_array_equal(np.isnan(case.by_kernel(kernels)), expected)


def check_edges(kernels: ModuleType) -> None:
    case = Case(size=(9, 7), pooled=True)  # both odd
    check(case, case.by_kernel(kernels))
    check_not_finite(kernels)


def test_what_is_not_finite_stays_where_it_is_looked_at(plain: ModuleType) -> None:
    """Taps are read five at a time, in columns of ten and in pieces; none beyond the template may touch a pixel."""
    check_not_finite(plain)


def test_a_maximum_of_nan_is_nan_wherever_it_lies(plain: ModuleType) -> None:
    for row in (0, 1, 2):
        for column in (0, 1, 2):
            case = Case(search=(1, 1), template=(1, 1), channels=1, size=(3, 3), taps=(1, 1), pooled=True)
            case.maps[0, 0, 0, row, column] = np.nan
            expected = np.zeros((2, 2), dtype=bool)
            expected[row // 2, column // 2] = True
            found = np.isnan(case.by_kernel(plain)[0, 0])
            np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


LEVELS = {
    "level 2": {"channels": 96, "h": 40, "w": 15, "kh": 10, "kw": 10, "templates": 3, "outputs": 32, "pooled": True},
    "level 3": {"channels": 96, "h": 20, "w": 8, "kh": 5, "kw": 5, "templates": 3, "outputs": 32, "pooled": False},
}


@pytest.mark.parametrize("level", LEVELS)
def test_how_csn_is_cut(plain: ModuleType, level: str) -> None:
    """With many pairs a block has a whole pair; with few there are more blocks, of all outputs still."""
    cut = {pairs: plain.tiling(pairs=pairs, **LEVELS[level]) for pairs in (1, 32, 2048)}
    for pairs, found in cut.items():
        print(f"\n{level}, {pairs} pairs:", found)  # for docs/gpu/projected_xcorr.md
        assert found["chunks"] == 1
    assert cut[2048]["blocks"] == 2048
    assert cut[32]["blocks"] >= 4 * 32
    assert cut[1]["blocks"] >= 4


PLANTED = {
    "barrier after loading": (
        "__syncthreads();  // maps and taps are there; nobody needs the last step's planes and weights\n",
        "",
        "race|nobody wrote|on its way",
    ),
    "wait after loading": (
        "      wait_for_copies();\n      __syncthreads();  // maps and taps",
        "      __syncthreads();  // maps and taps",
        "race|nobody wrote|on its way",
    ),
    "barrier between pieces": ("__syncthreads();  // the last piece has been used\n", "", "race|nobody wrote"),
    "barrier before the product": (
        "__syncthreads();  // planes and weights are there; nobody needs this step's maps and taps\n",
        "",
        "race|nobody wrote|on its way",
    ),
    "last rows": ("top + row >= p.ph || ", "", "out-of-bounds|global memory|bounds"),
    "last columns": (" || left + column >= p.pw", "", "out-of-bounds|global memory|bounds|race"),
    "outputs beyond the last": ("if (output + o < p.O) narrow", "narrow", "out-of-bounds|global memory|bounds|race"),
    "columns beyond the tile": (" && x < s.tile_w;", ";", "race|nobody|bounds"),
    "no margins": ("  shared.clear_margins(s);\n", "", "nobody wrote"),
}


@pytest.mark.parametrize("place", PLANTED)
def test_planted_bugs_are_caught(emulated: Emulated, place: str) -> None:
    old, new, message = PLANTED[place]
    kernels = emulated("projected_xcorr", "race", ("projected_xcorr/projected_xcorr.cuh", old, new))
    kernels.configure(seed=1)
    case = Case(search=(1, 1), template=(1, 1), channels=41, size=(43, 33), outputs=9, taps=(17, 2), pooled=True)
    with pytest.raises(kernels.EmulatorError, match=message):
        case.by_kernel(kernels, enough=1)  # tiles as large as can be: 18 of 33 columns, in 32 lanes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("if (i + u + v < rows) add(i + u + v, u + v);", "add(i + u + v, u + v);"),
        ("if (y + k + 1 < Index(p.maps.h)) score", "score"),
        ("if (right) score", "score"),
    ],
    ids=["product with no tap", "row below the last", "column beyond the last"],
)
def test_a_pixel_that_is_no_ones_is_noticed(emulated: Emulated, old: str, new: str) -> None:
    kernels = emulated("projected_xcorr", "plain", ("projected_xcorr/projected_xcorr.cuh", old, new))
    with pytest.raises(AssertionError):
        check_edges(kernels)
