"""What a file of distances holds, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reidops_models.matching import DistanceTable
from reidops_models.retrieval.scores import Labels

PREFIX = "distances/"  # of a method's name, as its matrix is called
BLOCK = 64 << 20  # bytes of distances that are written at a time
LABELS = ("probe_pids", "gallery_pids", "probe_camids", "gallery_camids")


class DistanceFileError(ValueError):
    """A file of distances that cannot be read or written; the message is one line that names it."""


@dataclass(frozen=True)
class DistanceFile:
    """Distances of one or several methods, and whose they are.

    Attributes:
        tables: (P, G) distances of each method, by its name.
        labels: who is on the images.
        probe_names, gallery_names: what the images are called.
    """

    tables: Mapping[str, DistanceTable]
    labels: Labels
    probe_names: Sequence[str] = field(repr=False)
    gallery_names: Sequence[str] = field(repr=False)


class FileTable(DistanceTable):
    """A matrix in a file, read from its beginning.

    Args:
        shape: (P, G).
        read: opens it and gives blocks of so many rows at most, in order.
        sign: -1 turns similarities into distances.
    """

    def __init__(self, shape: tuple[int, int], read: Callable[[int], Iterator[np.ndarray]], sign: int = 1) -> None:
        self.shape = shape
        self._read, self._sign = read, sign

    def blocks(self, memory: int) -> Iterator[tuple[slice, Tensor]]:
        start = 0
        for block in self._read(max(1, memory // (8 * max(1, self.shape[1])))):
            yield slice(start, start + len(block)), torch.from_numpy(block if self._sign > 0 else -block)
            start += len(block)

    def rows(self, start: int, stop: int) -> Tensor:
        parts = [torch.empty(0, self.shape[1])]
        for at, block in self.blocks(BLOCK):
            if at.start >= stop:
                break
            parts.append(block[max(0, start - at.start) : stop - at.start])
        return torch.cat(parts)


def named_labels(labels: Labels) -> dict[str, np.ndarray]:
    return {name: values for name in LABELS if (values := getattr(labels, name)) is not None}
