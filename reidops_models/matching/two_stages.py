"""Two stages: a quick method chooses a shortlist for each probe, and a slow one ranks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reidops_models.matching.explanations import Explanation
from reidops_models.matching.interface import Embedding, Matcher, QuickMatcher, Role
from reidops_models.matching.shortlist import compare_pairs, nearest, with_the_rest_behind

WINDOW = 512  # images that are held while both stages embed them
ROWS = 64  # probes whose shortlists are made at a time


class Staged(NamedTuple):
    """What the two stages keep of an image."""

    first: Any
    second: Any


class TwoStageMatcher:
    """The second method's distances to the images that the first one ranks first; the rest comes behind.

    With a prepared shortlist of K images, a probe costs K comparisons of the slow method and G of the quick one. What
    the shortlist has lost the second stage cannot find again: `reidops_models.evaluation.ShortlistAccumulator` says
    how much that is.

    Args:
        first: the quick method.
        second: the slow one.
        shortlist: images in a shortlist, K; all of a smaller gallery.

    Example:
        >>> from reidops_models.matching.histogram import HistogramMatcher
        >>> colours, fine = HistogramMatcher(2), HistogramMatcher(16)
        >>> matcher = TwoStageMatcher(colours, fine, shortlist=2)
        >>> gallery = matcher.embed([torch.rand(3, 8, 4) for _ in range(5)])
        >>> distances = matcher.distances(gallery[:1], gallery)
        >>> distances.argsort()[0, 0].item(), (distances < 1.01).sum().item()
        (0, 2)
    """

    joint = True  # a shortlist is one of the whole gallery

    def __init__(self, first: Matcher, second: Matcher, shortlist: int) -> None:
        if shortlist < 1:
            raise ValueError(f"TwoStageMatcher: shortlist must be 1 or more, got {shortlist}")
        self.first = first
        self.second = second
        self.shortlist = shortlist
        self.name = f"{second.name} on {shortlist} of {first.name}"

    @property
    def embedding(self) -> Embedding:
        """What the two make of each image."""
        return Embedding("two stages", options=(self.first.embedding, self.second.embedding))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Staged]:
        """Both embeddings of each image. The first is taken from the second where it can be."""
        if self.first.embedding == self.second.embedding:
            return [Staged(one, one) for one in self.second.embed(images, role=role, progress=progress)]
        if isinstance(self.first, QuickMatcher) and self.first.source == self.second.embedding:
            second = self.second.embed(images, role=role, progress=progress)
            return [Staged(*both) for both in zip(self.first.derive(second), second, strict=True)]
        found: list[Staged] = []
        for window in _windows(images):
            both = (one.embed(window, role=role, progress=progress) for one in (self.first, self.second))
            found += [Staged(*pair) for pair in zip(*both, strict=True)]
        return found

    def distances(self, probes: Sequence[Staged], gallery: Sequence[Staged], *, progress: bool = False) -> Tensor:
        """(P, G): the second method's distances to the shortlist. A pair outside it has `OUTSIDE` plus its rank."""
        right = [one.first for one in gallery], [one.second for one in gallery]
        parts = [torch.zeros(0, len(gallery), dtype=torch.float32)]
        for start in range(0, len(probes), ROWS):
            some = probes[start : start + ROWS]
            left = [one.first for one in some], [one.second for one in some]
            order = nearest(self.first.distances(left[0], right[0]), len(gallery))
            parts.append(self.rank(left[1], right[1], order, progress))
        return torch.cat(parts)

    def pairs(
        self, probes: Sequence[Staged], gallery: Sequence[Staged], candidates: Tensor, *, progress: bool = False
    ) -> Tensor:
        """(P, K) the second method's distances of chosen pairs."""
        left, right = [one.second for one in probes], [one.second for one in gallery]
        return compare_pairs(self.second, left, right, candidates, progress=progress)

    def rank(self, probes: Sequence[Any], gallery: Sequence[Any], order: Tensor, progress: bool) -> Tensor:
        """(P, G) distances of what the second method has embedded, from the first one's order (P, G)."""
        candidates = order[:, : self.shortlist]
        found = compare_pairs(self.second, probes, gallery, candidates, progress=progress)
        return with_the_rest_behind(found, candidates, order)

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """As the second method does."""
        return self.second.explain(probe, gallery)


def _windows(images: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    iterator = iter(images)
    while window := list(islice(iterator, WINDOW)):
        yield window
