"""What is too large to hold: distances and features in memory as long as they are small, else in temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ITEM = 4  # bytes of a float32


class DistanceTable:
    """(P, G) float32 distances that are read a few rows at a time.

    `table[i]` are the (G,) distances of a probe, `table[i:j]` the (j - i, G) of some. `np.asarray(table)` are all of
    them, held in memory.

    Attributes:
        shape: P and G.
    """

    shape: tuple[int, int]

    def rows(self, start: int, stop: int) -> Tensor:
        """(stop - start, G) distances of these probes."""
        raise NotImplementedError

    def blocks(self, memory: int) -> Iterator[tuple[slice, Tensor]]:
        """All rows in order, some at a time, of `memory` bytes at most, but one row at least."""
        step = max(1, memory // (ITEM * max(1, self.shape[1])))
        for start in range(0, self.shape[0], step):
            rows = slice(start, min(start + step, self.shape[0]))
            yield rows, self.rows(rows.start, rows.stop)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice) -> Tensor:
        if isinstance(index, slice):
            start, stop, step = index.indices(self.shape[0])
            if step != 1:
                raise ValueError(f"DistanceTable: rows are read in order, got a step of {step}")
            return self.rows(start, max(start, stop))
        place = range(self.shape[0])[index]
        return self.rows(place, place + 1)[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].numpy().astype(dtype or np.float32, copy=False)


class StoredTable(DistanceTable):
    """Distances that come in blocks of gallery images. They lie in memory up to a limit, beyond it in a temporary file.

    Args:
        probes: P.
        memory: bytes up to which they stay in memory.

    Example:
        >>> table = StoredTable(probes=2, memory=1 << 20)
        >>> table.begin_block(3)
        >>> table.write(0, torch.zeros(2, 3))
        >>> table.begin_block(1)
        >>> table.write(0, torch.ones(1, 1)), table.write(1, torch.full((1, 1), 2.0))
        (None, None)
        >>> table.shape, table[1].tolist()
        ((2, 4), [0.0, 0.0, 0.0, 2.0])
    """

    def __init__(self, probes: int, memory: int) -> None:
        # A block's rows lie together, so that both a block's tile and some rows of a block are one piece of the file.
        self._file = tempfile.SpooledTemporaryFile(max_size=memory, prefix="reidops-distances-")  # noqa: SIM115
        self._edges = [0]  # of the blocks, in gallery images
        self.shape = (probes, 0)

    def begin_block(self, images: int) -> None:
        """The next gallery images."""
        self._edges.append(self._edges[-1] + images)
        self.shape = (self.shape[0], self._edges[-1])

    def write(self, start: int, distances: Tensor) -> None:
        """(p, images of the block) distances of the probes from `start` on."""
        width = self._edges[-1] - self._edges[-2]
        if distances.shape[1] != width:
            raise ValueError(f"expected distances to {width} gallery images, got {distances.shape[1]}")
        self._file.seek((self.shape[0] * self._edges[-2] + start * width) * ITEM)
        if distances.numel():
            self._file.write(distances.detach().to("cpu", torch.float32).contiguous().numpy().data.cast("B"))

    def rows(self, start: int, stop: int) -> Tensor:
        found = np.empty((stop - start, self.shape[1]), np.float32)
        for left, right in zip(self._edges, self._edges[1:]):
            width = right - left
            self._file.seek((self.shape[0] * left + start * width) * ITEM)
            piece = self._file.read((stop - start) * width * ITEM)
            found[:, left:right] = np.frombuffer(piece, np.float32).reshape(stop - start, width)
        return torch.from_numpy(found)


class StoredFeatures:
    """The features of one side, in chunks: in memory up to a limit, beyond it in a temporary folder.

    Args:
        memory: bytes up to which they stay in memory.
        chunk: bytes of a chunk that is read back, about.
        most: images of a chunk at most.
    """

    def __init__(self, memory: int, chunk: int, most: int) -> None:
        self._memory, self._chunk, self._most = memory, chunk, most
        self._held: list[Any] = []
        self._bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: list[Path] = []

    def add(self, features: Sequence[Any]) -> None:
        """The next ones."""
        self._held.extend(features)
        self._bytes += bytes_of(features)
        if self._bytes > (self._chunk if self._files else self._memory):
            self._spill()

    def chunks(self) -> Iterator[Sequence[Any]]:
        """All of them, in order."""
        for file in self._files:
            # Our own file, in a folder of ours alone: features may be of any type that a paper has.
            yield torch.load(file, weights_only=False)
        yield from (self._held[start : start + self._most] for start in range(0, len(self._held), self._most))

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="reidops-features-")
        each = max(1, self._bytes // len(self._held))
        count = max(1, min(self._most, self._chunk // each))
        for start in range(0, len(self._held), count):
            self._files.append(Path(self._folder.name, f"{len(self._files)}.pt"))
            torch.save(own_storage(self._held[start : start + count]), self._files[-1])
        self._held, self._bytes = [], 0


def own_storage(features: Any) -> Any:
    """Features whose tensors share no memory with others, so that no more than they are is written."""
    if isinstance(features, Tensor):
        return features.clone() if features.untyped_storage().nbytes() > features.nbytes else features
    if isinstance(features, tuple) and hasattr(features, "_fields"):
        return type(features)(*(own_storage(item) for item in features))
    if isinstance(features, list | tuple):
        return type(features)(own_storage(item) for item in features)
    if is_dataclass(features) and not isinstance(features, type):
        return replace(
            features, **{field.name: own_storage(getattr(features, field.name)) for field in fields(features)}
        )
    return features


def bytes_of(features: Any) -> int:
    """Bytes of all tensors in features of any type; memory that several share counts once.

    Example:
        >>> batch = torch.zeros(4, 8)
        >>> bytes_of([batch[0], (batch[1], {"a": torch.zeros(2)})])
        136
    """
    storages: dict[int, int] = {}

    def visit(value: Any) -> None:
        if isinstance(value, Tensor):
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif isinstance(value, Mapping):
            visit(list(value.values()))
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)
        elif is_dataclass(value):
            visit([getattr(value, field.name) for field in fields(value)])

    visit(features)
    return sum(storages.values())
