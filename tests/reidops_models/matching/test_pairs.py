"""All pairs in tiles: what a tile may have, and what is made how often."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reidops_models.matching.pairs import compare_in_tiles, pairs_within

PROBES, GALLERY = torch.arange(5.0).unbind(), torch.arange(100.0, 107.0).unbind()


@pytest.mark.parametrize("pairs", [1, 3, 4, 35, 100])
@pytest.mark.parametrize("block", [1, 3, 7, 100])
@pytest.mark.parametrize("keep", [True, False])
def test_every_pair_is_in_one_tile_of_no_more_pairs(pairs: int, block: int, keep: bool) -> None:
    table, seen = torch.zeros(5, 7), torch.zeros(5, 7)
    tiles = compare_in_tiles(
        PROBES,
        GALLERY,
        lambda left, right: right - left[:, None],
        probe_side=torch.stack,
        gallery_side=torch.stack,
        pairs=pairs,
        block=block,
        keep_probes=keep,
    )
    for tile, differences in tiles:
        assert differences.numel() <= pairs
        assert differences.shape[1] <= block
        table[tile] = differences
        seen[tile] += 1
    assert bool((seen == 1).all())
    assert torch.equal(table, torch.stack(GALLERY) - torch.stack(PROBES)[:, None])


@pytest.mark.parametrize(("keep", "expected"), [(True, 5), (False, 3 * 5)])
def test_a_side_is_made_once_for_its_block(keep: bool, expected: int) -> None:
    made: dict[str, int] = {"probes": 0, "gallery": 0}

    def side(which: str, images: tuple[Tensor, ...]) -> Tensor:
        made[which] += len(images)
        return torch.stack(images)

    tiles = compare_in_tiles(
        PROBES,
        GALLERY,
        torch.outer,
        probe_side=lambda images: side("probes", images),  # type: ignore[arg-type]
        gallery_side=lambda images: side("gallery", images),  # type: ignore[arg-type]
        pairs=2,
        block=3,  # so the gallery goes by in three blocks
        keep_probes=keep,
    )
    assert sum(outer.numel() for _, outer in tiles) == 5 * 7
    assert made == {"probes": expected, "gallery": 7}


@pytest.mark.parametrize(("probes", "gallery"), [((), GALLERY), (PROBES, ())])
def test_nothing_to_compare_makes_no_side(probes: tuple[Tensor, ...], gallery: tuple[Tensor, ...]) -> None:
    def side(images: object) -> Tensor:
        raise AssertionError("no side is needed")

    tiles = compare_in_tiles(probes, gallery, torch.outer, probe_side=side, gallery_side=side, pairs=1, block=1)
    assert list(tiles) == []


def test_only_on_a_cpu_the_caches_bound_a_tile() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert pairs_within(1000, 10, cpu, cached=500) == pairs_within(500, 10, gpu, cached=100) == 50
    assert pairs_within(5, 10, cpu, cached=500) == 1
