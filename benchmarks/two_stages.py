"""DSR exhaustively, on a shortlist, and exactly: ``python -m benchmarks.two_stages DATA --probes 60``.

DATA is a data set with partial probes; ``reidops synth`` draws one. Times are those of the processor, on one thread, in
one run, so other work on the machine changes them little. The floor is the product of all maps, without a solver.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reidops_models.data import load_dataset
from reidops_models.evaluation import RankingAccumulator, ShortlistAccumulator
from reidops_models.matching import TwoStageMatcher, in_shortlist
from reidops_models.matching.error_bound import least_distances
from reidops_models.matching.exact import ExactMatcher
from reidops_models.retrieval.images import ImageFile, sample_images
from reidops_models.retrieval.model import find_model

SHORTLISTS = (20, 50, 100, 200)
RANKS = (1, 5, 10, 20)
LARGE = 20_000  # images, for one probe; the gallery's, again and again


def product(probes: Sequence[Tensor], gallery: Sequence[Tensor]) -> Tensor:
    atoms = torch.stack(list(gallery)).flatten(2).mT.flatten(0, 1)
    for probe in probes:
        atoms @ probe.flatten(1)
    return torch.empty(0)


def seconds(work: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def scores(distances: Tensor, probes: Sequence[ImageFile], gallery: Sequence[ImageFile]) -> str:
    left, right = (([image.pid for image in side], [image.camid for image in side]) for side in (probes, gallery))
    ranking = RankingAccumulator(*right)  # type: ignore[arg-type]
    ranking.update(distances, *left)  # type: ignore[arg-type]
    kept = ShortlistAccumulator(*right)  # type: ignore[arg-type]
    kept.update(in_shortlist(distances).numpy(), *left)  # type: ignore[arg-type]
    found = ranking.result()
    return f"rank-1 {100 * found.rank(1):5.1f}  mAP {100 * found.mAP:5.1f}  recall {100 * kept.result().recall:5.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--probes", type=int, default=60, help="spread over all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(options.data)
    gallery = sample_images(dataset.gallery, dataset.root)
    every = sample_images(dataset.probes("partial_query"), dataset.root)
    probes = every[:: max(1, len(every) // options.probes)]

    methods = find_model("dsr").methods([image.size for image in gallery])
    assert methods.quick is not None
    whole = TwoStageMatcher(methods.quick, methods.main, 1)
    left, right = (
        whole.embed((image.read() for image in side), role=role)  # type: ignore[arg-type]
        for side, role in ((probes, "probe"), (gallery, "gallery"))
    )
    maps = [[one.second for one in side] for side in (left, right)]
    exhaustive, table = seconds(lambda: methods.main.distances(*maps))
    pairs = len(left) * len(right)
    each = f"exhaustive {1e6 * exhaustive / pairs:.0f} us per pair, on one thread"
    print(f"{len(left)} probes x {len(right)} images; {each}")

    def line(name: str, took: float, rest: str = "") -> None:
        print(f"{name:32s} {took / exhaustive:6.3f} of exhaustive  {rest}")

    line("floor: the product", seconds(lambda: product(*maps))[0])
    beta, scales = methods.main.beta, methods.main.scales  # type: ignore[attr-defined]
    took, least = seconds(lambda: least_distances(maps[0], maps[1], beta, scales=scales))
    never = bool((least <= table).all())
    line("the bound", took, f"of the distance, median {np.median(least / table):.2f}, never more: {never}")
    line("exhaustive", exhaustive, scores(table, probes, gallery))
    for matcher in (TwoStageMatcher(methods.quick, methods.main, shortlist) for shortlist in SHORTLISTS):
        took, found = seconds(lambda: matcher.distances(left, right))  # noqa: B023
        line(matcher.name.removeprefix("DSR multi-scale "), took, scores(found, probes, gallery))
    for ranks in RANKS:
        exact = ExactMatcher(methods.quick, methods.main, 20, ranks)  # type: ignore[arg-type]
        took, found = seconds(lambda: exact.distances(left, right))  # noqa: B023
        same = torch.equal(found.sort(stable=True).values[:, :ranks], table.sort(stable=True).values[:, :ranks])
        line(f"exact to rank {ranks}", took, f"the same: {same}; {exact.cost}")

    many = (right * (LARGE // len(right) + 1))[:LARGE]
    matcher = TwoStageMatcher(methods.quick, methods.main, 100)
    times = [seconds(lambda: matcher.distances(left[:1], many))[0] for _ in range(9)]
    print(f"one probe, {LARGE} images, a shortlist of 100: {1e3 * np.median(times):.0f} ms")


if __name__ == "__main__":
    main()
