"""dsr_distance against its floor and its rivals, per pair of pictures.

In each group the floor is the float32 matrix product X Y' that no exact method can do without; the rivals are SPAMS
(`spams.lasso`, LARS in C++), 100 iterations of FISTA batched in torch, and ridge pair by pair, as public code does it
(`pair_by_pair.py`), on a whole search: 300 partial probes, all of different sizes, in a gallery of 60.

    pytest benchmarks/bench_dsr_distance.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import reidops
from reidops.reference import fista

from .features import feature_maps, natural_maps
from .pair_by_pair import KAPPA, ridge_distances

BETA, TOLERANCE = 0.4, 1e-4


class Case(NamedTuple):
    probes: int
    gallery: int
    height: int
    width: int
    channels: int
    scales: tuple[int, ...] = (1,)

    @property
    def pairs(self) -> int:
        return self.probes * self.gallery


CASES = {
    "16x8x2048": Case(32, 64, 16, 8, 2048),
    "16x8x2048, scales 1 2 3": Case(8, 32, 16, 8, 2048, (1, 2, 3)),
    "8x4x512": Case(64, 128, 8, 4, 512),
    "8x4x192, the small model": Case(64, 128, 8, 4, 192),
}
SEARCH = Case(300, 60, 18, 9, 2048)  # the largest map's size
SEARCH_NAME = "300 x 60 of natural sizes"
SLOW = Case(2, 4, 16, 8, 2048)  # enough pairs for what takes milliseconds a pair


def maps(case: Case) -> tuple[Tensor, Tensor]:
    shape = case.height, case.width, case.channels
    return feature_maps(case.probes, *shape, seed=1), feature_maps(case.gallery, *shape, seed=2)


@cache
def search() -> tuple[list[Tensor], list[Tensor]]:
    """Maps of 300 crops of people, 3 to 16 locations tall and 2 to 8 wide, and of 60 whole people, around 16 x 8."""
    probe = natural_maps(SEARCH.probes, (3, 16), (2, 8), SEARCH.channels, seed=1)
    return probe, natural_maps(SEARCH.gallery, (14, 18), (7, 9), SEARCH.channels, seed=2)


def rows(feature_map: Tensor) -> Tensor:
    return feature_map.flatten(2).mT.flatten(0, 1).contiguous()


def measure(benchmark: Any, group: str, case: Case, run: Callable[[], Any], rounds: int = 7) -> None:
    benchmark.group = group
    benchmark.extra_info.update(pairs=case.pairs, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=1)


@pytest.mark.parametrize("name", CASES)
def test_floor_matrix_product(benchmark: Any, name: str) -> None:
    probe, gallery = (rows(side) for side in maps(CASES[name]))
    measure(benchmark, name, CASES[name], lambda: probe @ gallery.mT)


@pytest.mark.parametrize("name", CASES)
def test_dsr_distance(benchmark: Any, name: str) -> None:
    probe, gallery = maps(CASES[name])
    scales = CASES[name].scales
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_distance(probe, gallery, BETA, scales=scales))


@pytest.mark.parametrize("name", CASES)
def test_dsr_distance_ridge(benchmark: Any, name: str) -> None:
    probe, gallery = maps(CASES[name])
    scales = CASES[name].scales
    measure(
        benchmark,
        name,
        CASES[name],
        lambda: reidops.dsr_distance(probe, gallery, BETA, scales=scales, method="ridge"),
        rounds=3,
    )


@pytest.mark.parametrize("name", CASES)
def test_dsr_distance_forward_and_backward(benchmark: Any, name: str) -> None:
    case = CASES[name]._replace(probes=CASES[name].probes // 4, gallery=CASES[name].gallery // 4)
    probe, gallery = (side.requires_grad_() for side in maps(case))

    def run() -> None:
        reidops.dsr_distance(probe, gallery, BETA, scales=case.scales).mean().backward()

    measure(benchmark, name, case, run, rounds=3)


@pytest.mark.parametrize("name", ["16x8x2048"])
def test_fista_100_iterations(benchmark: Any, name: str) -> None:
    probe, gallery = maps(SLOW)
    x, y = rows(probe), gallery.flatten(2).mT

    def run() -> Tensor:
        correlation = x @ y.mT
        w = fista(y @ y.mT, correlation, BETA, iterations=100)
        return (x - w @ y).square().sum(-1)

    measure(benchmark, name, SLOW, run, rounds=5)


@pytest.mark.parametrize("name", ["16x8x2048"])
def test_spams_lasso(benchmark: Any, name: str) -> None:
    spams = pytest.importorskip("spams")
    import numpy as np

    probe, gallery = maps(SLOW)
    x = np.asfortranarray(rows(probe).mT.double().numpy())
    dictionaries = [np.asfortranarray(one.flatten(1).double().numpy()) for one in gallery]

    def run() -> None:  # mode 2: min 1/2 ||x - Dw||^2 + lambda1 |w|_1
        for dictionary in dictionaries:
            spams.lasso(x, D=dictionary, lambda1=BETA / 2, mode=2, numThreads=torch.get_num_threads())

    measure(benchmark, name, SLOW, run, rounds=5)


def test_floor_matrix_product_of_a_search(benchmark: Any) -> None:
    probe, gallery = (torch.cat([rows(one[None]) for one in side]) for side in search())
    product = torch.empty(len(probe), len(gallery))
    measure(benchmark, SEARCH_NAME, SEARCH, lambda: torch.mm(probe, gallery.mT, out=product), rounds=3)


def test_dsr_distance_of_a_search(benchmark: Any) -> None:
    probe, gallery = search()
    measure(benchmark, SEARCH_NAME, SEARCH, lambda: reidops.dsr_distance(probe, gallery, BETA), rounds=3)


def test_dsr_distance_ridge_of_a_search(benchmark: Any) -> None:
    probe, gallery = search()

    def run() -> Tensor:
        return reidops.dsr_distance(probe, gallery, KAPPA, method="ridge")

    measure(benchmark, SEARCH_NAME, SEARCH, run, rounds=3)


def test_ridge_pair_by_pair_of_a_search(benchmark: Any) -> None:
    probe, gallery = search()
    measure(benchmark, SEARCH_NAME, SEARCH, lambda: ridge_distances(probe, gallery), rounds=3)
