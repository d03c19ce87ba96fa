"""Chosen pairs only: each probe against candidates of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .._common.arguments import describe
from .._common.registration import is_transformed
from .gallery import atoms
from .problem import Problem
from .table import limits_of
from .tile import Chunk, tile
from .tiles import Plan, Progress

Numbers = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Probes of one size, with as many candidates each."""

    probes: list[int]
    rows: Numbers  #: (P, k), of the chunk
    places: Numbers  #: (P, k), columns of the answer


def check_candidates(op: str, candidates: object, probes: int, dictionaries: int) -> None:
    """``(P, K)``, each -1 or the number of a dictionary. Where they cannot be seen, they are not looked at.

    Raises:
        TypeError: not an int64 tensor.
        ValueError: another shape, or a number out of range.
    """
    expected = f"an int64 tensor of shape ({probes}, K)"
    if not isinstance(candidates, Tensor) or candidates.dtype != torch.int64:
        raise TypeError(f"{op}: candidates must be {expected}, got {describe(candidates)}")
    if candidates.dim() != 2 or len(candidates) != probes:
        raise ValueError(f"{op}: candidates must be {expected}, got {describe(candidates)}")
    if _is_unseen(candidates):
        return
    numbers = candidates.detach().cpu().numpy()
    wrong = (numbers < -1) | (numbers >= dictionaries)
    if wrong.any():
        p, k = np.argwhere(wrong)[0]
        raise ValueError(
            f"{op}: candidates must be -1, for none, or below {dictionaries}, got {numbers[p, k]} in "
            f"candidates[{p}, {k}]"
        )


def distances(problem: Problem, candidates: Tensor) -> Tensor:
    """``(1, P, K)``, or ``(2, P, K)`` with the gaps; infinite, with a gap of 0, where a candidate is -1."""
    if _is_unseen(candidates):
        return _of_one_tile(problem, candidates)
    return _grouped(problem, candidates.detach().cpu().numpy())


def _is_unseen(candidates: Tensor) -> bool:
    """Whether the numbers are those of a graph that is being compiled, or of a vmap."""
    return torch.compiler.is_compiling() or is_transformed(candidates)


def _of_one_tile(problem: Problem, candidates: Tensor) -> Tensor:
    """A graph cannot depend on numbers: all pairs in one tile, and a stand-in where there is none."""
    probes, gallery = problem.probes, problem.gallery
    stack = gallery.whole()
    if not isinstance(probes.maps, Tensor) or stack is None:
        raise NotImplementedError("dsr_distance: candidates of maps of several sizes cannot be compiled")
    values = tile(problem.side(), Chunk.of(stack, problem), problem, candidates.clamp(min=0))
    none = torch.tensor([torch.inf, 0], dtype=values.dtype, device=values.device)[: len(values), None, None]
    return torch.where(candidates < 0, none, values)


def _grouped(problem: Problem, candidates: Numbers) -> Tensor:
    width, limits = candidates.shape[1], limits_of(problem)
    progress = Progress(int((candidates >= 0).sum()), problem.progress)
    places, values = [], []
    for chunk, local in _chunks(problem, candidates, limits):
        for batch in _batches(problem, local, chunk.stack.gram.shape[1], limits):
            values.append(tile(problem.side(batch.probes), chunk, problem, torch.from_numpy(batch.rows)).flatten(1))
            places.append((np.array(batch.probes)[:, None] * width + batch.places).ravel())
            progress.update(batch.rows.size)
    progress.close()
    assert problem.probes.sample is not None
    shape = (1 + problem.solving.return_gap, candidates.size)
    table = torch.zeros(shape, dtype=problem.sums, device=problem.probes.sample.device)
    table[0] = torch.inf
    if places:
        where = torch.from_numpy(np.concatenate(places)).to(table.device)
        table = table.index_copy(1, where, torch.cat(values, dim=1).to(table.dtype))
    return table.unflatten(1, candidates.shape)


def _chunks(problem: Problem, candidates: Numbers, limits: Plan) -> Iterator[tuple[Chunk, Numbers]]:
    """Dictionaries that some probe asks for, of one layout, and for each candidate its row among them, or -1.

    Where they are ready in memory all are one chunk; else they are made, as many as half of the budget holds.
    """
    gallery = problem.gallery
    total = gallery.length
    asked = np.zeros(total + 1, dtype=bool)  # the last one stands for -1
    asked[candidates] = True
    for run, (layout, numbers) in enumerate(zip(gallery.layouts, gallery.numbers)):
        rows = np.flatnonzero(asked[np.asarray(numbers)])
        whole = gallery.in_memory and _is_ready(problem)
        size = len(rows) if whole else max(1, int(limits.held / atoms(layout, problem.purpose)))
        for start in range(0, len(rows), max(1, size)):
            some = rows[start : start + size]
            taken: Sequence[int] = range(len(numbers)) if whole else some.tolist()
            row_of = np.full(total + 1, -1)
            row_of[np.asarray(numbers)[some]] = some if whole else np.arange(len(some))
            yield Chunk.of(gallery.take(run, taken), problem), row_of[candidates]


def _is_ready(problem: Problem) -> bool:
    """Whether a prepared gallery is multiplied as it is kept."""
    stack = problem.gallery.take(0, range(1))
    return stack.cells.dtype == problem.product and stack.averages is None and stack.cells.device.type == "cpu"


def _batches(problem: Problem, local: Numbers, atoms: int, limits: Plan) -> Iterator[Batch]:
    """Probes that can go together, as many as a tile holds; one probe's candidates, too, are cut to a tile."""
    rows, shapes = problem.rows(), problem.probes.shapes
    alike: dict[tuple[tuple[int, int], int], list[int]] = {}
    for p, count in enumerate((local >= 0).sum(1).tolist()):
        if count:
            alike.setdefault((shapes[p], count), []).append(p)
    for (_, count), probes in alike.items():
        places = np.stack([np.flatnonzero(local[p] >= 0) for p in probes])
        pairs = max(1, int(limits.rows * limits.columns / (rows[probes[0]] * atoms)))  # that a tile holds
        high, wide = max(1, pairs // count), min(count, pairs)
        for top in range(0, len(probes), high):
            some = probes[top : top + high]
            for left in range(0, count, wide):
                columns = places[top : top + high, left : left + wide]
                yield Batch(some, np.take_along_axis(local[some], columns, axis=1), columns)
