"""dsr_distance, dsr_topk and prepare_gallery on a GPU, beside the ceilings of that GPU measured in the same run.

    python -m benchmarks.gpu_dsr --out results.json               tables on the screen, all figures in the file
    python -m benchmarks.gpu_dsr --out results.json --market 60   and Market-1501's table, or what 60 s have time for

Times are medians over CUDA events, after warming up.  What a call writes and reads on its way, the correlations of all
pairs, is larger than any cache.  The ceilings: a copy of device memory (bytes read and written), and matrix products
of a shape like that within the call; `over the product`: a time as a multiple of that of this call's own product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

import reidops

from .features import feature_maps
from .gpu import Bench, Results, Row, named, parser, product

BETA = 0.4
SOLVERS = ("active_set", "feature_sign", "coordinate_descent")
MARKET = (3368, 19732)  # probes, gallery images
DRAWN = (64, 512)  # of them: to draw all would take longer than to match them, so these go round


class Case(NamedTuple):
    """Maps of height x width x channels, and how many of each side meet."""

    height: int
    width: int
    channels: int
    probes: int
    gallery: int
    scales: tuple[int, ...] = (1,)

    def __str__(self) -> str:
        scales = "" if self.scales == (1,) else f", scales {' '.join(map(str, self.scales))}"
        return f"{self.height}x{self.width}x{self.channels}{scales}"

    @property
    def pairs(self) -> int:
        return self.probes * self.gallery


CASES = (Case(16, 8, 2048, 32, 256), Case(16, 8, 2048, 16, 64, (1, 2, 3)), Case(8, 4, 512, 256, 512))
TINY = Case(4, 3, 16, 4, 6)


def maps(case: Case, count: int, seed: int, device: torch.device) -> Tensor:
    return feature_maps(count, case.height, case.width, case.channels, seed).to(device)


def rows_of(case: Case, dtype: torch.dtype, bench: Bench) -> list[Row]:
    """What a user can call, with the gallery's side made once, next to the product that it cannot do without."""
    probe = maps(case, case.probes, 1, bench.device).to(dtype)
    gallery = maps(case, case.gallery, 2, bench.device).to(dtype)
    standing = reidops.prepare_gallery(gallery, scales=case.scales, beta=BETA)
    x, y = (value.flatten(2).mT.flatten(0, 1).contiguous() for value in (probe, gallery))
    floor = bench.milliseconds(lambda: product(x, y))

    def row(what: str, run: Callable[[], Any], pairs: int = case.pairs, repeats: int = 10) -> Row:
        figures = bench.measured(run, repeats)
        over = figures["ms"] / pairs / (floor / case.pairs)
        per_pair = 1e3 * figures["ms"] / pairs
        return {
            "case": f"{case}, {named(dtype)}",
            "what": what,
            "us a pair": per_pair,
            "over the product": over,
            **figures,
        }

    rows = [row("torch: the product alone", lambda: product(x, y))]
    with torch.no_grad():
        for solver in SOLVERS:
            run = distances(probe, standing, solver=solver)
            rows.append({**row(f"dsr_distance, {solver}", run), "largest gap": float(run(return_gap=True).gap.max())})
        if dtype == torch.float32:
            rows.append(row("dsr_distance, precision float16", distances(probe, standing, precision="float16")))
            if case.scales == (1,):
                fista = distances(probe, standing, solver="fista", max_iterations=100)
                rows.append(row("dsr_distance, fista in torch, 100 steps", fista, repeats=2))
        rows.append(row("dsr_topk, k = 5", lambda: reidops.dsr_topk(probe, standing, 5)))
        rows.append(row("prepare_gallery and dsr_distance", distances(probe, gallery, scales=case.scales)))
    few, some = (value[: len(value) // 4 or 1].clone().requires_grad_() for value in (probe, gallery))
    forward = distances(few, some, scales=case.scales)
    rows.append(row("dsr_distance and backward", lambda: forward().sum().backward(), len(few) * len(some), repeats=5))
    return rows


def distances(probe: Tensor, gallery: Tensor | reidops.Dictionaries, **options: Any) -> Callable[..., Any]:
    def run(**more: Any) -> Any:
        return reidops.dsr_distance(probe, gallery, BETA, **options, **more)

    return run


def repeated(values: Any, count: int) -> Iterator[Any]:
    """Slices of maps or of a prepared gallery, again and again until there are `count` of them."""
    while count > 0:
        yield values[:count]
        count -= len(values)


def market(us_a_pair: float, seconds: float, bench: Bench) -> Row:
    """Every probe of Market-1501 against every gallery image in one call, half maps of 16x8x2048, all certified.

    As many images as a third of the free memory holds (all of them in 12 GB), and as many probes as there is time for.
    """
    case = TINY if bench.rehearses else CASES[0]
    drawn = (case.probes, case.gallery) if bench.rehearses else DRAWN
    probes, images = (17, 31) if bench.rehearses else MARKET
    bytes_an_image = case.height * case.width * (2 * case.channels + 4 * case.height * case.width)
    if not bench.rehearses:
        images = min(images, torch.cuda.mem_get_info()[0] // 3 // bytes_an_image)
    probes = max(1, min(probes, int(1e6 * seconds / us_a_pair / images)))
    few_probes, few_images = (maps(case, n, seed, bench.device).half() for seed, n in enumerate(drawn, start=1))
    standing = reidops.concatenate(list(repeated(reidops.prepare_gallery(few_images, beta=BETA), images)))
    probe = torch.cat(list(repeated(few_probes, probes)))
    found: list[Any] = []
    with torch.no_grad():
        run = distances(probe, standing, return_gap=True)
        run_first = distances(probe[:1], standing[:1])
        run_first()  # kernels are loaded
        took = bench.seconds(lambda: found.append(run()))
    assert found[0].distance.shape == (probes, images)
    return {
        "case": f"Market-1501, {probes} of {MARKET[0]} probes",
        "what": f"dsr_distance to {images} of {MARKET[1]} images",
        "seconds": took,
        "us a pair": 1e6 * took / (probes * images),
        "largest gap": float(found[0].gap.max()),
    }


def main(given: Sequence[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--market", type=float, metavar="SECONDS", help="time Market-1501's table, in about so long")
    arguments = options.parse_args(given)
    bench = Bench.of(arguments)
    ceilings = {"copy, TB/s": bench.copy_rate()}
    for dtype in (torch.float16, torch.float32):
        ceilings[f"product of {named(dtype)}, TFLOP/s"] = bench.product_rate(dtype)
    results = Results(arguments.out, bench, ceilings)
    cases = (TINY, TINY._replace(scales=(1, 2))) if bench.rehearses else CASES
    for case in cases:
        for dtype in (torch.float16, torch.float32):
            results.add(rows_of(case, dtype, bench))
    if arguments.market:
        of_half = next(row for row in results.rows if row["what"] == f"dsr_distance, {SOLVERS[0]}")
        results.add([market(of_half["us a pair"], arguments.market, bench)])


if __name__ == "__main__":
    main()
