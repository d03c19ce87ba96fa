"""A standing gallery: probes against maps, against what `prepare_gallery` made of them, shortlists and the nearest ten.

The features need about twenty atoms a column (`features.dense_maps`). In each group the floor is the float32 matrix
product X Y' of the same pairs; "a loop of shortlists" is what one would write without `candidates=`, a call per probe.

    pytest benchmarks/bench_gallery.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import reidops

from .bench_dsr_distance import Case, measure, rows
from .features import dense_maps

BETA = 0.4
CASES = {
    "1 probe, 24 images of 16x8x2048": Case(1, 24, 16, 8, 2048),
    "8 probes, 24 images of 16x8x2048": Case(8, 24, 16, 8, 2048),
    "24 probes, 24 images of 16x8x2048": Case(24, 24, 16, 8, 2048),
}
LISTED = 6  # candidates of each probe
SHORTLISTS = f"{LISTED} candidates of each of 24 probes"


@cache
def maps(case: Case) -> tuple[Tensor, Tensor]:
    shape = case.height, case.width, case.channels
    return dense_maps(case.probes, *shape, seed=1), dense_maps(case.gallery, *shape, seed=2)


@pytest.mark.parametrize("name", CASES)
def test_floor_matrix_product(benchmark: Any, name: str) -> None:
    probe, gallery = (rows(side) for side in maps(CASES[name]))
    measure(benchmark, name, CASES[name], lambda: probe @ gallery.mT)


@pytest.mark.parametrize("name", CASES)
def test_against_maps(benchmark: Any, name: str) -> None:
    probe, gallery = maps(CASES[name])
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_distance(probe, gallery, BETA))


@pytest.mark.parametrize("name", CASES)
def test_against_a_prepared_gallery(benchmark: Any, name: str) -> None:
    probe, gallery = maps(CASES[name])
    dictionaries = reidops.prepare_gallery(gallery, beta=BETA)
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_distance(probe, dictionaries))


@pytest.mark.parametrize("name", CASES)
def test_against_bfloat16_maps(benchmark: Any, name: str) -> None:
    probe, gallery = (side.bfloat16() for side in maps(CASES[name]))
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_distance(probe, gallery, BETA))


@pytest.mark.parametrize("name", CASES)
def test_against_a_prepared_gallery_in_bfloat16(benchmark: Any, name: str) -> None:
    probe, gallery = (side.bfloat16() for side in maps(CASES[name]))
    dictionaries = reidops.prepare_gallery(gallery, beta=BETA)
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_distance(probe, dictionaries))


@pytest.mark.parametrize("name", CASES)
def test_nearest_ten(benchmark: Any, name: str) -> None:
    probe, gallery = maps(CASES[name])
    dictionaries = reidops.prepare_gallery(gallery, beta=BETA)
    measure(benchmark, name, CASES[name], lambda: reidops.dsr_topk(probe, dictionaries, 10))


def shortlists() -> tuple[Tensor, Tensor, Tensor, Case]:
    case = CASES["24 probes, 24 images of 16x8x2048"]
    chosen = torch.rand(case.probes, case.gallery, generator=torch.Generator().manual_seed(0)).argsort(1)[:, :LISTED]
    return *maps(case), chosen, case._replace(gallery=LISTED)


def test_floor_matrix_product_of_as_many_pairs(benchmark: Any) -> None:
    probe, gallery, _, case = shortlists()
    x, y = rows(probe), rows(gallery[:LISTED])
    measure(benchmark, SHORTLISTS, case, lambda: x @ y.mT)


def test_a_block_of_as_many_pairs(benchmark: Any) -> None:
    probe, gallery, _, case = shortlists()
    dictionaries = reidops.prepare_gallery(gallery[:LISTED], beta=BETA)
    measure(benchmark, SHORTLISTS, case, lambda: reidops.dsr_distance(probe, dictionaries))


def test_candidates(benchmark: Any) -> None:
    probe, gallery, chosen, case = shortlists()
    dictionaries = reidops.prepare_gallery(gallery, beta=BETA)
    measure(benchmark, SHORTLISTS, case, lambda: reidops.dsr_distance(probe, dictionaries, candidates=chosen))


def test_a_loop_of_shortlists(benchmark: Any) -> None:
    probe, gallery, chosen, case = shortlists()

    def run() -> list[Tensor]:
        return [reidops.dsr_distance(one[None], gallery[own], BETA) for one, own in zip(probe, chosen, strict=True)]

    measure(benchmark, SHORTLISTS, case, run)
