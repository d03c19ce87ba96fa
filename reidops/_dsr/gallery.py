"""Where dictionaries come from: maps, of which they are made when they are asked for, or a prepared gallery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from . import blocks
from .arguments import MapSet, Purpose
from .dictionaries import Dictionaries, rows_of
from .probes import split_maps, stack_maps
from .stacks import Layout, Stack, stack


class Gallery(Protocol):
    """Dictionaries, by their layouts."""

    purpose: Purpose
    layouts: list[Layout]
    channels: int
    in_memory: bool  #: whether `take` costs nothing for a slice

    @property
    def numbers(self) -> list[Sequence[int]]:
        """Of the dictionaries of each layout, as the caller counts them."""
        ...

    @property
    def length(self) -> int:
        """How many dictionaries there are."""
        ...

    def whole(self) -> Stack | None:
        """All dictionaries, in the caller's order, where they have one layout."""
        ...

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        """Some of the dictionaries of one layout: rows of ``numbers[run]``."""
        ...

    def each(self, run: int, cuts: Sequence[range]) -> Iterator[Stack]:
        """One after another, the dictionaries of each cut; the cuts follow one another."""
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
        #: each map is a dictionary: one layout, known without looking at each, and no copy
        self._tensor = images.maps if groups is None and isinstance(images.maps, Tensor) else None
        if self._tensor is not None:
            self.layouts: list[Layout] = [tuple(images.sizes)]
            return
        members = [[i] for i in range(images.length)] if groups is None else groups
        shapes = images.shapes
        alike = all(shape == shapes[0] for shape in shapes)
        runs: dict[Layout | int, list[int]] = {}
        for number, own in enumerate(members):
            # Images of one size differ in number alone; compiled, sizes are symbols, which cannot be sorted.
            layout = len(own) if alike else tuple(shapes[i] for i in own)
            runs.setdefault(layout, []).append(number)
        self._numbers: list[Sequence[int]] = [numbers for _, numbers in sorted(runs.items())]
        self.layouts = [tuple(shapes[i] for i in members[numbers[0]]) for numbers in self._numbers]

    @property
    def numbers(self) -> list[Sequence[int]]:
        return self._numbers if self._tensor is None else [range(self._images.length)]

    @property
    def length(self) -> int:
        return self._images.length if self._members is None else len(self._members)

    def whole(self) -> Stack | None:
        if self._tensor is not None:
            return stack([self._tensor], self.layouts[0], self.purpose, self._storage)
        return self.take(0, range(self.length)) if len(self.layouts) == 1 else None

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        layout, maps = self.layouts[run], self._images.maps
        if self._tensor is not None:
            some = self._tensor[rows_of(rows, self._tensor.device)]
            return stack([some], layout, self.purpose, self._storage)
        numbers = [self.numbers[run][row] for row in rows]
        members = [[number] for number in numbers] if self._members is None else [self._members[i] for i in numbers]
        images = [stack_maps([maps[i] for i in of_one_place]) for of_one_place in zip(*members, strict=True)]
        return stack(images, layout, self.purpose, self._storage)

    def each(self, run: int, cuts: Sequence[range]) -> Iterator[Stack]:
        if self._tensor is None:
            return (self.take(run, cut) for cut in cuts)
        layout = self.layouts[run]
        return (stack([some], layout, self.purpose, self._storage) for some in split_maps(self._tensor, cuts))


class PreparedGallery:
    """What :func:`prepare_gallery` made."""

    in_memory = True

    def __init__(self, dictionaries: Dictionaries) -> None:
        runs = dictionaries.runs()
        self.purpose = dictionaries.purpose
        self.channels = dictionaries.channels
        self.layouts = [run.stack.layout for run in runs]
        self.numbers: list[Sequence[int]] = [run.numbers for run in runs]
        self.length = len(dictionaries)
        self._stacks = [run.stack for run in runs]

    def whole(self) -> Stack | None:
        ordered = len(self._stacks) == 1 and list(self.numbers[0]) == list(range(self.length))
        return self._stacks[0] if ordered else None

    def take(self, run: int, rows: Sequence[int]) -> Stack:
        whole = self._stacks[run]
        return whole if len(rows) == whole.length else whole.take(rows_of(rows, whole.cells.device))

    def each(self, run: int, cuts: Sequence[range]) -> Iterator[Stack]:
        return (self.take(run, cut) for cut in cuts)


def atoms(layout: Layout, purpose: Purpose) -> int:
    """Atoms of a dictionary."""
    return sum(blocks.count(*size, purpose.gallery_scales) for size in layout)
