"""Table 8: the operations of a forward pass."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from reidops_models.embedding import device_of
from reidops_models.mgre.network import MgreNetwork

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
        >>> from reidops_models.mgre.recipe import Network
        >>> network = MgreNetwork(Network(backbone="resnet50_ibn_a"), (256, 128), identities=751).eval()
        >>> round(sum(count_operations(network).values()) / 1e9, 2)
        7.93
    """
    counts: Counter[str] = Counter()
    hooks = [
        layer.register_forward_hook(partial(_count, counts, PARTS[name.partition(".")[0]]))
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        network.embed(torch.zeros(1, 3, *network.image_size, device=device_of(network)))
    finally:
        for hook in hooks:
            hook.remove()
    return dict(counts)


def _count(counts: Counter[str], part: str, layer: nn.Conv2d | nn.Linear, inputs: Any, output: Tensor) -> None:
    places = output.numel() // output.shape[1]
    counts[part] += layer.weight.numel() * places
