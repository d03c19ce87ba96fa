"""One-to-many inference: P partial images against G holistic ones, in tiles that stay within a memory budget.

What depends on one image is computed once per image (`LocalisationNetwork.holistic_maps`). What depends on both is
computed per pair: the localisation network behind its first layer, the sampling, and the ReID module on the affined
image. No holistic image is copied, because `reidops.affine_sample` broadcasts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reidops_models.matching import device_of
from reidops_models.matching.pairs import MEMORY_BUDGET, Tile, compare_in_tiles, pairs_within
from reidops_models.stnreid.network import StnreidNetwork

CACHED = 64 << 20  # bytes of a tile's pairs on a CPU, about: more leave the caches, and take longer
GALLERY_BLOCK = 1024  # images whose first layer is kept: the probes' is made again for each block, if it is not kept


class Embedded(NamedTuple):
    """An image (3, H, W) as the network takes it, and its global feature (C,)."""

    image: Tensor
    feature: Tensor


@dataclass(frozen=True)
class Side:
    """The images of one side as they are paired (N, 3, H, W), and what they add to the first layer's maps."""

    images: Tensor
    maps: Tensor

    def __getitem__(self, some: slice) -> Side:
        return Side(self.images[some], self.maps[some])


class Located(NamedTuple):
    """The holistic images (g, 3, H, W) of a tile, and theta (p, g, 2, 3) of all its pairs. :func:`affined_features`
    goes on from there."""

    images: Tensor
    theta: Tensor


@torch.inference_mode()
def locate_all(
    network: StnreidNetwork,
    probes: Sequence[Embedded],
    gallery: Sequence[Embedded],
    *,
    memory_budget: int = MEMORY_BUDGET,
    progress: bool = False,
) -> Iterator[tuple[Tile, Located]]:
    """theta of all pairs of probes and gallery images, each in one tile.

    Args:
        network: in evaluation mode.
        probes, gallery: partial and holistic images.
        memory_budget: bytes to be held beside network and images, about, also by :func:`affined_features` of a tile.
            A tile has one pair at least.
        progress: show a progress bar of pairs.
    """
    per_image = image_bytes(network)
    # Half of the budget is for a tile's pairs, a quarter each for the first layer of gallery block and probes.
    return compare_in_tiles(
        probes,
        gallery,
        partial(_locate, network),
        probe_side=partial(_side, network, holistic=False),
        gallery_side=partial(_side, network, holistic=True),
        pairs=pairs_within(memory_budget // 2, pair_bytes(network), device_of(network), cached=CACHED),
        block=max(1, min(GALLERY_BLOCK, memory_budget // 4 // per_image)),
        keep_probes=len(probes) * per_image <= memory_budget // 4,
        progress=progress,
    )


def _side(network: StnreidNetwork, embedded: Sequence[Embedded], *, holistic: bool) -> Side:
    images = torch.stack([one.image for one in embedded]).to(device_of(network))
    # The affined images get this layout, too, and the trunk is faster on it.
    images = images.contiguous(memory_format=torch.channels_last)
    half = network.localisation.holistic_maps if holistic else network.localisation.partial_maps
    return Side(images, half(network.normalised(images)))


def _locate(network: StnreidNetwork, probes: Side, gallery: Side) -> Located:
    maps = probes.maps[:, None] + gallery.maps
    theta = network.localisation.theta_of(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
    return Located(gallery.images, theta)


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
    """Of a pair on its way: twice the input and output of the layer that has most of both, for a residual block keeps
    its input beside them."""
    largest = 0

    def measure(layer: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        nonlocal largest
        largest = max(largest, given[0].nbytes + result.nbytes)

    layers = [layer for layer in network.backbone.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(measure) for layer in layers]
    try:
        network.embed(torch.zeros(1, 3, *network.image_size, device=device_of(network)))
    finally:
        for hook in hooks:
            hook.remove()
    return image_bytes(network) + 2 * largest
