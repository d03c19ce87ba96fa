"""k-reciprocal re-ranking, sparse and dense: ``python -m benchmarks.reranking_memory``, a process for each row.

Peak memory beside the descriptors, and time. The floor is the product of all descriptors alone, in blocks. The rival
holds what the public programs hold: all distances, all ranks, and V before and after it is averaged, each N x N. The
last case is Market-1501's size. There the dense rival would need more than the N x N distances, which are written
beside; so only the sparse way is run.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.memory import status
from reidops_models.reranking import k_reciprocal, neighbour_lists
from reidops_models.reranking.neighbours import Array

K1, K2, WEIGHT = 20, 6, 0.3
CHANNELS = 64
LONGER = 40  # entries of the lists


class Case(NamedTuple):
    """So many probes and gallery images, of so many people."""

    probes: int
    gallery: int
    people: int

    @property
    def images(self) -> int:
        return self.probes + self.gallery


CASES = (Case(292, 1708, 65), Case(584, 3416, 130), Case(3368, 19732, 750))
DENSE = 4000  # images at most, for the rival


def descriptors(case: Case) -> Array:
    random = np.random.default_rng(0)
    centres = random.normal(size=(case.people, CHANNELS))
    found = centres[random.integers(0, case.people, case.images)] + random.normal(size=(case.images, CHANNELS))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def block(left: Array, right: Array) -> Array:
    return np.sqrt(np.maximum(2 - 2 * left @ right.T, 0))


def product(vectors: Array, case: Case) -> Array | None:
    for start in range(0, len(vectors), 256):
        for other in range(0, len(vectors), 8192):
            block(vectors[start : start + 256], vectors[other : other + 8192])
    return None


def sparse(vectors: Array, case: Case) -> Array | None:
    lists = neighbour_lists(lambda rows, columns: block(vectors[rows], vectors[columns]), len(vectors), LONGER)

    def pairs(rows: Array, columns: Array) -> Array:
        return np.concatenate(
            [
                np.linalg.norm(vectors[rows[start : start + 65536]] - vectors[columns[start : start + 65536]], axis=1)
                for start in range(0, max(1, len(rows)), 65536)
            ]
        )

    found = k_reciprocal(lists, case.probes, k1=K1, k2=K2, weight=WEIGHT, unit=1.0, pairs=pairs)
    if case.images > DENSE:
        certain = [found.shortlist(probe)[2] for probe in range(case.probes)]
        print(
            f"          stored: {found.similarity.nnz / case.probes:.0f} pairs per probe; ranks that are certain, "
            f"median {np.median(certain):.0f}"
        )
        return None
    return found.rows(block(vectors[: case.probes], vectors[case.probes :]))


def dense(vectors: Array, case: Case) -> Array | None:
    """The paper's equations on matrices of all pairs."""
    distances = block(vectors, vectors)
    np.fill_diagonal(distances, 0)
    ranks = np.argsort(distances, axis=1, kind="stable").astype(np.int32)
    count = len(vectors)
    half = (K1 + 1) // 2

    def reciprocal(i: int, k: int) -> Array:
        near = ranks[i, : k + 1]
        return near[(ranks[near, : k + 1] == i).any(axis=1)]

    encoded = np.zeros_like(distances)
    for i in range(count):
        own = reciprocal(i, K1)
        parts = [own]
        for j in own:
            other = reciprocal(j, half)
            if 3 * len(np.intersect1d(own, other)) >= 2 * len(other):
                parts.append(other)
        star = np.unique(np.concatenate(parts))
        encoded[i, star] = np.exp(-distances[i, star])
    averaged = np.stack([encoded[ranks[i, :K2]].mean(axis=0) for i in range(count)])
    gallery = averaged[case.probes :]
    jaccard = np.empty((case.probes, case.gallery))
    for p in range(case.probes):
        columns = np.flatnonzero(averaged[p])
        least = np.minimum(averaged[p, columns], gallery[:, columns]).sum(axis=1)
        jaccard[p] = 1 - least / (averaged[p].sum() + gallery.sum(axis=1) - least)
    final: Array = (1 - WEIGHT) * jaccard + WEIGHT * distances[: case.probes, case.probes :]
    return final


Way = Callable[[Array, Case], "Array | None"]


def measured(way: Way, case: Case) -> tuple[float, float, Array | None]:
    """Seconds, MiB at most beside the descriptors, and the final distances where they are made."""
    small = CASES[0]._replace(probes=20, gallery=100, people=10)
    way(descriptors(small), small)  # what is set up once is not counted
    vectors = descriptors(case)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before, start = status("VmRSS"), time.perf_counter()
    found = way(vectors, case)
    return time.perf_counter() - start, (status("VmHWM") - before) / 1024, found


def main() -> None:
    for case in CASES:
        table = case.images**2 * 4 / 2**20
        print(f"{case.probes} probes, {case.gallery} gallery images; a matrix of all pairs in float32: {table:.0f} MiB")
        ways = (product, sparse, dense) if case.images <= DENSE else (product, sparse)
        answers, floor = [], 0.0
        for way in ways:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds, megabytes, found = pool.apply(measured, (way, case))
            floor = floor or seconds
            answers += [] if found is None else [found]
            print(
                f"{way.__name__:8s}  {seconds:7.2f} s, {seconds / floor:5.1f} of the product; "
                f"{megabytes:6.0f} MiB, {megabytes / table:.2f} of the matrix"
            )
        if len(answers) == 2:
            print(f"largest difference of final distances {abs(answers[0] - answers[1]).max():.1e}")


if __name__ == "__main__":
    main()
