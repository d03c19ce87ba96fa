"""Where dictionaries come from: maps, of which they are made when they are asked for, or a prepared gallery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from . import blocks
from .arguments import MapSet, Purpose
from .dictionaries import Dictionaries, rows_of
from .probes import stack_maps
from .stacks import Layout, Stack, stack


class Gallery(Protocol):
    """Dictionaries, by their layouts."""

    purpose: Purpose
    layouts: list[Layout]
    numbers: list[Sequence[int]]  #: of the dictionaries of each layout, as the caller counts them
    channels: int
    in_memory: bool  #: whether `take` costs nothing for a slice

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        """Some of the dictionaries of one layout: rows of ``numbers[run]``."""
        ...


class GalleryOfMaps:
    """Each image is a dictionary, or each group of images."""

    in_memory = False

    def __init__(self, images: MapSet, groups: list[list[int]] | None, purpose: Purpose, storage: torch.dtype) -> None:
        self.purpose = purpose
        self._storage = storage
        self._images = images
        self._members = groups
        self.channels = images.channels
        if groups is None and isinstance(images.maps, Tensor):  # one layout, known without looking at each
            self.layouts: list[Layout] = [(images.shapes[0],)]
            self.numbers: list[Sequence[int]] = [range(images.length)]
            return
        members = [[i] for i in range(images.length)] if groups is None else groups
        runs: dict[Layout, list[int]] = {}
        for number, own in enumerate(members):
            runs.setdefault(tuple(images.shapes[i] for i in own), []).append(number)
        self.layouts = sorted(runs)
        self.numbers = [runs[layout] for layout in self.layouts]

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        layout, maps = self.layouts[run], self._images.maps
        if self._members is None and isinstance(maps, Tensor):
            return stack([maps[rows_of(rows, maps.device)]], layout, self.purpose, self._storage)
        numbers = [self.numbers[run][row] for row in rows]
        members = [[number] for number in numbers] if self._members is None else [self._members[i] for i in numbers]
        images = [stack_maps([maps[i] for i in of_one_place]) for of_one_place in zip(*members, strict=True)]
        return stack(images, layout, self.purpose, self._storage)


class PreparedGallery:
    """What :func:`prepare_gallery` made."""

    in_memory = True

    def __init__(self, dictionaries: Dictionaries) -> None:
        runs = dictionaries.runs()
        self.purpose = dictionaries.purpose
        self.channels = dictionaries.channels
        self.layouts = [run.stack.layout for run in runs]
        self.numbers: list[Sequence[int]] = [run.numbers for run in runs]
        self._stacks = [run.stack for run in runs]

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        whole = self._stacks[run]
        return whole if len(rows) == whole.length else whole.take(rows_of(rows, whole.cells.device))


def atoms(layout: Layout, purpose: Purpose) -> int:
    """Atoms of a dictionary."""
    return sum(blocks.count(*size, purpose.gallery_scales) for size in layout)
