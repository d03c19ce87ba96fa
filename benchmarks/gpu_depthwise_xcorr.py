"""depthwise_xcorr on a GPU beside torch's grouped convolution.

    python -m benchmarks.gpu_depthwise_xcorr --out results.json

Sizes are those of `bench_depthwise_xcorr`, with eight times as many maps. `of the product`: the rate of the operation's
arithmetic, as a share of that of a large matrix product of the same dtype in the same run (TF32 off).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import reidops

from .bench_depthwise_xcorr import CASES, Case, inputs, padded, same
from .gpu import Results, milliseconds, parser

TIMES = 8
METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "depthwise_xcorr": reidops.depthwise_xcorr,
    "torch, same": same,
    "torch, padded": padded,
}


def product_rate(dtype: torch.dtype, n: int = 8192) -> float:
    """TFLOP/s of a matrix product."""
    left, right = torch.rand(2, n, n, device="cuda", dtype=dtype)
    return 2 * n**3 / milliseconds(lambda: left @ right) / 1e9


def rows_of(name: str, case: Case, dtype: torch.dtype, rate: float) -> list[dict[str, Any]]:
    search, template = (value.to("cuda", dtype) for value in inputs(case))
    title = f"{name}, {case.maps} maps, {str(dtype).removeprefix('torch.')}"

    def row(what: str, run: Callable[[], Any], products: int) -> dict[str, Any]:
        took = milliseconds(run)
        return {"case": title, "what": what, "ms": took, "of the product": products / took / 1e9 / rate}

    rows = []
    for what, function in METHODS.items():
        with torch.no_grad():
            rows.append(row(what, partial(function, search, template), case.products))
        given = search.detach().requires_grad_(), template.detach().requires_grad_()
        result = function(*given)
        backward = partial(torch.autograd.grad, result, given, torch.rand_like(result), retain_graph=True)
        rows.append(row(f"{what}, backward", backward, 2 * case.products))
    return rows


def main() -> None:
    arguments = parser(__doc__).parse_args()
    rates = {dtype: product_rate(dtype) for dtype in (torch.float32, torch.float16)}
    results = Results(arguments.out, {f"product of {dtype}, TFLOP/s": rate for dtype, rate in rates.items()})
    for name, case in CASES.items():
        for dtype, rate in rates.items():
            results.add(rows_of(name, case._replace(maps=TIMES * case.maps), dtype, rate))


if __name__ == "__main__":
    main()
