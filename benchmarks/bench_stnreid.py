"""One-to-many matching by STNReID against the naive way: concatenate, expand, affine_grid and grid_sample.

The floor is the ReID module alone on as many images as there are pairs: no way can do without it. `before the trunk` is
what is left when it is taken away: localisation network and sampling.

    pytest benchmarks/bench_stnreid.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.stnreid import StnMatcher, StnreidNetwork
from reidops_models.stnreid.all_pairs import CACHED, ImageFeature, pair_bytes
from reidops_models.stnreid.recipe import NetworkOptions


class Case(NamedTuple):
    backbone: str
    size: tuple[int, int]
    probes: int
    gallery: int
    rounds: int


CASES = {
    "ResNet-50, 256x128, 4 x 8": Case("resnet50", (256, 128), 4, 8, 3),
    "slim ResNet, 128x64, 16 x 32": Case("resnet_slim", (128, 64), 16, 32, 5),
}
every_case = pytest.mark.parametrize("name", CASES)
Run = Callable[[], Any]


class Search:
    """A network whose theta differ from pair to pair, and the images of both sides."""

    def __init__(self, name: str) -> None:
        self.case = case = CASES[name]
        torch.manual_seed(0)
        options = NetworkOptions(backbone=case.backbone)  # type: ignore[arg-type]
        self.network = StnreidNetwork(options, case.size, identities=1).eval()
        torch.nn.init.normal_(self.network.localisation.last.weight, std=0.05)
        matcher = StnMatcher(self.network)
        self.probes = matcher.embed(torch.rand(case.probes, 3, *case.size))
        self.gallery = matcher.embed(torch.rand(case.gallery, 3, *case.size))

    @property
    def pairs(self) -> int:
        return self.case.probes * self.case.gallery

    def tiles(self) -> Tensor:
        return StnMatcher(self.network).distances(self.probes, self.gallery)

    @torch.inference_mode()
    def naive(self, at_once: int) -> Tensor:
        """Every probe against `at_once` gallery images in a batch."""
        network, rows = self.network, []
        for probe in self.probes:
            parts = [self.gallery[i : i + at_once] for i in range(0, len(self.gallery), at_once)]
            features = [network.embed(naive_affined(network, probe, part)) for part in parts]
            rows.append((torch.cat(features) - probe.feature).norm(dim=1))
        return torch.stack(rows)

    @torch.inference_mode()
    def trunk(self) -> None:
        count = min(self.case.gallery, CACHED // pair_bytes(self.network))
        images = torch.rand(count, 3, *self.case.size).contiguous(memory_format=torch.channels_last)
        for start in range(0, self.pairs, count):
            self.network.embed(images[: self.pairs - start])


def naive_affined(network: StnreidNetwork, probe: ImageFeature, gallery: list[ImageFeature]) -> Tensor:
    holistic = torch.stack([one.image for one in gallery])
    theta = network.locate(holistic, probe.image.expand_as(holistic))
    grid = F.affine_grid(theta, list(holistic.shape), align_corners=False)
    return F.grid_sample(holistic, grid, align_corners=False)


def measure(benchmark: Any, group: str, search: Search, run: Run) -> None:
    benchmark.group = f"STNReID, {group}"
    benchmark.extra_info.update(pairs=search.pairs, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=search.case.rounds, warmup_rounds=1)


@every_case
def test_floor_trunk_alone(benchmark: Any, name: str) -> None:
    search = Search(name)
    measure(benchmark, name, search, search.trunk)


@every_case
def test_one_to_many(benchmark: Any, name: str) -> None:
    search = Search(name)
    measure(benchmark, name, search, search.tiles)
    torch.testing.assert_close(search.tiles(), search.naive(search.case.gallery), rtol=1e-3, atol=1e-3)


@every_case
def test_naive_a_probe_at_once(benchmark: Any, name: str) -> None:
    search = Search(name)
    measure(benchmark, name, search, lambda: search.naive(search.case.gallery))


@every_case
def test_naive_pair_by_pair(benchmark: Any, name: str) -> None:
    search = Search(name)
    measure(benchmark, name, search, lambda: search.naive(1))


def before_the_trunk(search: Search) -> Search:
    """The same, with a ReID module that looks at one number of each image."""
    search.network.embed = lambda images: images[:, :, 0, 0]  # type: ignore[method-assign]
    search.probes = [one._replace(feature=one.image[:, 0, 0]) for one in search.probes]
    return search


@every_case
def test_one_to_many_before_the_trunk(benchmark: Any, name: str) -> None:
    search = before_the_trunk(Search(name))
    measure(benchmark, f"{name}, before the trunk", search, search.tiles)


@every_case
def test_naive_a_probe_at_once_before_the_trunk(benchmark: Any, name: str) -> None:
    search = before_the_trunk(Search(name))
    measure(benchmark, f"{name}, before the trunk", search, lambda: search.naive(search.case.gallery))


@every_case
def test_naive_pair_by_pair_before_the_trunk(benchmark: Any, name: str) -> None:
    search = before_the_trunk(Search(name))
    measure(benchmark, f"{name}, before the trunk", search, lambda: search.naive(1))
