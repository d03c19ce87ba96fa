"""dsr_distance against its floor and its rivals, per pair of pictures.

In each group the floor is the float32 matrix product X Y' that no exact method can do without; the rivals are SPAMS
(`spams.lasso`, LARS in C++), 100 iterations of FISTA batched in torch, and the ridge of fast-reid's DSR.

    pytest benchmarks/bench_dsr_distance.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import reidops
from reidops.reference import fista

from .features import feature_maps

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
SLOW = Case(2, 4, 16, 8, 2048)  # enough pairs for what takes milliseconds a pair


def maps(case: Case) -> tuple[Tensor, Tensor]:
    shape = case.height, case.width, case.channels
    return feature_maps(case.probes, *shape, seed=1), feature_maps(case.gallery, *shape, seed=2)


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
