"""How a table of pairs is cut into tiles: big enough for the matrix product, small enough for cache and budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

# A tile's correlations are written by the product and read by the solver right after: on a CPU they should still be in
# cache then.  A GPU wants many columns in flight.
_TILE_BYTES = {"cpu": 8 << 20}
_TILE_BYTES_ELSEWHERE = 512 << 20
_BUDGET = {"cpu": 1 << 30}
_BUDGET_ELSEWHERE = 8 << 30


class Bytes(NamedTuple):
    """Working memory of each cell of the table of blocks (probe block x atom), of each probe block and each atom."""

    cell: float
    row: float
    column: float


class Plan(NamedTuple):
    """Limits in blocks, all of them soft: a chunk holds one image at least.

    No integers: compiled, sizes are symbols, and a number rounded to an integer would be a constant of the graph.
    """

    group: float  #: rows whose block sets are kept while the whole gallery passes by
    rows: float  #: rows of a tile
    columns: float  #: atoms of a tile
    held: float  #: atoms whose dictionaries are made and kept together


def fits(rows: int, columns: int, size: Bytes, device: str, budget: int | None) -> bool:
    """Whether a table is one tile. In a compiled graph, which is to serve other sizes too, only the budget counts."""
    budget = budget or _BUDGET.get(device, _BUDGET_ELSEWHERE)
    tile = budget / 4
    if not torch.compiler.is_compiling():
        tile = min(tile, _TILE_BYTES.get(device, _TILE_BYTES_ELSEWHERE))
    return rows * columns * size.cell <= tile and columns * size.column <= budget / 4 and rows * size.row <= budget / 2


def plan(rows: int, columns: int, size: Bytes, device: str, budget: int | None) -> Plan:
    """Cuts a table of ``rows`` x ``columns`` cells to a budget in bytes.

    A quarter of the budget is for the tile, a quarter for its gallery images, half for the group of probes.
    """
    budget = budget or _BUDGET.get(device, _BUDGET_ELSEWHERE)
    cells = min(_TILE_BYTES.get(device, _TILE_BYTES_ELSEWHERE), budget / 4) / size.cell
    tall, wide = _squarest(rows, columns, cells)
    held = budget / 4 / size.column
    return Plan(group=budget / 2 / size.row, rows=tall, columns=min(wide, held), held=held)


def _squarest(rows: int, columns: int, cells: float) -> tuple[float, float]:
    """The squarest tile of so many cells: it reads the operands of a matrix product the fewest times."""
    side = cells**0.5
    if rows < side:
        return rows, cells / rows
    if columns < side:
        return cells / columns, columns
    return side, side


def chunks(sizes: Sequence[int], limit: float) -> list[slice]:
    """Runs of consecutive images, as long as their sizes together are within ``limit``; one image at least."""
    cuts = []
    start = total = 0
    for i, size in enumerate(sizes):
        total += size
        if i > start and total > limit:
            cuts.append(slice(start, i))
            start, total = i, size
    return [*cuts, slice(start, len(sizes))]


class Progress:
    """A bar over so many pairs, where one is wanted."""

    def __init__(self, pairs: int, shown: bool) -> None:
        self._bar: Any = None
        if shown:
            from tqdm import tqdm  # only where asked for: importing it takes longer than a small call

            self._bar = tqdm(total=pairs, unit="pair", desc="dsr_distance")

    def update(self, pairs: int) -> None:
        if self._bar is not None:
            self._bar.update(pairs)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
