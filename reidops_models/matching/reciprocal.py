"""k-reciprocal re-ranking and query expansion after any matcher."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reidops_models.matching.explanations import Explanation
from reidops_models.matching.interface import Embedding, Matcher, Role
from reidops_models.matching.shortlist import OUTSIDE, compare_pairs
from reidops_models.reranking import ReciprocalGallery, expand_distances, neighbour_lists
from reidops_models.reranking.neighbours import Array

LONGER = 2  # the gallery's lists are so many times longer than k1, so that fewer pairs are compared again
ROWS = 64  # gallery images whose distances to the gallery are there at a time


class GalleryMatcher:
    """What a matcher says, changed by what it says of the gallery's images among each other.

    A gallery image stands for itself on both sides: what `embed` made of it for the gallery is compared as a probe's.
    A probe's distances depend on no other probe.

    Args:
        matcher: makes the distances.
    """

    joint = True  # the whole gallery at once

    def __init__(self, matcher: Matcher, name: str) -> None:
        self.matcher = matcher
        self.name = name

    @property
    def embedding(self) -> Embedding:
        """As the matcher's."""
        return self.matcher.embedding

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> Sequence[Any]:
        """As the matcher does."""
        return self.matcher.embed(images, role=role, progress=progress)

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """As the matcher does."""
        return self.matcher.explain(probe, gallery)


class ReciprocalMatcher(GalleryMatcher):
    """k-reciprocal re-ranking (Zhong et al., CVPR 2017; `reidops_models.reranking`) of a matcher's distances.

    The gallery is encoded when it is seen first. That takes all its G^2 distances once, in blocks; after a
    `TwoStageMatcher` the shortlists of its images alone. A probe takes k1 comparisons more, of its nearest gallery
    images with itself, where the distances of a matcher need not be the same both ways. Distances below 0, as of CSN,
    are counted from the least one among the gallery. Pairs outside a shortlist stay outside.

    Args:
        matcher: makes the distances.
        k1, k2, weight: as of `reidops_models.reranking.k_reciprocal`.

    Example:
        >>> from reidops_models.matching.histogram import HistogramMatcher
        >>> matcher = ReciprocalMatcher(HistogramMatcher(), k1=3, k2=2)
        >>> gallery = matcher.embed([torch.rand(3, 8, 4) for _ in range(6)])
        >>> matcher.distances(gallery[:2], gallery).shape
        torch.Size([2, 6])
    """

    def __init__(self, matcher: Matcher, *, k1: int = 20, k2: int = 6, weight: float = 0.3) -> None:
        super().__init__(matcher, f"{matcher.name} k-reciprocal")
        self.k1, self.k2, self.weight = k1, k2, weight
        self._seen: Sequence[Any] | None = None

    def distances(self, probes: Sequence[Any], gallery: Sequence[Any], *, progress: bool = False) -> Tensor:
        """(P, G) final distances of eq. 12."""
        if not len(probes) or len(gallery) < 2:
            return self.matcher.distances(probes, gallery, progress=progress)
        if self._seen is not gallery:  # one gallery meets many blocks of probes
            self._encoded, self._least = self._encode(gallery, progress)
            self._seen = gallery
        distances = self.matcher.distances(probes, gallery, progress=progress)
        given = _known(distances, self._least)
        nearest = self._encoded.nearest(given)
        back = np.stack([self._back(gallery, probe, row) for probe, row in zip(probes, nearest, strict=True)])
        final = torch.from_numpy(self._encoded.rerank(given, back)).float()
        return torch.where(distances < OUTSIDE, final, distances)

    def _encode(self, gallery: Sequence[Any], progress: bool) -> tuple[ReciprocalGallery, float]:
        least = 0.0

        def rows(some: slice, _: slice) -> Tensor:
            nonlocal least
            table = self.matcher.distances(gallery[some], gallery)
            least = min(least, float(table.nan_to_num(nan=0.0).min()))
            return torch.where(table < OUTSIDE, table, torch.inf)

        length = max(LONGER * self.k1, self.k2)
        lists = neighbour_lists(rows, len(gallery), length, rows=ROWS, columns=len(gallery), progress=progress)
        lists = lists._replace(distances=lists.distances - least)

        def pairs(some: Array, others: Array) -> Array:
            table = np.empty(len(some))
            for row in np.unique(some):  # each image with all that are asked for
                places = np.flatnonzero(some == row)
                candidates = torch.from_numpy(others[places].astype(np.int64))[None]
                table[places] = compare_pairs(self.matcher, gallery[row : row + 1], gallery, candidates)[0]
            return np.maximum(table - least, 0)

        encoded = ReciprocalGallery(lists, k1=self.k1, k2=self.k2, weight=self.weight, pairs=pairs)
        return encoded, least

    def _back(self, gallery: Sequence[Any], probe: Any, places: Array) -> Array:
        """d(g, p) of a probe's nearest gallery images g."""
        images = [gallery[place] for place in places.tolist()]
        candidates = torch.zeros(len(images), 1, dtype=torch.int64)
        return _known(compare_pairs(self.matcher, images, [probe], candidates), self._least)[:, 0]


class ExpansionMatcher(GalleryMatcher):
    """Query expansion by distances alone: those of a probe, averaged with those of its k nearest gallery images.

    A block of probes takes the distances of their nearest gallery images to the gallery, up to k G for each probe.

    Args:
        matcher: makes the distances.
        k: gallery images that are averaged with a probe.

    Example:
        >>> from reidops_models.matching.histogram import HistogramMatcher
        >>> matcher = ExpansionMatcher(HistogramMatcher(), k=2)
        >>> gallery = matcher.embed([torch.rand(3, 8, 4) for _ in range(6)])
        >>> matcher.distances(gallery[:2], gallery).shape
        torch.Size([2, 6])
    """

    def __init__(self, matcher: Matcher, k: int = 5) -> None:
        super().__init__(matcher, f"{matcher.name} expanded")
        self.k = k

    def distances(self, probes: Sequence[Any], gallery: Sequence[Any], *, progress: bool = False) -> Tensor:
        """(P, G) averages of distances."""

        def rows(places: Array) -> Tensor:
            return self.matcher.distances([gallery[place] for place in places.tolist()], gallery)

        found = self.matcher.distances(probes, gallery, progress=progress)
        return torch.from_numpy(expand_distances(found, rows, self.k)).float() if len(gallery) else found


def _known(distances: Tensor, least: float) -> Array:
    """Distances from 0 on as float64; infinite outside of a shortlist."""
    known = torch.where(distances < OUTSIDE, (distances - least).clamp(min=0), torch.inf)
    array: Array = known.double().numpy()
    return array
