"""The nearest of a gallery that comes in blocks: lists of the best k, merged exactly.

Blocks may come in any order and be cut anywhere, and lists may be merged in any order: the result is that of sorting
all distances. Whatever holds a part of a gallery, a process or an actor on another machine, gives such lists back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

FEW = 4  # times k: a block of no more is sorted as it is


class Nearest(NamedTuple):
    """The nearest gallery pictures of P probes, in a part of the gallery. k is smaller where the part is.

    Attributes:
        distances: (P, k) float32, ascending.
        numbers: (P, k) int64, of the pictures. Equal distances are in ascending order of the numbers, which is the
            gallery's order.
        finite: (P,) bool, whether all distances in the part were finite.
    """

    distances: Tensor
    numbers: Tensor
    finite: Tensor


def nearest_of(distances: Tensor, numbers: Tensor, k: int) -> Nearest:
    """The k nearest of a block.

    Args:
        distances: (P, B).
        numbers: (B,) int64, of the block's pictures, each once, in any order.
        k: 1 or more.

    Example:
        >>> found = nearest_of(torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([7, 9, 8]), k=2)
        >>> found.distances.tolist(), found.numbers.tolist()
        ([[0.25, 0.25]], [[8, 9]])
    """
    found = Nearest(distances, numbers.expand(distances.shape), distances.isfinite().all(dim=1))
    return _smallest(_candidates(found, k) if distances.shape[1] > FEW * k else found, k)


def merge_nearest(parts: Sequence[Nearest], k: int) -> Nearest:
    """The k nearest of several parts, which have no picture in common.

    Args:
        parts: one or more, of the same P probes.
        k: 1 or more.

    Example:
        >>> numbers = torch.arange(4)
        >>> left = nearest_of(torch.tensor([[0.5, 0.75]]), numbers[:2], k=2)
        >>> right = nearest_of(torch.tensor([[0.75, 0.25]]), numbers[2:], k=2)
        >>> merge_nearest([right, left], k=3).numbers.tolist()
        [[3, 0, 1]]
    """
    distances, numbers = (torch.cat(values, dim=1) for values in list(zip(*parts, strict=True))[:2])
    finite = torch.stack([part.finite for part in parts]).all(dim=0)
    return _smallest(Nearest(distances, numbers, finite), k)


def _candidates(found: Nearest, k: int) -> Nearest:
    """All that are as near as the k-th: those that tie with it, too. To sort a few is faster than to sort all."""
    farthest = found.distances.topk(k, dim=1, largest=False).values[:, -1:]
    most = max(k, int((found.distances <= farthest).sum(dim=1).max()))
    distances, places = found.distances.topk(most, dim=1, largest=False)
    return Nearest(distances, found.numbers.gather(1, places), found.finite)


def _smallest(found: Nearest, k: int) -> Nearest:
    """Sorted by number first, then stably by distance: so ties keep the gallery's order."""
    order = found.numbers.argsort(dim=1)
    distances, numbers = found.distances.gather(1, order), found.numbers.gather(1, order)
    order = distances.argsort(dim=1, stable=True)[:, :k]
    return Nearest(distances.gather(1, order), numbers.gather(1, order), found.finite)
