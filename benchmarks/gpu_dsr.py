"""dsr_distance and its kernel on a GPU, beside the ceilings of that GPU measured in the same run.

    python -m benchmarks.gpu_dsr --out results.json            tables on the screen, all figures in the file
    python -m benchmarks.gpu_dsr --out results.json --market   and the whole table of Market-1501, if that is minutes

Times are medians over CUDA events, after warming up; operands are rotated, so that none is found in the cache.  The
ceilings: a copy of device memory (bytes read and written), and matrix products of the shape that feeds the kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, NamedTuple

import torch
from torch import Tensor

import reidops
from reidops._ops.sparse_reconstruct_gram import SOLVERS, sparse_reconstruct_gram
from reidops.reference import fista

from .features import feature_maps
from .gpu import Results, copy_rate, milliseconds, parser

BETA = 0.4
PRODUCT = "product, float16 to float32"
MARKET = (3368, 19732)  # probes, gallery images


class Case(NamedTuple):
    """Maps of height x width x channels, and how many of each side make a tile."""

    height: int
    width: int
    channels: int
    probes: int
    gallery: int
    scales: tuple[int, ...] = (1,)

    def __str__(self) -> str:
        scales = "" if self.scales == (1,) else f", scales {self.scales}"
        return f"{self.height}x{self.width}x{self.channels}{scales}"


CASES = (Case(16, 8, 2048, 32, 256), Case(16, 8, 2048, 16, 64, (1, 2, 3)), Case(8, 4, 512, 256, 512))


def maps(case: Case, count: int, seed: int) -> Tensor:
    return feature_maps(count, case.height, case.width, case.channels, seed).to("cuda")


def ceilings() -> dict[str, float]:
    rates = {"copy, TB/s": copy_rate()}
    for name, dtype in (("float16 to float32", torch.float16), ("float32", torch.float32)):
        left, right = (torch.rand(n, 2048, device="cuda").to(dtype) for n in (4096, 32768))
        took = milliseconds(lambda left=left, right=right: product(left, right))  # type: ignore[misc]
        rates[f"product {name}, TFLOP/s"] = 2 * 4096 * 32768 * 2048 / took / 1e9
    return rates


def product(left: Tensor, right: Tensor) -> Tensor:
    """Left Right' in float32: halves are multiplied exactly and summed in float32."""
    if left.dtype == torch.float32:
        return left @ right.mT
    return torch.mm(left, right.mT, out_dtype=torch.float32)


def gram_form(case: Case) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Several tiles in turn, larger together than any cache."""
    tiles = []
    for seed in range(2):
        probe, gallery = maps(case, case.probes, 2 * seed + 1), maps(case, case.gallery, 2 * seed + 2)
        x = probe.flatten(2).mT.flatten(0, 1).half()
        y = gallery.flatten(2).mT.half().contiguous()
        correlation = product(x, y.flatten(0, 1)).unflatten(1, y.shape[:2])
        gram = y.float() @ y.float().mT
        energy = x.float().square().sum(1)[:, None].expand(-1, len(y))
        tiles.append((x, y, gram, correlation, energy))
    return cycle(tiles)


def kernel(case: Case) -> list[dict[str, Any]]:
    """The operator alone, next to the product that it follows; maps rounded to float16, all else in float32."""
    tiles = gram_form(case)
    correlation = next(tiles)[3]
    pairs, columns = case.probes * case.gallery, correlation.shape[0] * correlation.shape[1]

    def multiply() -> Tensor:
        x, y, *_ = next(tiles)
        return product(x, y.flatten(0, 1))

    def iterate() -> Tensor:
        _, _, gram, correlation, _ = next(tiles)
        return fista(gram, correlation.transpose(0, 1), BETA, iterations=100)

    times = {PRODUCT: milliseconds(multiply), "torch: 100 iterations of FISTA": milliseconds(iterate, repeats=3)}
    gaps = {}
    for solver in SOLVERS:

        def solve(solver: str = solver) -> Tensor:
            _, _, gram, correlation, energy = next(tiles)
            return sparse_reconstruct_gram(gram, correlation, energy, None, None, BETA, solver=solver)[1]

        times[solver] = milliseconds(solve)
        gaps[solver] = float(solve().max())
    return [
        {
            "case": f"{case}, operator",
            "what": name,
            "us a pair": 1e3 * took / pairs,
            "columns a second": 1e3 * columns / took,
            "over the product": took / times[PRODUCT],
            "largest gap": gaps.get(name),
        }
        for name, took in times.items()
    ]


def whole(case: Case) -> list[dict[str, Any]]:
    """The public function and its backward, from float32 maps."""
    probe, gallery = maps(case, case.probes, 1), maps(case, case.gallery, 2)
    few = probe[:4].clone().requires_grad_(), gallery[:16].clone().requires_grad_()

    def distance(probe: Tensor, gallery: Tensor) -> Tensor:
        return reidops.dsr_distance(probe, gallery, BETA, scales=case.scales)

    rows: list[tuple[str, int, Callable[[], Any]]] = [
        ("dsr_distance", len(probe) * len(gallery), lambda: distance(probe, gallery)),
        ("dsr_distance and backward", len(few[0]) * len(few[1]), lambda: distance(*few).sum().backward()),
    ]
    results = []
    for name, pairs, run in rows:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        took = milliseconds(run, repeats=5)
        peak = (torch.cuda.max_memory_allocated() - before) / 2**20
        results.append({"case": str(case), "what": name, "us a pair": 1e3 * took / pairs, "peak MiB": peak})
    return results


def market(us_a_pair: float) -> dict[str, Any]:
    """Every probe of Market-1501 against every gallery image: 16x8x2048 maps, float16 operands, all certified."""
    predicted = us_a_pair * MARKET[0] * MARKET[1] / 1e6
    if predicted > 150:
        return {"case": "Market-1501", "what": f"not run: {predicted:.0f} s by the tiles above"}
    case = CASES[0]
    probes, gallery = (maps(case, count, seed) for seed, count in enumerate((64, 512), start=1))
    x = probes.flatten(2).mT.half().contiguous()
    y = gallery.flatten(2).mT.half().contiguous()
    gram = y.float() @ y.float().mT
    energy = x.float().square().sum(2)
    worst = torch.zeros((), device="cuda")
    torch.cuda.synchronize()
    start, pairs = time.perf_counter(), 0
    step, width = 32, 256
    # Drawing so many maps would take longer than matching them: tiles go round a few.
    for first in range(0, MARKET[0], step):
        rows = torch.arange(first, min(first + step, MARKET[0]), device="cuda") % len(x)
        left, energies = x[rows].flatten(0, 1), energy[rows].flatten()[:, None]
        for begin in range(0, MARKET[1], width):
            count = min(width, MARKET[1] - begin)
            at = begin % (len(y) - width + 1)
            images = y[at : at + count]
            correlation = product(left, images.flatten(0, 1)).unflatten(1, images.shape[:2])
            error, gap, _ = sparse_reconstruct_gram(
                gram[at : at + count], correlation, energies.expand(-1, count), None, None, BETA
            )
            error.unflatten(0, (len(rows), -1)).mean(1)
            worst = torch.maximum(worst, gap.max())
            pairs += len(rows) * count
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    assert pairs == MARKET[0] * MARKET[1]
    return {"case": "Market-1501", "what": "all pairs", "seconds": seconds, "pairs": pairs, "largest gap": float(worst)}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--market", action="store_true", help="also time the whole table of Market-1501")
    arguments = options.parse_args()
    results = Results(arguments.out, ceilings())
    for case in CASES:
        if case.scales == (1,):
            results.add(kernel(case))
        results.add(whole(case))
    if arguments.market:
        first = results.rows[: 2 + len(SOLVERS)]
        results.add([market(sum(row["us a pair"] for row in first if row["what"] in (PRODUCT, SOLVERS[0])))])


if __name__ == "__main__":
    main()
