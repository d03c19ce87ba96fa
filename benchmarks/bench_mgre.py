"""MGRe with its regions sampled by `reidops.affine_sample`, against the same network with torch's grid_sample.

The floor is the same network on whole maps, without location and sampling. The sampling alone is a group of its own.

    pytest benchmarks/bench_mgre.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.mgre import MgreNetwork, network
from reidops_models.mgre.modules import sample_regions
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.mgre.regions import regions_of

SIZE = (256, 128)
BATCH = 16
Sample = Callable[[Tensor, Tensor, Sequence[tuple[int, int]]], list[Tensor]]
STAGES = {1: (256, 64, 32), 2: (512, 32, 16), 3: (1024, 16, 8)}


def sample_by_torch(maps: Tensor, boxes: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """The same by affine_grid and grid_sample, a region at a time."""
    theta = reidops.boxes_to_theta(boxes)
    found = []
    for region, size in enumerate(sizes):
        grid = F.affine_grid(theta[:, region], [*maps.shape[:2], *size], align_corners=False)
        found.append(F.grid_sample(maps, grid, align_corners=False))
    return found


def measure(benchmark: Any, group: str, run: Callable[[], Any], rounds: int = 7) -> None:
    benchmark.group = f"MGRe, {group}"
    benchmark.extra_info.update(images=BATCH, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=2)


def build(regions: str = "parts") -> tuple[MgreNetwork, Tensor]:
    torch.manual_seed(0)
    options = NetworkOptions(backbone="resnet50_ibn_a", regions=regions)  # type: ignore[arg-type]
    model = MgreNetwork(options, SIZE, identities=1).eval()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload that torch forgot
    return model, torch.rand(BATCH, 3, *SIZE).contiguous(memory_format=torch.channels_last)


def forward(benchmark: Any, model: MgreNetwork, images: Tensor) -> None:
    with torch.inference_mode():
        measure(benchmark, f"forward, {BATCH} images of 256x128", lambda: model.embed(images))


def test_floor_whole_maps(benchmark: Any) -> None:
    forward(benchmark, *build("whole"))


def test_forward(benchmark: Any) -> None:
    forward(benchmark, *build())


def test_forward_with_grid_sample(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = build()
    with torch.inference_mode():
        expected = model.embed(images)
    monkeypatch.setattr(network, "sample_regions", sample_by_torch)
    with torch.inference_mode():
        torch.testing.assert_close(model.embed(images), expected, rtol=1e-3, atol=1e-4)
    forward(benchmark, model, images)


def regions(stage: int) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
    """Maps of the paper's size as the trunk gives them, boxes about the predefined ones, and sizes."""
    torch.manual_seed(stage)
    channels, height, width = STAGES[stage]
    maps = torch.rand(BATCH, channels, height, width).contiguous(memory_format=torch.channels_last)
    centres = torch.tensor([region.centre for region in regions_of(stage)]) + 0.02 * torch.randn(BATCH, 1, 2)
    sizes = [region.size for region in regions_of(stage)]
    half = torch.tensor([(columns / width / 2, rows / height / 2) for rows, columns in sizes]) * 0.9
    return maps, torch.cat((centres - half, centres + half), dim=2), sizes


def train_sampling(benchmark: Any, stage: int, sample: Sample) -> None:
    maps, boxes, sizes = regions(stage)
    maps.requires_grad_()
    boxes.requires_grad_()
    weights = [torch.rand_like(one) for one in sample(maps, boxes, sizes)]

    def step() -> None:
        found = sample(maps, boxes, sizes)
        torch.autograd.grad(found, (maps, boxes), weights)

    measure(benchmark, f"sampling of stage {stage}, forward and backward", step, rounds=15)


every_stage = pytest.mark.parametrize("stage", STAGES)


@every_stage
def test_sampling(benchmark: Any, stage: int) -> None:
    train_sampling(benchmark, stage, sample_regions)


@every_stage
def test_sampling_by_grid_sample(benchmark: Any, stage: int) -> None:
    train_sampling(benchmark, stage, sample_by_torch)
