"""depthwise_xcorr on a GPU beside torch's grouped convolution.

    python -m benchmarks.gpu_depthwise_xcorr --out results.json

Sizes are those of `bench_depthwise_xcorr`, with eight times as many maps. `of the product`: the rate of the operation's
arithmetic, as a share of that of a large float32 matrix product in the same run (TF32 off).  Half maps are multiplied
and summed in float32 as well, so that they have the same ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

import reidops

from .bench_depthwise_xcorr import CASES, Case, inputs, padded, same
from .gpu import Bench, Results, Row, named, parser

TIMES = 8
DTYPES = (torch.float32, torch.float16)
TINY = Case(2, 3, 5, (9, 7), 4)
METHODS: dict[str, Callable[..., Tensor]] = {
    "depthwise_xcorr": reidops.depthwise_xcorr,
    "torch, same": same,
    "torch, padded": padded,
}


def rows_of(
    title: str,
    methods: Mapping[str, Callable[..., Tensor]],
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


def depthwise(name: str, case: Case, dtype: torch.dtype, bench: Bench, rate: float) -> list[Row]:
    given = [value.to(bench.device, dtype) for value in inputs(case)]
    title = f"{name}, {case.maps} maps x {case.templates}, {named(dtype)}"
    return rows_of(title, METHODS, given, case.products, bench, rate)


def main(given: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__).parse_args(given)
    bench = Bench.of(arguments)
    rate = bench.product_rate(torch.float32)
    results = Results(arguments.out, bench, {"product of float32, TFLOP/s": rate})
    cases = {"tiny": TINY} if bench.rehearses else CASES
    for name, case in cases.items():
        for dtype in DTYPES:
            results.add(depthwise(name.partition(",")[0], case._replace(maps=TIMES * case.maps), dtype, bench, rate))


if __name__ == "__main__":
    main()
