"""Peak memory and time of an evaluation within a budget: ``python -m benchmarks.evaluation_memory [maps|distances]``.

Two cases, each row in a process of its own:

- `maps`: DSR on maps of 192 x 8 x 4, a gallery of Market-1501's size, 19,732, and a part of its 3,368 probes
  (`--part`), because the lasso of all 66 million pairs takes longer than one would wait. "Holding everything" embeds
  all, makes one table and scores it, as `evaluate` did before; the others are `distance_tables` within a budget.
- `distances`: scores of MSMT17's size, 11,659 x 82,161, from distances that are drawn a block at a time; the whole
  matrix would take 3.6 GiB.

Memory is what the process holds beside what it held before (Linux's VmHWM), so without torch and the program.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidops_models.matching import BlockMatcher, Images, Role, distance_tables
from reidops_models.retrieval.scores import Labels, Scorer

from .memory import status

PROBES, GALLERY, PEOPLE, CAMERAS = 3_368, 19_732, 750, 6  # as Market-1501
MANY_PROBES, MANY_GALLERY, MANY_PEOPLE = 11_659, 82_161, 3_060  # as MSMT17
CHANNELS, HEIGHT, WIDTH = 192, 8, 4


class DrawnMaps(BlockMatcher):
    """DSR on maps that are drawn and not computed; an image is the number that they are drawn by."""

    name = "DSR"

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1), (HEIGHT, WIDTH))  # which is never asked

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        maps = []
        for image in images:
            generator = torch.Generator().manual_seed(int(image))
            drawn = torch.rand(CHANNELS, HEIGHT, WIDTH, generator=generator)
            maps.append(torch.nn.functional.normalize(drawn, dim=0))
        return maps


def sides(probes: int) -> tuple[Images, Images]:
    return (
        Images(lambda: (torch.tensor(place) for place in range(probes)), probes),
        Images(lambda: (torch.tensor(PROBES + place) for place in range(GALLERY)), GALLERY),
    )


def labels(probes: int, gallery: int, people: int) -> Labels:
    rng = np.random.default_rng(0)
    sizes = ((people, probes), (people, gallery), (CAMERAS, probes), (CAMERAS, gallery))
    probe_pids, gallery_pids, probe_camids, gallery_camids = (rng.integers(0, high, size) for high, size in sizes)
    return Labels(probe_pids, gallery_pids, probe_camids, gallery_camids)


def holding_everything(probes: int, _: int) -> float:
    matcher, (left, right) = DrawnMaps(), sides(probes)
    distances = matcher.distances(matcher.embed(left.read(), role="probe"), matcher.embed(right.read()))
    scorer = Scorer(labels(probes, GALLERY, PEOPLE))
    scorer.add(slice(None), distances)
    return scorer.result().ranking.mAP


def within_a_budget(probes: int, memory: int) -> float:
    scorer = Scorer(labels(probes, GALLERY, PEOPLE))
    ((_, table),) = distance_tables([DrawnMaps()], *sides(probes), memory=memory)
    for rows, block in table.blocks(memory // 32):
        scorer.add(rows, block)
    return scorer.result().ranking.mAP


def drawn_distances(probes: int, memory: int) -> float:
    scorer = Scorer(labels(probes, MANY_GALLERY, MANY_PEOPLE))
    for rows, block in blocks(probes, max(1, memory // 32 // (4 * MANY_GALLERY))):
        scorer.add(rows, block)
    return scorer.result().ranking.mAP


def blocks(probes: int, step: int) -> Iterator[tuple[slice, np.ndarray]]:
    rng = np.random.default_rng(1)
    for start in range(0, probes, step):
        stop = min(start + step, probes)
        yield slice(start, stop), rng.random((stop - start, MANY_GALLERY), dtype=np.float32)


def measure(way: Callable[[int, int], float], probes: int, memory: int) -> tuple[float, float, float]:
    """MiB, seconds, and the mean average precision."""
    torch.set_num_threads(1)
    if way is not drawn_distances:
        matcher = DrawnMaps()
        some = matcher.embed([torch.tensor(0)])
        matcher.distances(some, some)  # what is set up once is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, start = status("VmRSS"), time.perf_counter()
    found = way(probes, memory)
    return (status("VmHWM") - before) / 1024, time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=["maps", "distances"], metavar="maps|distances")
    parser.add_argument("--part", type=float, default=0.02, help="of the probes of maps (default: %(default)s)")
    parser.add_argument("--memory", type=float, nargs="*", default=[0.25, 1.0], help="budgets in GiB")
    options = parser.parse_args()
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)  # in the processes below: what is freed is given back
    budgets = [int(memory * (1 << 30)) for memory in options.memory]
    rows: list[tuple[str, Any, int, int]] = []
    if "maps" in options.cases:
        probes = max(1, round(options.part * PROBES))
        rows.append((f"maps of {probes} x {GALLERY}: holding everything", holding_everything, probes, 0))
        rows += [(f"maps of {probes} x {GALLERY}: {m >> 20} MiB", within_a_budget, probes, m) for m in budgets]
    if "distances" in options.cases:
        size = f"{MANY_PROBES} x {MANY_GALLERY}"
        rows += [
            (f"distances of {size}: {memory >> 20} MiB", drawn_distances, MANY_PROBES, memory) for memory in budgets
        ]
    for title, way, probes, memory in rows:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            megabytes, seconds, found = pool.apply(measure, (way, probes, memory))
        print(f"{megabytes:8.0f} MiB {seconds:8.1f} s  {title} (mAP {found:.6f})", flush=True)


if __name__ == "__main__":
    main()
