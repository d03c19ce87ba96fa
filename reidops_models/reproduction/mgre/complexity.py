"""Table 8: the operations of a forward pass."""

from __future__ import annotations

import torch

from reidops_models.matching import device_of
from reidops_models.mgre.network import MgreNetwork
from reidops_models.reproduction.counting import counted_products

PARTS = {
    "backbone": "trunk",
    "guides": "block 4's maps added",
    "locations": "location modules",
    "extractors": "feature extraction",
    "embeddings": "embeddings",
}


@torch.inference_mode()
def count_operations(network: MgreNetwork) -> dict[str, int]:
    """Products of an image, each with its addition counted as one, as in table 8, by part of the network.

    Of convolutions and linear layers; sampling, pooling and normalisation are not counted.

    Example:
        >>> from reidops_models.mgre.recipe import NetworkOptions
        >>> network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a"), (256, 128), identities=751).eval()
        >>> round(sum(count_operations(network).values()) / 1e9, 2)
        7.93
    """
    with counted_products(network, PARTS.__getitem__) as counts:
        network.embed(torch.zeros(1, 3, *network.image_size, dtype=torch.float32, device=device_of(network)))
    return dict(counts)
