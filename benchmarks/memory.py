"""Peak memory of a table of distances beside its inputs: ``python -m benchmarks.memory``, a process for each row."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import reidops
from reidops.reference import fista

from .bench_dsr_distance import BETA, Case, maps, rows

CASE = Case(32, 64, 16, 8, 2048)


def with_matrix_product(probe: Tensor, gallery: Tensor) -> Tensor:
    return rows(probe) @ rows(gallery).mT


def with_dsr(probe: Tensor, gallery: Tensor) -> Tensor:
    return reidops.dsr_distance(probe, gallery, BETA)


def with_dsr_in_64_megabytes(probe: Tensor, gallery: Tensor) -> Tensor:
    return reidops.dsr_distance(probe, gallery, BETA, memory_budget=64 << 20)


def with_dsr_and_backward(probe: Tensor, gallery: Tensor) -> Tensor:
    distances = reidops.dsr_distance(probe.requires_grad_(), gallery.requires_grad_(), BETA)
    distances.mean().backward()
    return distances


def with_fista_in_one_batch(probe: Tensor, gallery: Tensor) -> Tensor:
    x, y = rows(probe), gallery.flatten(2).mT
    return fista(y @ y.mT, x @ y.mT, BETA, iterations=2)


WAYS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    with_matrix_product,
    with_dsr,
    with_dsr_in_64_megabytes,
    with_dsr_and_backward,
    with_fista_in_one_batch,
)


def peak_megabytes(index: int, path: str) -> float:
    probe, gallery = torch.load(path, weights_only=True)  # made elsewhere: making them takes more than matching them
    WAYS[index](probe[:1].clone(), gallery[:1].clone())  # what is set up once is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = status("VmRSS")
    WAYS[index](probe, gallery)
    return (status("VmHWM") - before) / 1024


def status(field: str) -> int:
    """A line of Linux's /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def main() -> None:
    sides = maps(CASE)
    size = f"{CASE.height} x {CASE.width} x {CASE.channels}"
    print(f"{CASE.pairs} pairs of {size}; inputs {sum(side.nbytes for side in sides) / 2**20:.0f} MiB")
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        torch.save(sides, file.name)
        for index, way in enumerate(WAYS):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                megabytes = pool.apply(peak_megabytes, (index, file.name))
            print(f"{megabytes:8.0f} MiB  {way.__name__.replace('_', ' ')}")


if __name__ == "__main__":
    main()
