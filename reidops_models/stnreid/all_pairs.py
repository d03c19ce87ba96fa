"""One-to-many inference: P partial images against G holistic ones, in tiles that stay within a memory budget.

Of a pair, only what depends on both images is computed for both: the localisation network behind its first layer, the
sampling, and the ReID module on the affined image. What belongs to one image is computed once
(`LocalisationNetwork.holistic_maps`), and no holistic image is copied (`reidops.affine_sample` broadcasts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reidops_models.matching import PAIR_MEMORY, cut_pairs, device_of, pair_bar
from reidops_models.stnreid.network import StnreidNetwork

CACHED = 64 << 20  # bytes of a tile's pairs on a CPU, about: more leave the caches, and take longer
GALLERY_BLOCK = 1024  # images whose first layer is kept: the probes' is made again for each block, if it is not kept


class ImageFeature(NamedTuple):
    """An image (3, H, W) as the network takes it, and its global feature (C,)."""

    image: Tensor
    feature: Tensor


class AlignedTile(NamedTuple):
    """Some probes and some gallery images: their places, the holistic images (g, 3, H, W), and theta (p, g, 2, 3) of
    all pairs. :func:`affined_features` goes on from there."""

    probes: slice
    gallery: slice
    images: Tensor
    theta: Tensor


class Side:
    """The images of one side as they are paired: (N, 3, H, W), and what they add to the first layer's maps."""

    def __init__(self, network: StnreidNetwork, embedded: Sequence[ImageFeature], holistic: bool) -> None:
        images = torch.stack([one.image for one in embedded]).to(device_of(network))
        # Channels-last input keeps the sampled images channels-last, which speeds up the backbone.
        self.images = images.contiguous(memory_format=torch.channels_last)
        half = network.localisation.holistic_maps if holistic else network.localisation.partial_maps
        self.maps = half(network.normalised(self.images))


@torch.inference_mode()
def match_tiles(
    network: StnreidNetwork,
    probes: Sequence[ImageFeature],
    gallery: Sequence[ImageFeature],
    *,
    memory_budget: int = PAIR_MEMORY,
    progress: bool = False,
) -> Iterator[AlignedTile]:
    """All pairs of probes and gallery images, each in one tile.

    Args:
        network: in evaluation mode.
        probes, gallery: partial and holistic images.
        memory_budget: bytes to be held beside network and images, about, also by :func:`affined_features` of a tile.
            A tile has one pair at least.
        progress: show a progress bar, of pairs.
    """
    per_pair, per_image = pair_bytes(network), image_bytes(network)
    # A half for a tile's pairs, a quarter for the gallery block's first layer, a quarter for the probes'.
    tile = memory_budget // 2 if device_of(network).type != "cpu" else min(memory_budget // 2, CACHED)
    most = max(1, tile // per_pair)
    block = max(1, min(GALLERY_BLOCK, memory_budget // 4 // per_image))

    @lru_cache(maxsize=1)  # a block's images stay while all probes pass
    def right_of(start: int, stop: int) -> Side:
        return Side(network, gallery[start:stop], holistic=True)

    # The probes pass again for each block. They are kept where all of them fit.
    @lru_cache(maxsize=None if len(probes) * per_image <= memory_budget // 4 else 1)
    def left_of(start: int, stop: int) -> Side:
        return Side(network, probes[start:stop], holistic=False)

    with pair_bar(len(probes) * len(gallery), progress) as bar:
        for pairs in cut_pairs(len(probes), len(gallery), most=most, block=block, bar=bar):
            right = right_of(pairs.block.start, pairs.block.stop)
            left = left_of(pairs.probes.start, pairs.probes.stop)
            maps = left.maps[:, None] + right.maps[pairs.in_block]
            theta = network.localisation.theta_of(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
            yield AlignedTile(pairs.probes, pairs.gallery, right.images[pairs.in_block], theta)


@torch.inference_mode()
def affined_features(network: StnreidNetwork, images: Tensor, theta: Tensor) -> Tensor:
    """f_a (p, g, C) of holistic images (g, 3, H, W), each under p maps, theta (p, g, 2, 3)."""
    affined = network.affine(images, theta)
    return network.embed(affined.flatten(0, 1)).unflatten(0, theta.shape[:2])


def image_bytes(network: StnreidNetwork) -> int:
    """Of an image's first layer: 16 maps of half its height and width, and the image."""
    height, width = network.image_size
    channels = network.localisation.conv1.out_channels
    return 4 * (channels * ((height + 1) // 2) * ((width + 1) // 2) + 3 * height * width)


def pair_bytes(network: StnreidNetwork) -> int:
    """Bytes per pair on its way.

    That is twice the input and output of the layer that has most of both, because a residual block keeps its input
    beside them.
    """
    largest = 0

    def measure(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal largest
        largest = max(largest, given[0].nbytes + result.nbytes)

    layers = [layer for layer in network.backbone.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(measure) for layer in layers]
    try:
        network.embed(torch.zeros(1, 3, *network.image_size, dtype=torch.float32, device=device_of(network)))
    finally:
        for hook in hooks:
            hook.remove()
    return image_bytes(network) + 2 * largest
