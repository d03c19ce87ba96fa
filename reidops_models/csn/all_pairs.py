"""All-pairs inference: P probes against G gallery images, in tiles that stay within a memory budget.

What belongs to one image (trunk, localisation, parts, ranking vector) has been done once, `CsnNetwork.describe`. Of a
pair there are left the correlations, and conv4 to conv6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

import reidops
from reidops_models.csn.losses import distances
from reidops_models.csn.network import CONV4, CONV6, DIRECTIONS, CsnDescription, CsnNetwork
from reidops_models.matching import PAIR_MEMORY, cut_pairs, device_of, pair_bar

CACHED = 8 << 20  # bytes of a tile's pairs on a CPU, about: more leave the caches, and take longer
WIDE = 64  # gallery images in a tile, at most


class ComparedTile(NamedTuple):
    """Some probes and some gallery images: their places, and of all pairs the probability of "one person" (p, g)
    and the distance d of eq. 5 (p, g)."""

    probes: slice
    gallery: slice
    matched: Tensor
    distance: Tensor


@torch.inference_mode()
def compare_all(
    network: CsnNetwork,
    probes: Sequence[CsnDescription],
    gallery: Sequence[CsnDescription],
    *,
    memory_budget: int = PAIR_MEMORY,
    progress: bool = False,
) -> Iterator[ComparedTile]:
    """All pairs of probes and gallery images, each in one tile.

    Args:
        network: in evaluation mode.
        probes, gallery: descriptions of an image each, on any device; a tile's are moved to the network's.
        memory_budget: bytes to be held beside network and descriptions, about. A tile has one pair at least.
        progress: show a progress bar, of pairs.
    """
    device = device_of(network)
    budget = memory_budget if device.type != "cpu" else min(memory_budget, CACHED)
    most = max(1, budget // pair_bytes(network))

    @lru_cache(maxsize=1)  # a block's images stay while all probes pass
    def right_of(start: int, stop: int) -> CsnDescription:
        return CsnDescription.stack(gallery[start:stop]).to(device)

    with pair_bar(len(probes) * len(gallery), progress) as bar:
        for tile in cut_pairs(len(probes), len(gallery), most=most, wide=WIDE, bar=bar):
            left, right = (
                CsnDescription.stack(probes[tile.probes]).to(device),
                right_of(tile.block.start, tile.block.stop),
            )
            logits = network.classify(project(network, left, right).flatten(0, 1))
            matched = logits.softmax(dim=1)[:, 1].unflatten(0, (len(left), -1))
            yield ComparedTile(tile.probes, tile.gallery, matched, distances(left.vectors[:, None], right.vectors))


def project(network: CsnNetwork, probes: CsnDescription, gallery: CsnDescription) -> Tensor:
    """What conv4 makes of all pairs' score maps, before its normalisation: (p, g, 32, 20, 8).

    conv4 is linear: it takes the maps of a level and a direction at a time, and on a CPU they are never held
    (`reidops.projected_xcorr`).
    """
    weight = network.conv4.convolution.weight.view(CONV4, len(network.levels), DIRECTIONS, network.stripes, -1)
    parts = []
    for level, pooled in enumerate(network.pooled):
        sides = ((gallery, probes), (probes, gallery))
        for direction, (maps_of, parts_of) in enumerate(sides):
            maps, templates = maps_of.maps[level], parts_of.parts[level]
            maps, templates = (maps, templates[:, None]) if direction == 0 else (maps[:, None], templates)
            parts.append(reidops.projected_xcorr(maps, templates, weight[:, level, direction], pool=pooled))
    return torch.stack(parts).sum(dim=0)


def pair_bytes(network: CsnNetwork) -> int:
    """Of a pair on its way, about: what conv4 makes of each level and direction, and what conv6 makes, normalised and
    not; on a GPU, the score maps of one direction at the largest level, too."""
    pixels = [height * width for height, width in network.map_sizes]
    projected = 2 * DIRECTIONS * len(pixels) * CONV4 * min(pixels)
    score_maps = 2 * network.stripes * network.channels * max(pixels)
    classified = 3 * CONV6 * min(pixels) // 4
    return 4 * (projected + classified + (score_maps if device_of(network).type != "cpu" else 0))
