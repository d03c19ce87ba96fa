"""Table 5: parameters, and the operations of a pair."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reidops_models.csn.network import DIRECTIONS, CsnNetwork
from reidops_models.embedding import device_of

IMAGES = 2  # of a pair
PARTS = {"trunk": "trunk", "similarity": "localisation nets", "ranking": "ranking net"}
CLASSIFIER = "conv4 to conv6"
CORRELATIONS = "correlations"


def count_parameters(network: nn.Module) -> int:
    """All of them, those of the batch normalisation too.

    Example:
        >>> from reidops_models.csn.recipe import Network
        >>> count_parameters(CsnNetwork(Network(), (160, 60)))
        536318
    """
    return sum(value.numel() for value in network.parameters())


@torch.inference_mode()
def count_operations(network: CsnNetwork) -> dict[str, int]:
    """Multiplications and additions of a pair, two for each weight that meets a value, by part of the network.

    Convolutions, linear layers and correlations; taps that meet the padding count, as they do where others count.

    Example:
        >>> from reidops_models.csn.recipe import Network
        >>> sum(count_operations(CsnNetwork(Network(), (160, 60)).eval()).values()) / 1e9
        0.943...
    """
    counts: Counter[str] = Counter()
    hooks = [
        layer.register_forward_hook(partial(_count, counts, PARTS.get(name.partition(".")[0], CLASSIFIER)))
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        described = network.describe(torch.zeros(1, 3, *network.image_size, device=device_of(network)))
        for part in counts:
            counts[part] *= IMAGES
        network.compare(described, described)
    finally:
        for hook in hooks:
            hook.remove()
    for maps, parts in zip(described.maps, described.parts, strict=True):
        taps = parts.shape[-1] * parts.shape[-2]
        counts[CORRELATIONS] += 2 * DIRECTIONS * network.stripes * maps[0].numel() * taps
    return dict(counts)


def _count(counts: Counter[str], part: str, layer: Any, given: tuple[Tensor, ...], result: Tensor) -> None:
    weights_of_an_output = layer.weight.numel() // layer.weight.shape[0]
    counts[part] += 2 * result.numel() * weights_of_an_output
