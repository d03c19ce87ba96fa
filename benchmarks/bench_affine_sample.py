"""affine_sample against torch's affine_grid, expand and grid_sample, at the sizes of three papers.

In each group the floor is a copy of the output's bytes (there and, with gradients, of the input's and the output's
again); the rival is the same call written with torch. `only theta` has no gradient of the pictures, as where an STN
learns to crop them. `unshared` has as many pictures as the one picture's gradient has parts, each with its share of the
maps: the same work, but for the ordered addition of the parts that makes gradients the same in every run.

One large picture under one map has two more rivals, OpenCV and kornia, each as the sweep calls it, in the layout that
it likes best; a row is skipped where its rival is missing:
`pip install --no-deps opencv-python-headless kornia kornia-rs`.

    pytest benchmarks/bench_affine_sample.py --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import reidops
from benchmarks.sweep import affine_sample as sweep


class Case(NamedTuple):
    pictures: int
    maps: int  # affine maps of each picture
    channels: int
    size: tuple[int, int]
    sampled: tuple[int, int]

    @property
    def samples(self) -> int:
        return self.pictures * self.maps


CASES = {
    "STNReID, 1 picture x 32": Case(1, 32, 3, (256, 128), (256, 128)),
    "CSN, 32 maps x 3": Case(32, 3, 96, (40, 15), (10, 10)),
    "MGRe, 8 maps x 4": Case(8, 4, 256, (64, 32), (32, 16)),
}
Function = Callable[[Tensor, Tensor, tuple[int, int]], Tensor]


def inputs(case: Case) -> tuple[Tensor, Tensor]:
    """Pictures, and maps that zoom to about 0.6 of them, turned a little: ``(pictures, maps, 2, 3)``."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(case.pictures, case.channels, *case.size, generator=generator)
    noise = torch.randn(case.pictures, case.maps, 2, 3, generator=generator)
    return pictures, 0.6 * torch.eye(2, 3) + 0.1 * noise


def sampled(pictures: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    return reidops.affine_sample(pictures[:, None], theta, size)


def sampled_by_torch(pictures: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    batch, channels = theta.shape[:2], pictures.shape[1]
    expanded = pictures[:, None].expand(*batch, *pictures.shape[1:]).flatten(0, 1)
    grid = F.affine_grid(theta.flatten(0, 1), [len(expanded), channels, *size], align_corners=False)
    return F.grid_sample(expanded, grid, align_corners=False).unflatten(0, batch)


def measure(benchmark: Any, group: str, run: Callable[[], Any]) -> None:
    benchmark.group = group
    benchmark.extra_info.update(calls=1, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=15, warmup_rounds=2)


def forward(benchmark: Any, name: str, function: Function, pictures: Tensor, theta: Tensor) -> None:
    with torch.no_grad():
        measure(benchmark, f"{name}: forward", lambda: function(pictures, theta, CASES[name].sampled))


def forward_and_backward(
    benchmark: Any, name: str, function: Function, pictures: Tensor, theta: Tensor, *, of_pictures: bool = True
) -> None:
    case = CASES[name]
    grad = torch.rand(case.pictures, case.maps, case.channels, *case.sampled)
    pictures.requires_grad_(of_pictures)
    theta.requires_grad_()

    def run() -> None:
        pictures.grad = theta.grad = None
        function(pictures, theta, case.sampled).backward(grad)

    measure(benchmark, f"{name}: forward and backward", run)


every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_floor_copy(benchmark: Any, name: str) -> None:
    output = sampled(*inputs(CASES[name]), CASES[name].sampled)
    to = torch.empty_like(output)
    measure(benchmark, f"{name}: forward", lambda: to.copy_(output))


@every_case
def test_affine_sample(benchmark: Any, name: str) -> None:
    forward(benchmark, name, sampled, *inputs(CASES[name]))


@every_case
def test_affine_sample_channels_last(benchmark: Any, name: str) -> None:
    pictures, theta = inputs(CASES[name])
    forward(benchmark, name, sampled, pictures.contiguous(memory_format=torch.channels_last), theta)


@every_case
def test_affine_sample_nearest(benchmark: Any, name: str) -> None:
    """One pixel for each sample: what any cleverer way to read four could come to."""

    def nearest(pictures: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
        return reidops.affine_sample(pictures[:, None], theta, size, mode="nearest")

    forward(benchmark, name, nearest, *inputs(CASES[name]))


@every_case
def test_torch(benchmark: Any, name: str) -> None:
    forward(benchmark, name, sampled_by_torch, *inputs(CASES[name]))


@every_case
def test_floor_copies(benchmark: Any, name: str) -> None:
    pictures, theta = inputs(CASES[name])
    output = sampled(pictures, theta, CASES[name].sampled)
    values = (output, output.clone(), pictures)
    to = [torch.empty_like(value) for value in values]
    measure(
        benchmark,
        f"{name}: forward and backward",
        lambda: [one.copy_(value) for one, value in zip(to, values, strict=True)],
    )


@every_case
def test_affine_sample_gradients(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, sampled, *inputs(CASES[name]))


def test_affine_sample_gradients_unshared(benchmark: Any) -> None:
    name, parts = "STNReID, 1 picture x 32", 16
    pictures, theta = inputs(CASES[name])
    pictures = pictures.repeat(parts, 1, 1, 1).requires_grad_()
    theta = theta.reshape(parts, -1, 2, 3).requires_grad_()
    grad = torch.rand(*theta.shape[:2], *pictures.shape[1:])

    def run() -> None:
        pictures.grad = theta.grad = None
        sampled(pictures, theta, CASES[name].sampled).backward(grad)

    measure(benchmark, f"{name}: forward and backward", run)


@every_case
def test_affine_sample_only_theta(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, sampled, *inputs(CASES[name]), of_pictures=False)


@every_case
def test_torch_gradients(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, sampled_by_torch, *inputs(CASES[name]))


@every_case
def test_torch_only_theta(benchmark: Any, name: str) -> None:
    forward_and_backward(benchmark, name, sampled_by_torch, *inputs(CASES[name]), of_pictures=False)


RGB, LARGE = 3, (1080, 1920)


def large(kind: str, *, channels_last: bool) -> sweep.Case:
    """One picture of colours under one map."""
    return sweep.Case(RGB, LARGE, 1, LARGE, kind, channels_last, backward=False)


def large_picture(benchmark: Any, kind: str, way: str, *, channels_last: bool = False) -> None:
    run = sweep.rivals(large(kind, channels_last=channels_last))[way]
    measure(benchmark, f"1 picture of 1080x1920, {kind}: forward", run)


every_kind = pytest.mark.parametrize("kind", ["boxes", "rotations"])  # as the sweep calls them


@every_kind
def test_floor_copy_of_large_picture(benchmark: Any, kind: str) -> None:
    picture = torch.rand(RGB, *LARGE)
    to = torch.empty_like(picture)
    measure(benchmark, f"1 picture of 1080x1920, {kind}: forward", lambda: to.copy_(picture))


@every_kind
def test_large_picture(benchmark: Any, kind: str) -> None:
    large_picture(benchmark, kind, "reidops")


@every_kind
def test_large_picture_channels_last(benchmark: Any, kind: str) -> None:
    large_picture(benchmark, kind, "reidops", channels_last=True)


@every_kind
def test_large_picture_by_torch(benchmark: Any, kind: str) -> None:
    large_picture(benchmark, kind, "torch")


@every_kind
def test_large_picture_by_opencv(benchmark: Any, kind: str) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    large_picture(benchmark, kind, "OpenCV", channels_last=True)


@every_kind
def test_large_picture_by_kornia(benchmark: Any, kind: str) -> None:
    pytest.importorskip("kornia", reason="kornia is not installed")
    large_picture(benchmark, kind, "kornia")
