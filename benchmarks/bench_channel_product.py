"""channel_product and channel_gram against torch's matrix products, at the sizes of DSR's feature maps.

torch's product takes rows: what it costs to lay planar maps out as rows is a line of its own. The floor is one product
of as many operations by matrices that lie as torch likes them best. A Gram matrix has half of its product's operations.

The gradients of both sides are weighted_sums, by weights of which a share is not zero.

    pytest benchmarks/bench_channel_product.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from reidops import reference
from reidops._ops.channel_product import channel_gram, channel_product
from reidops._ops.weighted_sums import weighted_sums


class Case(NamedTuple):
    probes: int
    gallery: int
    channels: int
    locations: int

    @property
    def products(self) -> int:
        return 2 * self.probes * self.gallery * self.channels * self.locations**2


CASES = {
    "1 x 24 maps of 16 x 8 x 2048": Case(1, 24, 2048, 128),
    "24 x 24 maps of 16 x 8 x 2048": Case(24, 24, 2048, 128),
    "1 x 24 maps of 8 x 4 x 512": Case(1, 24, 512, 32),
    "24 x 24 maps of 8 x 4 x 512": Case(24, 24, 512, 32),
}
every_case = pytest.mark.parametrize("name", CASES)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)


def maps(case: Case, dtype: torch.dtype, layout: str = "planar") -> tuple[Tensor, Tensor]:
    """``(P, C, N)`` and ``(G, C, N)``, planar or with the channels innermost."""
    generator = torch.Generator().manual_seed(0)
    sides = (
        torch.randn(count, case.channels, case.locations, generator=generator).to(dtype)
        for count in (case.probes, case.gallery)
    )
    left, right = (side if layout == "planar" else side.mT.contiguous().mT for side in sides)
    return left, right


def rows(side: Tensor) -> Tensor:
    return side.mT.reshape(-1, side.shape[1])


def measure(benchmark: Any, group: str, products: int, run: Callable[[], Any]) -> None:
    benchmark.group = group
    benchmark.extra_info.update(calls=1, gflop=products / 1e9, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=15, warmup_rounds=2)


@every_dtype
@every_case
def test_floor_product_of_rows(benchmark: Any, name: str, dtype: torch.dtype) -> None:
    left, right = (rows(side) for side in maps(CASES[name], dtype))
    measure(benchmark, f"{name}, {dtype}", CASES[name].products, lambda: left @ right.T)


@every_dtype
@every_case
def test_torch_rows_laid_out(benchmark: Any, name: str, dtype: torch.dtype) -> None:
    left, right = maps(CASES[name], dtype)
    measure(benchmark, f"{name}, {dtype}", CASES[name].products, lambda: rows(left) @ rows(right).T)


@every_dtype
@pytest.mark.parametrize("layout", ["planar", "channels last"])
@every_case
def test_channel_product(benchmark: Any, name: str, layout: str, dtype: torch.dtype) -> None:
    left, right = maps(CASES[name], dtype, layout)
    measure(benchmark, f"{name}, {dtype}", CASES[name].products, lambda: channel_product(left, right))


@every_dtype
@every_case
def test_floor_gram_product_of_a_batch(benchmark: Any, name: str, dtype: torch.dtype) -> None:
    case = CASES[name]._replace(probes=1)
    _, right = maps(case, dtype)
    measure(benchmark, f"{name}, {dtype}: Gram", case.products, lambda: right.mT @ right)


@every_dtype
@every_case
def test_channel_gram(benchmark: Any, name: str, dtype: torch.dtype) -> None:
    case = CASES[name]._replace(probes=1)
    _, right = maps(case, dtype)
    measure(benchmark, f"{name}, {dtype}: Gram", case.products, lambda: channel_gram(right))


def gradient(case: Case, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Weights ``(P, N, G, M)`` of which this share is not zero, and both sides."""
    left, right = maps(case, torch.float32)
    shape = case.probes, case.locations, case.gallery, case.locations
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(shape, generator=generator)
    return weights * (torch.rand(shape, generator=generator) < share), left, right


SUMS = {"weighted sums": weighted_sums, "torch, as a product": reference.weighted_sums}


@pytest.mark.parametrize("way", SUMS)
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.3, 1.0])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.probes > 1])
def test_gradients(benchmark: Any, name: str, share: float, way: str) -> None:
    weights, left, right = gradient(CASES[name], share)

    def run() -> None:
        SUMS[way](weights, right)
        SUMS[way](weights.permute(2, 3, 0, 1), left)

    measure(benchmark, f"gradients, {name}, {share} of the weights", 2 * CASES[name].products, run)
