"""Table 5: parameters, and the operations of a pair."""

from __future__ import annotations

import torch
from torch import nn

from reidops_models.csn.network import DIRECTIONS, CsnNetwork
from reidops_models.matching import device_of
from reidops_models.reproduction.counting import counted_products

IMAGES = 2  # of a pair
PARTS = {"trunk": "trunk", "similarity": "localisation nets", "ranking": "ranking net"}
CLASSIFIER = "conv4 to conv6"
CORRELATIONS = "correlations"


def count_parameters(network: nn.Module) -> int:
    """All of them, those of the batch normalisation too.

    Example:
        >>> from reidops_models.csn.recipe import NetworkOptions
        >>> count_parameters(CsnNetwork(NetworkOptions(), (160, 60)))
        536318
    """
    return sum(value.numel() for value in network.parameters())


@torch.inference_mode()
def count_operations(network: CsnNetwork) -> dict[str, int]:
    """Multiplications and additions of a pair, two for each weight that meets a value, by part of the network.

    Convolutions, linear layers and correlations; taps that meet the padding count, as they do where others count.

    Example:
        >>> from reidops_models.csn.recipe import NetworkOptions
        >>> sum(count_operations(CsnNetwork(NetworkOptions(), (160, 60)).eval()).values()) / 1e9
        0.943...
    """
    with counted_products(network, lambda name: PARTS.get(name, CLASSIFIER)) as counts:
        described = network.describe(
            torch.zeros(1, 3, *network.image_size, dtype=torch.float32, device=device_of(network))
        )
        for part in counts:
            counts[part] *= IMAGES
        network.compare(described, described)
    operations = {part: 2 * products for part, products in counts.items()}
    operations[CORRELATIONS] = 0
    for maps, parts in zip(described.maps, described.parts, strict=True):
        taps = parts.shape[-1] * parts.shape[-2]
        operations[CORRELATIONS] += 2 * DIRECTIONS * network.stripes * maps[0].numel() * taps
    return operations
