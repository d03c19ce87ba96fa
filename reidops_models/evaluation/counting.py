"""Ranks without sorting: of a whole ranking, only the ranks of the right images are asked for.

The rank of a right image is 1 plus how many images are nearer. To count them takes one pass over the distances, which
is far less than sorting them as long as the right images are few.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ranks_of"]

SORT_FROM = 512  # right images of a probe from which on one sort is faster than so many passes


def ranks_of(distances: np.ndarray, right: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """The ranks, from 1, of the right images of one probe, in the order of `right`.

    Equal distances rank by their place in the gallery, NaN ranks last.

    Args:
        distances: (G,) floating.
        right: (n,) places of the right images.
        removed: (m,) places of the images that are not ranked, none of them right.

    Example:
        >>> ranks_of(np.array([0.5, 0.1, 0.5, 0.3]), right=np.array([0, 2]), removed=np.array([1]))
        array([2, 3])
    """
    if not len(right):
        return np.empty(0, np.int64)
    if len(right) >= SORT_FROM or np.isnan(distances).any():
        return _by_sorting(distances, right, removed)
    if len(removed):
        distances = distances.copy()
        distances[removed] = np.nan  # nearer than nothing
    nearer = np.empty(len(distances), bool)
    ranks = np.empty(len(right), np.int64)
    for index, place in enumerate(right.tolist()):
        own = distances[place]
        np.less_equal(distances[:place], own, out=nearer[:place])
        np.less(distances[place:], own, out=nearer[place:])
        ranks[index] = 1 + np.count_nonzero(nearer)
    return ranks


def _by_sorting(distances: np.ndarray, right: np.ndarray, removed: np.ndarray) -> np.ndarray:
    order = np.argsort(distances, kind="stable")  # NumPy sorts NaN last
    kept = np.ones(len(distances), bool)
    kept[removed] = False
    rank = np.empty(len(distances), np.int64)
    rank[order] = np.cumsum(kept[order])
    return rank[right]
