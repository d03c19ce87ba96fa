"""Counting the products of a forward pass, for the papers that print their operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn


@contextmanager
def counted_products(network: nn.Module, part_of: Callable[[str], str]) -> Iterator[Counter[str]]:
    """While it lasts, what passes the network's convolutions and linear layers is counted.

    Args:
        network: whose layers are watched.
        part_of: the first part of a layer's name, `backbone` of `backbone.conv1` -> the part of the network under which
            it is counted.

    Yields:
        By part, how often a weight has met a value so far; taps that meet the padding count, as they do where others
        count.

    Example:
        >>> import torch
        >>> network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 2, 1))
        >>> with counted_products(network, lambda name: f"layer {name}") as counts:
        ...     _ = network(torch.zeros(1, 3, 4, 5))
        >>> dict(counts)
        {'layer 0': 480, 'layer 1': 320}
    """
    counts: Counter[str] = Counter()
    hooks = [
        layer.register_forward_hook(partial(_count, counts, part_of(name.partition(".")[0])))
        for name, layer in network.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def _count(counts: Counter[str], part: str, layer: Any, given: tuple[Tensor, ...], result: Tensor) -> None:
    weights_of_an_output = layer.weight.numel() // layer.weight.shape[0]
    counts[part] += result.numel() * weights_of_an_output
