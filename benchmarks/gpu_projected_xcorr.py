"""projected_xcorr on a GPU beside correlation, pooling and 1x1 convolution one after another.

    python -m benchmarks.gpu_projected_xcorr --out results.json

Sizes are those of `bench_projected_xcorr`: 4 x 8 pairs, too few for a device, and 64 x 32. `of the product`: the rate
of the operation's arithmetic, as a share of that of a large float32 matrix product in the same run (TF32 off).
`peak MiB`: what is allocated on top of the arguments while it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from .bench_depthwise_xcorr import Case
from .bench_projected_xcorr import CASES, Pairs, by_torch, inputs, one_after_another, projected
from .gpu import Bench, Results, Row, named, parser
from .gpu_depthwise_xcorr import DTYPES, rows_of

METHODS: dict[str, Callable[..., Tensor]] = {
    "projected_xcorr": projected,
    "one after another": one_after_another,
    "torch": by_torch,
}
PAIRS = ((4, 8), (64, 32))  # maps, and triples of templates
TINY = {"tiny, pooled": Pairs(Case(1, 3, 5, (9, 7), 4), 4, pool=True)}


def rows_of_pairs(name: str, pairs: Pairs, dtype: torch.dtype, bench: Bench, rate: float) -> list[Row]:
    given = [value.to(bench.device, dtype) for value in inputs(pairs)]
    title = f"{name}, {pairs.maps.maps} x {pairs.maps.templates // 3} pairs, {named(dtype)}"
    methods = {what: partial(function, pool=pairs.pool) for what, function in METHODS.items()}
    return rows_of(title, methods, given, pairs.products, bench, rate)


def main(given: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__).parse_args(given)
    bench = Bench.of(arguments)
    rate = bench.product_rate(torch.float32)
    results = Results(arguments.out, bench, {"product of float32, TFLOP/s": rate})
    for name, pairs in (TINY if bench.rehearses else CASES).items():
        for maps, triples in ((2, 3),) if bench.rehearses else PAIRS:
            level = pairs._replace(maps=pairs.maps._replace(maps=maps, templates=3 * triples))
            for dtype in DTYPES:
                results.add(rows_of_pairs(name.partition(",")[0], level, dtype, bench, rate))


if __name__ == "__main__":
    main()
