"""Shortlists: a few candidates of each probe, chosen pairs, and a table in which the rest comes behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reidops_models.matching.interface import Matcher, PairMatcher
from reidops_models.matching.pairs import pair_bar

OUTSIDE = float(1 << 20)  # the least value of a pair outside its probe's shortlist


def nearest(distances: Tensor, k: int) -> Tensor:
    """(P, K) places of the k nearest of each row, nearest first; equal distances by place, NaN last.

    Example:
        >>> nearest(torch.tensor([[0.5, 0.1, 0.1]]), 2).tolist()
        [[1, 2]]
    """
    return distances.argsort(dim=1, stable=True)[:, :k]


def compare_pairs(
    matcher: Matcher,
    probes: Sequence[Any],
    gallery: Sequence[Any],
    candidates: Tensor,
    *,
    progress: bool = False,
) -> Tensor:
    """The distances of chosen pairs, by a matcher's own `pairs`, or by `distances` of each probe to its candidates.

    Args:
        matcher: any.
        probes, gallery: P and G embedded images.
        candidates: (P, K) int64, places in the gallery, each once in a row; -1 is none.
        progress: show a progress bar.

    Returns:
        (P, K) float32; infinite where a candidate is -1.
    """
    if isinstance(matcher, PairMatcher):
        used = candidates[candidates >= 0].unique()
        if len(used) < len(gallery):  # what a matcher looks at in every image takes longer than a few pairs
            places = torch.searchsorted(used, candidates.contiguous())
            candidates = torch.where(candidates < 0, -1, places)
            gallery = [gallery[place] for place in used.tolist()]
        return matcher.pairs(probes, gallery, candidates, progress=progress)
    found = torch.full(candidates.shape, torch.inf, dtype=torch.float32)
    with pair_bar(int((candidates >= 0).sum()), progress, matcher.name) as bar:
        for row, probe, chosen in zip(found, probes, candidates, strict=True):
            some = chosen >= 0
            images = [gallery[place] for place in chosen[some].tolist()]
            if images:
                row[some] = matcher.distances([probe], images)[0]
            bar.update(len(images))
    return found


def with_the_rest_behind(distances: Tensor, candidates: Tensor, order: Tensor) -> Tensor:
    """A table of all pairs from those of shortlists.

    A pair outside has no distance. It stands in the table with `OUTSIDE` plus its rank, from 0, in an order of the
    whole gallery. So it comes behind every candidate, in that order, no threshold of distances accepts it, and
    :func:`in_shortlist` tells it.

    Args:
        distances: (P, K) of the candidates.
        candidates: (P, K) int64; -1 is none.
        order: (P, G) int64, each row all places in the gallery.

    Returns:
        (P, G) float32.

    Raises:
        ValueError: a distance that is `OUTSIDE` or more.

    Example:
        >>> shortlist = torch.tensor([[2]])
        >>> with_the_rest_behind(torch.tensor([[0.5]]), shortlist, torch.tensor([[2, 0, 1]])).tolist()
        [[1048577.0, 1048578.0, 0.5]]
    """
    known = candidates >= 0
    largest = distances[known].nan_to_num(nan=0.0).amax() if known.any() else torch.tensor(0.0)
    if largest >= OUTSIDE:
        raise ValueError(f"shortlist: distances must be below {OUTSIDE:g}, got {float(largest):g}")
    ranks = OUTSIDE + torch.arange(order.shape[1], dtype=torch.float32)
    table = torch.empty(order.shape, dtype=torch.float32).scatter_(1, order, ranks.expand(order.shape))
    rows = torch.arange(len(table))[:, None].expand_as(candidates)[known]
    table[rows, candidates[known]] = distances[known].float()
    return table


def in_shortlist(distances: Tensor) -> Tensor:
    """(P, G) bool: which pairs of a table of :func:`with_the_rest_behind` have a distance. NaN counts as one."""
    return ~(distances >= OUTSIDE)
