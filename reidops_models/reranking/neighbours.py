"""The nearest images of each image, from distances that come in blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor
from tqdm.auto import tqdm

Array = npt.NDArray[Any]
Blocks = Callable[[slice, slice], "Array | Tensor"]  # (n, m) distances of some images, as probes, to some images
Pairs = Callable[[Array, Array], "Array | Tensor"]  # (n,) distances of n images, as probes, each to another image

BLOCK_ROWS, BLOCK_COLUMNS = 256, 8192  # of a block: 8 MB in float32


class NeighbourLists(NamedTuple):
    """The nearest images of each of N images, itself left out.

    Attributes:
        indices: (N, K) int64, nearest first; equal distances by index. -1 where there are no more.
        distances: (N, K) float64, ascending; infinite where there are no more.
    """

    indices: Array
    distances: Array


def neighbour_lists(
    distances: Blocks | Array | Tensor,
    count: int,
    k: int,
    *,
    rows: int = BLOCK_ROWS,
    columns: int = BLOCK_COLUMNS,
    progress: bool = False,
) -> NeighbourLists:
    """The k nearest of each of N images, in memory of N k values and one block.

    The distances of two images need not be equal both ways (those of DSR are not): row i has those of image i as a
    probe. NaN and infinite distances are those of no neighbour.

    Args:
        distances: a function that gives the distances of some rows to some columns, or the matrix (N, N) itself.
        count: N.
        k: length of the lists, 1 or more. Where k is N or more they hold all other images.
        rows, columns: of a block, at most.
        progress: show a progress bar, of pairs.

    Raises:
        ValueError: k is below 1, or a block has another shape than was asked for.

    Example:
        >>> lists = neighbour_lists(np.array([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]]), 3, k=1)
        >>> lists.indices.tolist(), lists.distances.tolist()
        ([[2], [2], [0]], [[1.0], [2.0], [1.0]])
    """
    if k < 1:
        raise ValueError(f"neighbour_lists: k must be 1 or more, got {k}")
    k = min(k, max(1, count - 1))
    found = NeighbourLists(np.full((count, k), -1), np.full((count, k), np.inf))
    blocks = distances if callable(distances) else of_matrix(distances)
    with tqdm(total=count * count, unit="pair", disable=not progress, leave=False) as bar:
        for top in range(0, count, rows):
            some = slice(top, min(top + rows, count))
            for left in range(0, count, columns):
                part = slice(left, min(left + columns, count))
                block = _checked(blocks(some, part), some, part)
                _take_in(NeighbourLists(found.indices[some], found.distances[some]), block, left, top)
                bar.update(block.size)
    return found


def of_matrix(distances: Array | Tensor) -> Blocks:
    """The blocks of a matrix that is there, such as a memory map."""
    return lambda rows, columns: distances[rows, columns]


def pairs_of(distances: Array | Tensor) -> Pairs:
    """The pairs of a matrix that is there.

    Example:
        >>> pairs_of(np.eye(3))(np.array([0, 1]), np.array([0, 2])).tolist()
        [1.0, 0.0]
    """
    return lambda rows, columns: distances[rows, columns]


def in_units(pairs: Pairs, unit: float) -> Pairs:
    """The distances of pairs, divided by a unit."""
    return lambda rows, columns: as_array(pairs(rows, columns)) / unit


def as_array(values: Array | Tensor) -> Array:
    """Values of any kind as float64."""
    return (values.detach().cpu().double().numpy() if isinstance(values, Tensor) else np.asarray(values)).astype(
        np.float64
    )


def _checked(block: Array | Tensor, rows: slice, columns: slice) -> Array:
    expected = (rows.stop - rows.start, columns.stop - columns.start)
    if tuple(block.shape) != expected:
        raise ValueError(
            f"neighbour_lists: expected a block of distances of shape {expected}, got {tuple(block.shape)}"
        )
    return as_array(block)


def _take_in(lists: NeighbourLists, block: Array, left: int, top: int) -> None:
    """Merge a block (n, m) that begins at column `left` and row `top` into the lists of its rows."""
    block[np.isnan(block)] = np.inf
    own = np.arange(top, top + len(block)) - left  # an image is not its own neighbour
    inside = (own >= 0) & (own < block.shape[1])
    block[np.flatnonzero(inside), own[inside]] = np.inf
    k = lists.indices.shape[1]
    limit = lists.distances[:, -1]
    if block.shape[1] > k:  # what is beyond the block's own k-th is beyond the list's
        limit = np.minimum(limit, np.partition(block, k - 1, axis=1)[:, k - 1])
    near = np.isfinite(block) & (block <= limit[:, None])
    rows, columns = np.nonzero(near)
    old = np.nonzero(lists.indices >= 0)
    row = np.concatenate((old[0], rows))
    index = np.concatenate((lists.indices[old], columns + left))
    distance = np.concatenate((lists.distances[old], block[rows, columns]))
    order = np.lexsort((index, distance, row))
    row, index, distance = row[order], index[order], distance[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    lists.indices[row[kept], place[kept]] = index[kept]
    lists.distances[row[kept], place[kept]] = distance[kept]
