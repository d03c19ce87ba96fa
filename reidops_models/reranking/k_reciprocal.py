r"""k-reciprocal re-ranking (Zhong, Zheng, Cao, Li: "Re-ranking Person Re-identification with k-reciprocal Encoding",
CVPR 2017), sparse.

Of N images, probes and gallery together, let N(i, k) be image i and its k nearest others. Two images are k-reciprocal
neighbours if each is among the nearest of the other. With h half of k1, rounded up,

    R(i, k)  = { j in N(i, k) : i in N(j, k) }                                                     (eq. 2)
    R*(i)    = R(i, k1) and every R(j, h) with j in R(i, k1) and |R(i, k1) & R(j, h)| >= 2/3 |R(j, h)|   (eq. 3)
    V_ij     = exp(-d_ij / unit) for j in R*(i), else 0                                            (eq. 7)
    V_i     <- mean of V_j over i and its k2 - 1 nearest                                           (eq. 11)
    d_J(p,g) = 1 - sum_j min(V_pj, V_gj) / sum_j max(V_pj, V_gj)                                   (eq. 10)
    d*(p,g)  = (1 - weight) d_J(p,g) + weight d(p,g) / unit                                        (eq. 12)

Each row of V has some dozens of values, and d_J is 1 but for the pairs that share a column. So V and 1 - d_J are
sparse, and memory grows with N.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack
from torch import Tensor

from reidops_models.reranking.neighbours import Array, NeighbourLists, Pairs, as_array, in_units

ROWS = 2048  # of a sparse product at a time
TERMS = 1 << 21  # of the sums of minima at a time


@dataclass(frozen=True)
class Reranked:
    """What k-reciprocal re-ranking found.

    Attributes:
        similarity: (P, G) sparse, 1 - d_J in (0, 1]; a pair that is not stored has d_J = 1.
        known: (P, G) sparse, the distances d in units, of the stored pairs and of those in the probe's list.
        beyond: (P,) no pair that `known` lacks is nearer than this, in units.
        unit: of the distances.
        weight: lambda of eq. 12, the share of the distance itself.
    """

    similarity: Any
    known: Any
    beyond: Array
    unit: float
    weight: float

    def rows(self, distances: Array | Tensor, start: int = 0) -> Array:
        """The final distances (n, G) of eq. 12 of probes `start` to `start + n`, from their distances (n, G).

        So a matrix of final distances is made block by block.
        """
        given = as_array(distances)
        jaccard = 1 - self.similarity[start : start + len(given)].toarray()
        return (1 - self.weight) * jaccard + self.weight * given / self.unit

    def shortlist(self, probe: int) -> tuple[Array, Array, int]:
        """The known gallery images of one probe, nearest first.

        Returns:
            Places in the gallery (n,) and final distances (n,), ascending, equal ones by place; and how many of the
            first ranks are surely those of the ranking of all pairs. An unknown pair comes at
            (1 - weight) + weight * `beyond` at the earliest; with weight 0 all unknown pairs share the distance 1.
        """
        known = self.known[[probe]].tocoo()
        places = known.coords[1]
        similar = np.zeros(self.known.shape[1])
        row = self.similarity[[probe]].tocoo()
        similar[row.coords[1]] = row.data
        final = (1 - self.weight) * (1 - similar[places]) + self.weight * known.data
        order = np.lexsort((places, final))
        places, final = places[order], final[order]
        unknown = (1 - self.weight) + (self.weight * self.beyond[probe] if self.weight else 0)
        complete = len(places) == self.known.shape[1]
        return places, final, len(final) if complete else int((final < unknown).sum())


def k_reciprocal(
    lists: NeighbourLists,
    probes: int,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    unit: float | None = None,
    pairs: Pairs | None = None,
) -> Reranked:
    """Re-rank the gallery for each probe by how many neighbours both have in common.

    Args:
        lists: the neighbours of N images, P probes first, then G gallery images. They need max(k1, k2 - 1) entries,
            and more of them make more of the first ranks certain.
        probes: P.
        k1, k2: lengths of the lists that are compared and averaged; k2 = 1 averages nothing.
        weight: lambda, in [0, 1].
        unit: distances are divided by it. None takes the median distance at rank k1, so that another scale of the
            distances changes nothing.
        pairs: the distances of pairs that are in no list. R* has images from the lists of a neighbour, which need not
            be in the image's own, and so has the shortlist. Without `pairs` such an image is taken to be as far as the
            last one in the list. That is the nearest it can be. Lists of all images need no `pairs`.

    Returns:
        :class:`Reranked`. As in the public programs, a probe's list depends on the other probes, because they are
        among the neighbours.

    Raises:
        ValueError: lists that are too short, a negative distance, or an argument out of range.

    Example:
        >>> from reidops_models.reranking import neighbour_lists
        >>> places = np.array([0.0, 0.1, 0.3, 5.0, 5.1])  # a probe, and four gallery images on a line
        >>> lists = neighbour_lists(abs(places[:, None] - places), 5, k=4)
        >>> found = k_reciprocal(lists, 1, k1=2, k2=1, weight=0)
        >>> found.shortlist(0)[0].tolist(), found.similarity.toarray()[0, 2:].tolist()
        ([0, 1, 2, 3], [0.0, 0.0])
    """
    count, length = lists.indices.shape
    check_options(lists, probes, k1, k2, weight, unit)
    unit = median_at(lists, k1) if unit is None else unit
    measured = NeighbourLists(lists.indices, lists.distances / unit)
    far = None if pairs is None else in_units(pairs, unit)
    vectors = encode(measured, k1, k2, far)
    similarity = jaccard_similarity(vectors, probes)
    known = _known(measured, similarity, probes, far)
    last = measured.distances[:probes, -1]
    beyond = np.where((lists.indices[:probes] < 0).any(axis=1) | (length >= count - 1), np.inf, last)
    return Reranked(similarity, known, beyond, unit, weight)


def encode(lists: NeighbourLists, k1: int, k2: int, pairs: Pairs | None = None) -> Any:
    """The vectors V (N, N) of eq. 7 and 11, sparse; distances are in units."""
    count = len(lists.indices)
    near, half = reciprocal(lists, k1), reciprocal(lists, (k1 + 1) // 2)
    sizes = half.sum(axis=1)
    parts = []
    for start in range(0, count, ROWS):
        some = near[start : start + ROWS]
        common = (some @ half).multiply(some).tocsr()  # |R(i, k1) & R(j, h)|, as R(., h) is symmetric
        common.data = (3 * common.data >= 2 * sizes[common.indices]).astype(np.int64)
        common.eliminate_zeros()
        star = (some + common @ half).tocsr()
        star.sort_indices()
        rows = np.repeat(np.arange(start, start + some.shape[0]), np.diff(star.indptr))
        weights = np.exp(-distances_of(lists, rows, star.indices, pairs))
        parts.append(csr_array((weights, star.indices, star.indptr), shape=star.shape))
    vectors = _stacked(parts, count)
    if k2 == 1:
        return vectors
    nearest = _nearest(lists, k2 - 1).astype(np.float64)
    scale = 1 / nearest.sum(axis=1)
    return _stacked(
        [
            (nearest[start : start + ROWS] @ vectors).multiply(scale[start : start + ROWS, None]).tocsr()
            for start in range(0, count, ROWS)
        ],
        count,
    )


def reciprocal(lists: NeighbourLists, k: int) -> Any:
    """R(i, k) of eq. 2, each image with itself: a symmetric (N, N) of ones."""
    near = _nearest(lists, k)
    return near.multiply(near.T).tocsr()


def jaccard_similarity(vectors: Any, probes: int) -> Any:
    """1 - d_J, eq. 10, (P, G) sparse, of the first P rows and the others."""
    right = vectors[probes:]
    return jaccard(vectors[:probes].tocsr(), right.tocsc(), right.sum(axis=1))


def jaccard(left: Any, columns: Any, sums: Array) -> Any:
    """1 - d_J, eq. 10, (P, G) sparse.

    Args:
        left: the vectors (P, N) of the probes.
        columns: the vectors (G, N) of the gallery, by column.
        sums: (G,) of the rows of these.
    """
    probes, gallery = left.shape[0], columns.shape[0]
    lengths = np.diff(columns.indptr)
    terms = np.concatenate(([0], np.cumsum(lengths[left.indices])))[left.indptr]  # before each probe
    parts, start = [], 0
    while start < probes:
        stop = max(start + 1, int(np.searchsorted(terms, terms[start] + TERMS, side="right")) - 1)
        some = left[start:stop]
        counts = lengths[some.indices]
        # Every entry of a probe meets all entries of its column.
        places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        places += np.repeat(columns.indptr[some.indices], counts)
        least = np.minimum(np.repeat(some.data, counts), columns.data[places])
        rows = np.repeat(np.repeat(np.arange(stop - start), np.diff(some.indptr)), counts)
        shared = csr_array((least, (rows, columns.indices[places])), shape=(stop - start, gallery))
        shared.sum_duplicates()
        own = np.repeat(some.sum(axis=1), np.diff(shared.indptr))
        shared.data /= own + sums[shared.indices] - shared.data
        parts.append(shared)
        start = stop
    return _stacked(parts, gallery)


def distances_of(lists: NeighbourLists, rows: Array, columns: Array, pairs: Pairs | None) -> Array:
    """Distances (n,) of pairs, from the lists; 0 to oneself; others from `pairs`, or the last of the row's list."""
    if not len(rows):
        return np.zeros(0)
    count, first = len(lists.indices), int(rows.min())
    indices, values = (part[first : int(rows.max()) + 1] for part in lists)
    listed = indices >= 0
    keys = ((np.arange(len(indices)) + first)[:, None] * count + indices)[listed]
    order = np.argsort(keys)
    keys, values = keys[order], values[listed][order]
    wanted = rows.astype(np.int64) * count + columns
    place = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    found = keys[place] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
    result = np.zeros(len(wanted))
    result[found] = values[place[found]]
    missing = ~found & (rows != columns)
    if missing.any():
        far = lists.distances[rows[missing], -1]
        result[missing] = far if pairs is None else as_array(pairs(rows[missing], columns[missing]))
    return result


def _known(lists: NeighbourLists, similarity: Any, probes: int, pairs: Pairs | None) -> Any:
    """(P, G) sparse: the distances of the pairs that are stored or listed. Zeros are stored, too."""
    rows, columns = np.nonzero(lists.indices[:probes] >= probes)
    listed = csr_array((np.ones(len(rows)), (rows, lists.indices[rows, columns] - probes)), shape=similarity.shape)
    stored = csr_array((np.ones(similarity.nnz), similarity.indices, similarity.indptr), shape=similarity.shape)
    both = (listed + stored).tocsr()
    both.sort_indices()
    row = np.repeat(np.arange(probes), np.diff(both.indptr))
    both.data = distances_of(lists, row, both.indices + probes, pairs)
    return both


def _nearest(lists: NeighbourLists, k: int) -> Any:
    """N(i, k), each image with itself: (N, N) of ones."""
    count = len(lists.indices)
    near = lists.indices[:, :k]
    rows, places = np.nonzero(near >= 0)
    rows, columns = (
        np.concatenate((np.arange(count), rows)),
        np.concatenate((np.arange(count), near[rows, places])),
    )
    return csr_array((np.ones(len(rows), dtype=np.int64), (rows, columns)), shape=(count, count))


def _stacked(parts: list[Any], columns: int) -> Any:
    return vstack(parts, format="csr") if parts else csr_array((0, columns))


def median_at(lists: NeighbourLists, k1: int) -> float:
    """The median over all images of the distance at rank k1, or at the last rank before it; 1 where that is 0."""
    finite = np.where(np.isfinite(lists.distances[:, :k1]), lists.distances[:, :k1], -np.inf)
    last = finite.max(axis=1, initial=-np.inf)
    last = last[last > 0]
    return float(np.median(last)) if len(last) else 1.0


def check_options(lists: NeighbourLists, probes: int, k1: int, k2: int, weight: float, unit: float | None) -> None:
    """An error that names what is wrong with the arguments of `k_reciprocal`."""
    count, length = lists.indices.shape
    if not 0 <= probes <= count:
        raise ValueError(f"k_reciprocal: probes must be from 0 to {count}, the number of lists, got {probes}")
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k_reciprocal: k1 and k2 must be 1 or more, got {k1} and {k2}")
    if not 0 <= weight <= 1:
        raise ValueError(f"k_reciprocal: weight must be in [0, 1], got {weight}")
    if unit is not None and not unit > 0:
        raise ValueError(f"k_reciprocal: unit must be above 0, got {unit}")
    needed = min(max(k1, k2 - 1), count - 1)
    if length < needed:
        raise ValueError(f"k_reciprocal: k1={k1} and k2={k2} need lists of {needed} neighbours, got {length}")
    if length and lists.distances.size and lists.distances.min() < 0:
        least = lists.distances.min()
        raise ValueError(f"k_reciprocal: distances must be 0 or more, got {least:g}; add a constant to all of them")
