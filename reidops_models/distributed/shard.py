"""A part of a gallery, held by an actor: it takes probes and gives back what is nearest in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from reidops_models.distributed.cluster import arrived
from reidops_models.evaluation.protocol import Protocol
from reidops_models.gallery.entries import NUMBER
from reidops_models.gallery.features import on_device
from reidops_models.gallery.nearest import Nearest
from reidops_models.gallery.search import Block, compare_blocks, nearest_in, read_blocks
from reidops_models.gallery.store import Store, one_line

UNKNOWN = -1  # a person or a camera that is not known, as in `reidops_models.evaluation`


class Labels(NamedTuple):
    """Of some probes: (P,) int64 each, -1 where it is not known."""

    pids: np.ndarray
    camids: np.ndarray


class Right(NamedTuple):
    """The right pictures of one probe in a part of the gallery: (n,) each."""

    distances: np.ndarray
    numbers: np.ndarray


class Table(NamedTuple):
    """The distances of some probes to a part of the gallery.

    Attributes:
        key: stands for the probes.
        distances: (P, n).
        numbers: (n,) of the pictures.
        protocol: says which of them are right for a probe.
    """

    key: int
    distances: np.ndarray
    numbers: np.ndarray
    protocol: Protocol


class Shard:
    """Some fragments of a gallery.

    Args:
        path, version: of the gallery's dataset.
        fragments: their ids.
        checkpoint: of the gallery, with its options of matching, as of `arrived`.
        sizes: `Gallery.probe_sizes`.
        held: bytes of features that stay in memory from one pass to the next; a larger part is read for each pass.
    """

    def __init__(
        self,
        path: str,
        version: int,
        fragments: Sequence[int],
        checkpoint: Sequence[Any],
        sizes: Sequence[tuple[int, int]],
        held: int,
    ) -> None:
        self._store = Store.open(path)
        with one_line(path):
            self._store.dataset = self._store.dataset.checkout_version(version)
        self._fragments = list(fragments)
        loaded = arrived(checkpoint)
        self._matcher = loaded.methods(list(sizes)).main
        self._device = loaded.device
        self._most = held
        self._blocks: list[Block] | None = None
        self._table: Table | None = None

    def nearest(self, probes: Sequence[Any], k: int) -> Nearest:
        """The k nearest of this part to each probe, which `Matcher.embed` made on the CPU."""
        found = nearest_in(self._matcher, [on_device(probe, self._device) for probe in probes], self._read(), k)
        assert found is not None  # no part is empty
        return found

    def right(self, key: int, probes: Sequence[Any], labels: Labels) -> list[Right]:
        """Distances and numbers of the right pictures of each probe. `key` is another for other probes."""
        table = self._compare(key, probes)
        found = []
        for row, pid, camid in zip(table.distances, labels.pids.tolist(), labels.camids.tolist(), strict=True):
            own = table.protocol.own_images(pid, camid).right
            found.append(Right(row[own], table.numbers[own]))
        return found

    def nearer(self, key: int, probes: Sequence[Any], labels: Labels, right: Sequence[Right]) -> list[np.ndarray]:
        """How many pictures of this part rank before each right one, which may be in another part.

        Equal distances rank by the gallery's order, NaN ranks last; junk and the probe's own camera's pictures of its
        person are not ranked.
        """
        table = self._compare(key, probes)
        counts = []
        for row, pid, camid, own in zip(
            table.distances, labels.pids.tolist(), labels.camids.tolist(), right, strict=True
        ):
            kept = table.protocol.pids >= 0
            kept[table.protocol.own_images(pid, camid).removed] = False
            counts.append(count_nearer(row[kept], table.numbers[kept], own))
        return counts

    def _compare(self, key: int, probes: Sequence[Any]) -> Table:
        """Those of the last key are kept, because they are asked for twice."""
        if self._table is None or self._table.key != key:
            moved = [on_device(probe, self._device) for probe in probes]
            parts, numbers = [], []
            for block, distances in compare_blocks(self._matcher, moved, self._read()):
                parts.append(distances)
                numbers.append(block.numbers)
            own = torch.cat(numbers).numpy()
            self._table = Table(key, torch.cat(parts, dim=1).numpy(), own, self._protocol(own))
        return self._table

    def _protocol(self, numbers: np.ndarray) -> Protocol:
        if self._table is not None:  # the version of the gallery stays
            return self._table.protocol
        with one_line(self._store.path):
            chosen = [one for one in self._store.dataset.get_fragments() if one.fragment_id in self._fragments]
            table = self._store.dataset.scanner(columns=[NUMBER, "pid", "camid"], fragments=chosen).to_table()
        found = {row.pop(NUMBER): row for row in table.to_pylist()}
        pids, camids = (
            [UNKNOWN if found[number][name] is None else found[number][name] for number in numbers.tolist()]
            for name in ("pid", "camid")
        )
        return Protocol("evaluate", pids, camids)

    def _read(self) -> Iterator[Block]:
        """The features of this part."""
        if self._blocks is not None:
            yield from self._blocks
            return
        kept: list[Block] | None = []
        size = 0
        for block in read_blocks(self._store, self._fragments):
            size += sum(tensor.nbytes for tensor in block.tensors)
            kept = None if kept is None or size > self._most else [*kept, block]
            yield block
        self._blocks = kept


def count_nearer(distances: np.ndarray, numbers: np.ndarray, right: Right) -> np.ndarray:
    missing = np.isnan(distances)
    counts = np.zeros(len(right.numbers), np.int64)
    for i, (distance, number) in enumerate(zip(*right, strict=True)):
        farther = np.isnan(distance)
        before = ~missing if farther else distances < distance
        ties = missing if farther else distances == distance
        counts[i] = np.count_nonzero(before | (ties & (numbers < number)))
    return counts
