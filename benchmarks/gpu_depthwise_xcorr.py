"""depthwise_xcorr and projected_xcorr on a GPU beside torch's grouped convolution.

    python -m benchmarks.gpu_depthwise_xcorr --out results.json

Sizes are those of `bench_depthwise_xcorr` and `bench_projected_xcorr`, with eight times as many maps. `of the product`:
the rate of the operation's arithmetic, as a share of that of a large float32 matrix product in the same run (TF32 off).
Half maps are multiplied and summed in float32 as well, so that they have the same ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

import reidops

from . import bench_depthwise_xcorr as single
from . import bench_projected_xcorr as projected
from .gpu import Bench, Results, Row, named, parser

TIMES = 8
DTYPES = (torch.float32, torch.float16)
TINY = single.Case(2, 3, 5, (9, 7), 4)
METHODS: dict[str, Callable[..., Tensor]] = {
    "depthwise_xcorr": reidops.depthwise_xcorr,
    "torch, same": single.same,
    "torch, padded": single.padded,
}
PROJECTED: dict[str, Callable[..., Tensor]] = {
    "projected_xcorr": projected.projected,
    "depthwise_xcorr, pooling, product": projected.one_after_another,
    "torch": projected.by_torch,
}


def rows_of(
    title: str,
    methods: dict[str, Callable[..., Tensor]],
    given: Sequence[Tensor],
    products: int,
    bench: Bench,
    rate: float,
) -> list[Row]:
    """Each method forward and backward, of `products` operations forward."""

    def row(what: str, run: Callable[[], Any], operations: int) -> Row:
        figures = bench.measured(run)
        return {"case": title, "what": what, **figures, "of the product": operations / figures["ms"] / 1e9 / rate}

    rows = []
    for what, function in methods.items():
        with torch.no_grad():
            rows.append(row(what, partial(function, *given), products))
        wanted = [value.detach().requires_grad_() for value in given]
        result = function(*wanted)
        backward = partial(torch.autograd.grad, result, wanted, torch.rand_like(result), retain_graph=True)
        rows.append(row(f"{what}, backward", backward, 2 * products))
    return rows


def depthwise(name: str, case: single.Case, dtype: torch.dtype, bench: Bench, rate: float) -> list[Row]:
    given = [value.to(bench.device, dtype) for value in single.inputs(case)]
    title = f"{name}, {case.maps} maps x {case.templates}, {named(dtype)}"
    return rows_of(title, METHODS, given, case.products, bench, rate)


def pairs(name: str, case: projected.Pairs, dtype: torch.dtype, bench: Bench, rate: float) -> list[Row]:
    given = [value.to(bench.device, dtype) for value in projected.inputs(case)]
    title = f"{name}, {case.maps.maps} x {case.maps.templates // 3} pairs, {named(dtype)}"
    methods = {what: partial(function, pool=case.pool) for what, function in PROJECTED.items()}
    return rows_of(title, methods, given, case.products, bench, rate)


def main(given: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__).parse_args(given)
    bench = Bench.of(arguments)
    rate = bench.product_rate(torch.float32)
    results = Results(arguments.out, bench, {"product of float32, TFLOP/s": rate})
    singles, projections = single.CASES, projected.CASES
    if bench.rehearses:
        singles, projections = {"tiny": TINY}, {"tiny": projected.Pairs(TINY, 4, pool=True)}
    for dtype in DTYPES:
        for name, case in singles.items():
            results.add(depthwise(name.partition(",")[0], case._replace(maps=TIMES * case.maps), dtype, bench, rate))
        for name, each in projections.items():
            more = each._replace(maps=each.maps._replace(maps=TIMES * each.maps.maps))
            results.add(pairs(name.partition(",")[0], more, dtype, bench, rate))


if __name__ == "__main__":
    main()
