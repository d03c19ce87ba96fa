"""k-reciprocal re-ranking of probes that come one by one, against a gallery that is encoded once.

`k_reciprocal` takes all probes at once, as the public programs do, and each probe is among the others' neighbours. Here
neighbours are gallery images only, as the paper defines them: N(p, k) are the k gallery images nearest to probe p, and
p is among the k nearest of image g if d(g, p) is at most the distance of g's own k-th neighbour. V_p has an entry for
each gallery image. So a probe's ranking depends on no other probe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from torch import Tensor

from reidops_models.reranking.k_reciprocal import check_options, encode, jaccard, median_at, reciprocal
from reidops_models.reranking.neighbours import Array, NeighbourLists, Pairs, as_array, in_units


class ReciprocalGallery:
    """A gallery's half of k-reciprocal re-ranking.

    Args:
        lists: the neighbours of G images among each other, max(k1, k2 - 1) entries or more.
        k1, k2, weight, unit, pairs: as of `k_reciprocal`.

    Attributes:
        k1, unit: as they were given, or chosen.

    Raises:
        ValueError: as `k_reciprocal`.

    Example:
        >>> from reidops_models.reranking import neighbour_lists
        >>> places = np.array([0.1, 0.3, 5.0, 5.1])
        >>> lists = neighbour_lists(abs(places[:, None] - places), 4, k=3)
        >>> gallery = ReciprocalGallery(lists, k1=1, k2=1, weight=0)
        >>> probe = abs(np.array([[0.0]]) - places)
        >>> gallery.rerank(probe, probe[:, gallery.nearest(probe)[0]]).round(2).tolist()
        [[0.59, 0.83, 1.0, 1.0]]
    """

    def __init__(
        self,
        lists: NeighbourLists,
        *,
        k1: int = 20,
        k2: int = 6,
        weight: float = 0.3,
        unit: float | None = None,
        pairs: Pairs | None = None,
    ) -> None:
        check_options(lists, 0, k1, k2, weight, unit)
        self.k1, self._k2, self._weight = k1, k2, weight
        self.unit = median_at(lists, k1) if unit is None else unit
        measured = NeighbourLists(lists.indices, lists.distances / self.unit)
        self._vectors = encode(measured, k1, k2, None if pairs is None else in_units(pairs, self.unit))
        # A probe's own vector is averaged with vectors that are not averages yet.
        self._plain = encode(measured, k1, 1, None if pairs is None else in_units(pairs, self.unit))
        self._half = reciprocal(lists, (k1 + 1) // 2)
        self._sizes = self._half.sum(axis=1)
        self._columns, self._sums = self._vectors.tocsc(), self._vectors.sum(axis=1)
        listed = lists.indices[:, :k1] >= 0
        self._reach = np.where(listed, lists.distances[:, :k1], -np.inf).max(axis=1, initial=-np.inf)
        if len(lists.indices) - 1 <= k1:  # every image is among the nearest of every other
            self._reach[:] = np.inf

    def nearest(self, distances: Array | Tensor) -> Array:
        """(P, k) places of the gallery images whose distances to the probe :meth:`rerank` asks for; k is k1, or G."""
        return self._order(as_array(distances))[:, : self.k1]

    def rerank(self, distances: Array | Tensor, back: Array | Tensor) -> Array:
        """The final distances (P, G) of eq. 12.

        Args:
            distances: (P, G) from each probe to the gallery. An infinite one, and NaN, is that of no neighbour, and
                stays as it is.
            back: (P, k) the other way: d(g, p) of the images g that :meth:`nearest` names. Where distances are the same
                both ways, they are those of the probe.
        """
        given, returned = as_array(distances), as_array(back)
        order = self._order(given)
        places = order[:, : self.k1]
        if returned.shape != places.shape:
            raise ValueError(f"ReciprocalGallery: back must have shape {places.shape}, got {returned.shape}")
        vectors = self._encode(given, order, returned)
        similarity = jaccard(vectors, self._columns, self._sums).toarray()
        final: Array = (1 - self._weight) * (1 - similarity) + self._weight * given / self.unit
        return np.where(np.isfinite(given), final, given)

    def _order(self, given: Array) -> Array:
        return np.argsort(given, axis=1, kind="stable")[:, : max(self.k1, self._k2 - 1)]

    def _encode(self, given: Array, order: Array, back: Array) -> Any:
        """V_p, eq. 7 and 11, (P, G) sparse."""
        places = order[:, : self.k1]
        rows = np.arange(len(given))[:, None]
        mutual = np.isfinite(given[rows, places]) & (back <= self._reach[places])
        row, place = np.nonzero(mutual)
        near = csr_array((np.ones(len(row), dtype=np.int64), (row, places[row, place])), shape=given.shape)
        common = (near @ self._half).multiply(near).tocsr()
        common.data = (3 * common.data >= 2 * self._sizes[common.indices]).astype(np.int64)
        star = (near + common @ self._half).tocsr()
        star.sort_indices()
        row = np.repeat(np.arange(len(given)), np.diff(star.indptr))
        distance = given[row, star.indices] / self.unit
        weights = np.where(np.isfinite(distance), np.exp(-np.where(np.isfinite(distance), distance, 0)), 0)
        vectors = csr_array((weights, star.indices, star.indptr), shape=star.shape)
        if self._k2 == 1:
            return vectors
        first = order[:, : self._k2 - 1]
        listed = np.isfinite(given[rows, first])
        row, place = np.nonzero(listed)
        nearest = csr_array((np.ones(len(row)), (row, first[row, place])), shape=given.shape)
        share = 1 / (1 + listed.sum(axis=1))
        mean = (vectors + nearest @ self._plain).multiply(share[:, None]).tocsr()
        mean.sort_indices()  # so that sums have one order, whatever the other probes are
        return mean
