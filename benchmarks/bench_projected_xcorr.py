"""projected_xcorr against correlation, pooling and 1x1 convolution one after another, at CSN's sizes.

The floor is one matrix product of as many operations: those of the correlation within the map, and of the projection.

    pytest benchmarks/bench_projected_xcorr.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import reidops

from .bench_depthwise_xcorr import Case, product, same


class Pairs(NamedTuple):
    maps: Case  # of which `maps` times `templates / 3` are the pairs, three templates each
    outputs: int
    pool: bool

    @property
    def products(self) -> int:
        """Multiplications and additions."""
        height, width = self.maps.size
        pixels = ((height + 1) // 2) * ((width + 1) // 2) if self.pool else height * width
        return (
            self.maps.products + 2 * self.maps.maps * self.maps.templates * self.maps.channels * self.outputs * pixels
        )


CASES = {
    "CSN level 2, 4 x 8 pairs": Pairs(Case(4, 24, 96, (40, 15), 10), 32, True),
    "CSN level 3, 4 x 8 pairs": Pairs(Case(4, 24, 96, (20, 8), 5), 32, False),
}
every_case = pytest.mark.parametrize("name", CASES)
Function = Callable[[Tensor, Tensor, Tensor, bool], Tensor]


def inputs(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Maps (G, 1, C, H, W), templates (P, 3, C, k, k), weights (O, 3, C)."""
    case, generator = pairs.maps, torch.Generator().manual_seed(0)
    search = torch.rand(case.maps, 1, case.channels, *case.size, generator=generator)
    template = torch.rand(case.templates // 3, 3, case.channels, case.k, case.k, generator=generator)
    return search, template, torch.rand(pairs.outputs, 3, case.channels, generator=generator)


def projected(search: Tensor, template: Tensor, weight: Tensor, pool: bool) -> Tensor:
    return reidops.projected_xcorr(search, template, weight, pool=pool)


def one_after_another(search: Tensor, template: Tensor, weight: Tensor, pool: bool) -> Tensor:
    return pooled_and_convolved(reidops.depthwise_xcorr(search.unsqueeze(2), template), weight, pool)


def by_torch(search: Tensor, template: Tensor, weight: Tensor, pool: bool) -> Tensor:
    maps, (probes, templates) = len(search), template.shape[:2]
    scores = same(search, template.flatten(0, 1).expand(maps, -1, -1, -1, -1).contiguous())
    return pooled_and_convolved(scores.unflatten(1, (probes, templates)), weight, pool)


def pooled_and_convolved(scores: Tensor, weight: Tensor, pool: bool) -> Tensor:
    flat = scores.flatten(0, 1).flatten(1, 2)
    if pool:
        flat = F.max_pool2d(flat, 2, ceil_mode=True)
    return F.conv2d(flat, weight.flatten(1)[..., None, None]).unflatten(0, scores.shape[:2])


def measure(benchmark: Any, name: str, function: Function) -> None:
    pairs = CASES[name]
    given = inputs(pairs)
    benchmark.group = name
    benchmark.extra_info.update(calls=1, gflop=pairs.products / 1e9, threads=torch.get_num_threads())
    with torch.inference_mode():
        benchmark.pedantic(lambda: function(*given, pairs.pool), rounds=10, warmup_rounds=2)
        torch.testing.assert_close(function(*given, pairs.pool), one_after_another(*given, pairs.pool))


@every_case
def test_floor_matrix_product(benchmark: Any, name: str) -> None:
    product(benchmark, name, CASES[name].products)


@every_case
def test_projected_xcorr(benchmark: Any, name: str) -> None:
    measure(benchmark, name, projected)


@every_case
def test_one_after_another(benchmark: Any, name: str) -> None:
    measure(benchmark, name, one_after_another)


@every_case
def test_torch(benchmark: Any, name: str) -> None:
    measure(benchmark, name, by_torch)
