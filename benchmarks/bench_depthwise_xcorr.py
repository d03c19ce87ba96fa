"""depthwise_xcorr against torch's grouped convolution, at the sizes of CSN and of a tracker.

torch's forms are a convolution of B C groups with `padding="same"`, and of a map padded beforehand. The floor is one
matrix product of as many operations as the correlation has within the map; forward and backward have three times as
many.

    pytest benchmarks/bench_depthwise_xcorr.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import reidops


class Case(NamedTuple):
    maps: int
    templates: int  # of each map
    channels: int
    size: tuple[int, int]
    k: int

    @property
    def products(self) -> int:
        """Multiplications and additions whose pixel lies in the map."""
        before, after = (self.k - 1) // 2, self.k // 2
        inside = [sum(min(size, y + after + 1) - max(0, y - before) for y in range(size)) for size in self.size]
        return 2 * self.maps * self.templates * self.channels * inside[0] * inside[1]


CASES = {
    "CSN level 2, 4 maps x 3": Case(4, 3, 96, (40, 15), 10),
    "CSN level 2, 16 maps x 3": Case(16, 3, 96, (40, 15), 10),
    "CSN level 3, 32 maps x 3": Case(32, 3, 96, (20, 8), 5),
    "tracker, 2 maps": Case(2, 1, 256, (29, 29), 5),
    "tracker, 16 maps": Case(16, 1, 256, (29, 29), 5),
}
every_case = pytest.mark.parametrize("name", CASES)
Function = Callable[[Tensor, Tensor], Tensor]


def inputs(case: Case) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    search = torch.rand(case.maps, 1, case.channels, *case.size, generator=generator)
    return search, torch.rand(case.maps, case.templates, case.channels, case.k, case.k, generator=generator)


def grouped(search: Tensor, template: Tensor, padding: str | int) -> Tensor:
    maps, templates, channels, k, _ = template.shape
    groups = maps * templates * channels
    expanded = search.expand(*template.shape[:2], *search.shape[-3:]).reshape(1, groups, *search.shape[-2:])
    result = F.conv2d(expanded, template.reshape(groups, 1, k, k), padding=padding, groups=groups)
    return result.reshape(maps, templates, channels, *result.shape[-2:])


def same(search: Tensor, template: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # even templates are padded by a copy
        return grouped(search, template, "same")


def padded(search: Tensor, template: Tensor) -> Tensor:
    k = template.shape[-1]
    return grouped(F.pad(search, ((k - 1) // 2, k // 2, (k - 1) // 2, k // 2)), template, 0)


def measure(benchmark: Any, group: str, products: int, run: Callable[[], Any]) -> None:
    benchmark.group = group
    benchmark.extra_info.update(calls=1, gflop=products / 1e9, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=15, warmup_rounds=2)


def forward(benchmark: Any, name: str, function: Function) -> None:
    search, template = inputs(CASES[name])
    with torch.no_grad():
        measure(benchmark, f"{name}: forward", CASES[name].products, lambda: function(search, template))


def forward_and_backward(benchmark: Any, name: str, function: Function) -> None:
    search, template = (value.requires_grad_() for value in inputs(CASES[name]))
    grad = torch.rand_like(function(search, template))

    def run() -> None:
        search.grad = template.grad = None
        function(search, template).backward(grad)

    measure(benchmark, f"{name}: forward and backward", 3 * CASES[name].products, run)


def product(benchmark: Any, group: str, products: int) -> None:
    n = 1024
    left, right = torch.rand(max(1, products // (2 * n * n)), n), torch.rand(n, n)
    measure(benchmark, group, products, lambda: left @ right)


@every_case
def test_floor_matrix_product(benchmark: Any, name: str) -> None:
    product(benchmark, f"{name}: forward", CASES[name].products)


@every_case
def test_depthwise_xcorr(benchmark: Any, name: str) -> None:
    forward(benchmark, name, reidops.depthwise_xcorr)


@every_case
def test_torch_same(benchmark: Any, name: str) -> None:
    forward(benchmark, name, same)


@every_case
def test_torch_padded(benchmark: Any, name: str) -> None:
    forward(benchmark, name, padded)


@every_case
def test_floor_matrix_product_three_times(benchmark: Any, name: str) -> None:
    product(benchmark, f"{name}: forward and backward", 3 * CASES[name].products)


@every_case
def test_depthwise_xcorr_gradients(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, reidops.depthwise_xcorr)


@every_case
def test_torch_same_gradients(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, same)


@every_case
def test_torch_padded_gradients(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, padded)
