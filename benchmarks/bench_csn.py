"""All-pairs matching by CSN against the naive way: both images of every pair through the whole network.

The floor describes each image once, which every method must do. The paper takes 1.6 s for 1,250 pairs on a Titan X
(sec. 4.2), so we time 1,250 pairs too.

    pytest benchmarks/bench_csn.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reidops_models.csn import CsnMatcher, CsnNetwork
from reidops_models.csn.network import CsnDescription
from reidops_models.csn.recipe import NetworkOptions

SIZE, PROBES, GALLERY = (160, 60), 25, 50
AT_ONCE = 16  # pairs in a batch of the naive way
CASES: dict[str, NetworkOptions] = {
    "levels 2 and 3": NetworkOptions(),
    "levels 2, 3 and 4": NetworkOptions(levels=(2, 3, 4)),
}
every_case = pytest.mark.parametrize("name", CASES)


class Search:
    """A network, and the images of both sides."""

    def __init__(self, name: str) -> None:
        torch.manual_seed(0)
        self.network = CsnNetwork(CASES[name], SIZE).eval()
        self.matcher = CsnMatcher(self.network)
        self.probes, self.gallery = torch.rand(PROBES, 3, *SIZE), torch.rand(GALLERY, 3, *SIZE)

    def describe(self) -> tuple[list[CsnDescription], list[CsnDescription]]:
        return self.matcher.embed(self.probes, role="probe"), self.matcher.embed(self.gallery)

    def all_pairs(self) -> Tensor:
        return self.matcher.distances(*self.describe())

    @torch.inference_mode()
    def naive(self) -> Tensor:
        """Every pair through the network, `AT_ONCE` in a batch."""
        rows = []
        for pairs in torch.cartesian_prod(torch.arange(PROBES), torch.arange(GALLERY)).split(AT_ONCE):
            probes, gallery = (
                self.network.describe(side[index])
                for side, index in zip((self.probes, self.gallery), pairs.unbind(1), strict=True)
            )
            matched = self.network.compare(probes, gallery).softmax(dim=1)[:, 1]
            d = torch.linalg.vector_norm(probes.vectors - gallery.vectors, dim=1)
            rows.append(-(matched + self.matcher.ranking / (d + self.matcher.epsilon)))
        return torch.cat(rows).view(PROBES, GALLERY)


def measure(benchmark: Any, name: str, run: Callable[[], Any], rounds: int) -> None:
    benchmark.group = f"CSN, {PROBES} x {GALLERY} pairs, {name}"
    benchmark.extra_info.update(pairs=PROBES * GALLERY, threads=torch.get_num_threads())
    benchmark.pedantic(run, rounds=rounds, warmup_rounds=1)


@every_case
def test_floor_images_once(benchmark: Any, name: str) -> None:
    measure(benchmark, name, Search(name).describe, 5)


@every_case
def test_all_pairs(benchmark: Any, name: str) -> None:
    search = Search(name)
    measure(benchmark, name, search.all_pairs, 5)
    torch.testing.assert_close(search.all_pairs(), search.naive(), rtol=1e-3, atol=1e-3)


@every_case
def test_naive_pair_by_pair(benchmark: Any, name: str) -> None:
    measure(benchmark, name, Search(name).naive, 1)
