"""All pairs of probes and dictionaries, tile by tile.

A tile is some probes' blocks, R rows, against some dictionaries of one layout.  One product gives its correlations and
one call of the solver its errors.  What belongs to one image alone (its blocks, its Gram matrix) is made once, not once
per pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import blocks
from .gallery import atoms
from .problem import Problem
from .tile import Chunk, tile
from .tiles import Bytes, Plan, Progress, chunks, fits, plan


class Band(NamedTuple):
    """Some probes against some dictionaries."""

    probes: slice  #: which ones
    numbers: Sequence[int]  #: of the dictionaries
    values: Tensor  #: (1, P, G), or (2, P, G) with gaps


def distances(problem: Problem) -> Tensor:
    """``(1, P, G)``, in the dtype of the sums, or ``(2, P, G)`` with the gaps."""
    one = in_one_tile(problem)
    if one is not None:
        return one
    rows: dict[int, list[Tensor]] = {}
    order: dict[int, list[int]] = {}
    for band in bands(problem):
        rows.setdefault(band.probes.start, []).append(band.values)
        order.setdefault(band.probes.start, []).extend(band.numbers)
    table = torch.cat([torch.cat(parts, dim=2) for parts in rows.values()], dim=1)
    numbers = next(iter(order.values()))
    if numbers == list(range(len(numbers))):
        return table
    return table[:, :, torch.tensor(numbers, device=table.device).argsort()]


def in_one_tile(problem: Problem) -> Tensor | None:
    """The whole table, where both sides have maps of one size and it fits."""
    probes, gallery = problem.probes, problem.gallery
    if problem.progress or len(gallery.layouts) > 1 or not isinstance(probes.maps, Tensor):
        return None
    each = atoms(gallery.layouts[0], problem.purpose)
    rows = probes.length * blocks.count(*probes.sizes[0], problem.purpose.scales)
    if not fits(rows, gallery.length * each, _bytes(problem, each), probes.device, problem.memory_budget):
        return None
    stack = gallery.whole()
    if stack is None:
        return None
    return tile(problem.side(), Chunk.of(stack, problem), problem)


def bands(problem: Problem) -> Iterator[Band]:
    """The table, part by part: some probes, kept in memory while all dictionaries pass by, then the next."""
    limits = limits_of(problem)
    rows, gallery = problem.rows(), problem.gallery
    progress = Progress(len(rows) * gallery.length, problem.progress)
    for group in chunks(rows, limits.group):
        cuts = [range(group.start + cut.start, group.start + cut.stop) for cut in chunks(rows[group], limits.rows)]
        sides = list(problem.sides(cuts))
        for run, (layout, numbers) in enumerate(zip(gallery.layouts, gallery.numbers)):
            sizes = [atoms(layout, problem.purpose)] * len(numbers)
            columns = [range(cut.start, cut.stop) for cut in chunks(sizes, limits.columns)]
            for cut, stack in zip(columns, gallery.each(run, columns)):
                chunk = Chunk.of(stack, problem)
                values = torch.cat([tile(side, chunk, problem) for side in sides], dim=1)
                yield Band(group, numbers[cut.start : cut.stop], values)
                progress.update(values[0].numel())
    progress.close()


def limits_of(problem: Problem) -> Plan:
    """How large a tile may be."""
    gallery = problem.gallery
    sizes = [atoms(layout, problem.purpose) for layout in gallery.layouts]
    columns = sum(size * len(numbers) for size, numbers in zip(sizes, gallery.numbers))
    size = _bytes(problem, max(sizes))
    return plan(sum(problem.rows()), columns, size, problem.probes.device, problem.memory_budget)


def _bytes(problem: Problem, most_atoms: int) -> Bytes:
    """What `distances` holds at a time, without gradients, for dictionaries of up to so many atoms."""
    multi = problem.purpose.scales != (1,)
    cell = 1.0 + multi
    if problem.purpose.method == "ridge":  # weights, and what their errors are summed from
        cell += 4
    block = (1 + multi) * (problem.gallery.channels + 1)
    size = problem.sums.itemsize
    return Bytes(size * cell, size * block, size * (block + (1 + multi) * most_atoms))
