"""projected_xcorr on a GPU beside correlation, pooling and 1x1 convolution one after another.

    python -m benchmarks.gpu_projected_xcorr --out results.json

Sizes are those of `bench_projected_xcorr`: 4 x 8 pairs, too few for a device, and 64 x 32. `of the product`: the rate
of the operation's arithmetic, as a share of that of a large matrix product of the same dtype in the same run, with TF32
off. `MB`: what is allocated on top of the arguments while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .bench_projected_xcorr import CASES, Function, Pairs, by_torch, inputs, one_after_another, projected
from .gpu import Results, milliseconds, parser
from .gpu_depthwise_xcorr import product_rate

METHODS: dict[str, Function] = {
    "projected_xcorr": projected,
    "one after another": one_after_another,
    "torch": by_torch,
}
PAIRS = ((4, 8), (64, 32))  # maps, and triples of templates


def megabytes(run: Callable[[], Tensor]) -> float:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    return (torch.cuda.max_memory_allocated() - before) / 1e6


def rows_of(name: str, pairs: Pairs, dtype: torch.dtype, rate: float) -> list[dict[str, Any]]:
    search, template, weight = (value.to("cuda", dtype) for value in inputs(pairs))
    case = f"{name}, {pairs.maps.maps} x {pairs.maps.templates // 3} pairs, {str(dtype).removeprefix('torch.')}"
    rows = []
    for what, function in METHODS.items():
        run = partial(function, search, template, weight, pairs.pool)
        with torch.inference_mode():
            took, held = milliseconds(run), megabytes(run)
        of_the_product = pairs.products / took / 1e9 / rate
        rows.append({"case": case, "what": what, "ms": took, "of the product": of_the_product, "MB": held})
    return rows


def main() -> None:
    arguments = parser(__doc__).parse_args()
    rates = {dtype: product_rate(dtype) for dtype in (torch.float32, torch.float16)}
    results = Results(arguments.out, {f"product of {dtype}, TFLOP/s": rate for dtype, rate in rates.items()})
    for name, pairs in CASES.items():
        for maps, triples in PAIRS:
            level = pairs._replace(maps=pairs.maps._replace(maps=maps, templates=3 * triples))
            for dtype, rate in rates.items():
                results.add(rows_of(name.partition(",")[0], level, dtype, rate))


if __name__ == "__main__":
    main()
