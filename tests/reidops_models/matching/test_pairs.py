"""Tiles of pairs: each pair once, within the bound, block after block."""

from __future__ import annotations

import pytest
import torch

from reidops_models.matching import cut_pairs, pair_bar


@pytest.mark.parametrize(
    ("most", "wide", "block"), [(1, None, None), (7, None, 5), (6, 4, None), (100, 3, 4), (100, None, None)]
)
def test_each_pair_is_in_one_tile_within_the_bound(most: int, wide: int | None, block: int | None) -> None:
    seen = torch.zeros(5, 11, dtype=torch.int64)
    blocks = []
    with pair_bar(seen.numel(), progress=False) as bar:
        for tile in cut_pairs(5, 11, most=most, wide=wide, block=block, bar=bar):
            seen[tile.probes, tile.gallery] += 1
            assert tile.pairs == seen[tile.probes, tile.gallery].numel() <= most
            assert wide is None or tile.gallery.stop - tile.gallery.start <= wide
            inner = range(11)[tile.block][tile.in_block]
            assert list(inner) == list(range(11)[tile.gallery])
            blocks.append(tile.block.start)
    assert (seen == 1).all()
    assert blocks == sorted(blocks)  # a block is done when the next one comes


@pytest.mark.parametrize(("probes", "gallery"), [(0, 3), (3, 0)])
def test_no_pairs_are_no_tiles(probes: int, gallery: int) -> None:
    assert list(cut_pairs(probes, gallery, most=4)) == []
