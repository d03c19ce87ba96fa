"""Peak memory beside the inputs: ``python -m benchmarks.memory``, a process for each row."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import reidops
from reidops.reference import fista

from .bench_affine_sample import CASES, sampled, sampled_by_torch
from .bench_affine_sample import inputs as pictures_and_maps
from .bench_dsr_distance import BETA, Case, maps, rows
from .bench_projected_xcorr import CASES as PROJECTIONS
from .bench_projected_xcorr import by_torch, one_after_another, projected
from .bench_projected_xcorr import inputs as maps_and_parts

DISTANCES = Case(32, 64, 16, 8, 2048)
SAMPLED = "STNReID, 1 picture x 32"
PROJECTED = "CSN level 2, 4 x 8 pairs"
Way = Callable[[Tensor, Tensor], Tensor]


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


def with_affine_sample(pictures: Tensor, theta: Tensor) -> Tensor:
    return sampled(pictures, theta, CASES[SAMPLED].sampled)


def with_affine_sample_and_backward(pictures: Tensor, theta: Tensor) -> Tensor:
    return and_backward(with_affine_sample, pictures, theta)


def with_torch(pictures: Tensor, theta: Tensor) -> Tensor:
    return sampled_by_torch(pictures, theta, CASES[SAMPLED].sampled)


def with_torch_and_backward(pictures: Tensor, theta: Tensor) -> Tensor:
    return and_backward(with_torch, pictures, theta)


def and_backward(way: Way, pictures: Tensor, theta: Tensor) -> Tensor:
    output = way(pictures.requires_grad_(), theta.requires_grad_())
    output.backward(output.detach())  # a gradient that is there already
    return output


def weight() -> Tensor:
    return maps_and_parts(PROJECTIONS[PROJECTED])[2]


def with_projected_xcorr(search: Tensor, template: Tensor) -> Tensor:
    return projected(search, template, weight(), PROJECTIONS[PROJECTED].pool)


def with_depthwise_xcorr_and_convolution(search: Tensor, template: Tensor) -> Tensor:
    return one_after_another(search, template, weight(), PROJECTIONS[PROJECTED].pool)


def with_convolutions_of_torch(search: Tensor, template: Tensor) -> Tensor:
    return by_torch(search, template, weight(), PROJECTIONS[PROJECTED].pool)


DISTANCE_WAYS: tuple[Way, ...] = (
    with_matrix_product,
    with_dsr,
    with_dsr_in_64_megabytes,
    with_dsr_and_backward,
    with_fista_in_one_batch,
)
SAMPLING_WAYS: tuple[Way, ...] = (
    with_affine_sample,
    with_torch,
    with_affine_sample_and_backward,
    with_torch_and_backward,
)

PROJECTION_WAYS: tuple[Way, ...] = (
    with_projected_xcorr,
    with_depthwise_xcorr_and_convolution,
    with_convolutions_of_torch,
)


def peak_megabytes(way: Way, path: str) -> float:
    first, second = torch.load(path, weights_only=True)  # made elsewhere: making them takes more than working on them
    one = (slice(1), slice(1)) if way in SAMPLING_WAYS else slice(1)  # a map, a gallery image, a probe's parts
    way(first[:1].clone(), second[one].clone())  # what is set up once is not counted
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = status("VmRSS")
    way(first, second)
    return (status("VmHWM") - before) / 1024


def status(field: str) -> int:
    """A line of Linux's /proc/self/status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def measure(title: str, inputs: tuple[Tensor, Tensor], ways: tuple[Way, ...]) -> None:
    print(f"{title}; inputs {sum(side.nbytes for side in inputs) / 2**20:.1f} MiB")
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        torch.save(inputs, file.name)
        for way in ways:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                megabytes = pool.apply(peak_megabytes, (way, file.name))
            print(f"{megabytes:8.0f} MiB  {way.__name__.replace('_', ' ')}")


def main() -> None:
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(1 << 16)  # in the processes below: what is freed is given back
    case = DISTANCES
    size = f"{case.height} x {case.width} x {case.channels}"
    measure(f"{case.pairs} pairs of {size}", maps(case), DISTANCE_WAYS)
    output = CASES[SAMPLED].samples * CASES[SAMPLED].channels * torch.Size(CASES[SAMPLED].sampled).numel() * 4
    search, template, _ = maps_and_parts(PROJECTIONS[PROJECTED])
    measure(PROJECTED, (search, template), PROJECTION_WAYS)
    measure(f"{SAMPLED}, output {output / 2**20:.0f} MiB", pictures_and_maps(CASES[SAMPLED]), SAMPLING_WAYS)


if __name__ == "__main__":
    main()
