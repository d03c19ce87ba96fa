"""All pairs of two sets of images, in tiles that stay within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from tqdm.auto import tqdm

MEMORY_BUDGET = 1 << 30  # bytes

Image = TypeVar("Image")
ProbeSide = TypeVar("ProbeSide")
GallerySide = TypeVar("GallerySide", bound="Sliceable")
Compared = TypeVar("Compared")


class Sliceable(Protocol):
    """Something made of several images, of which some can be taken."""

    def __getitem__(self, some: slice, /) -> Any:
        """The same of some of the images."""
        ...


class Tile(NamedTuple):
    """Where the pairs of some probes and some gallery images lie in a table (P, G, ...): `table[tile]`."""

    probes: slice
    gallery: slice


def pairs_within(memory_budget: int, pair_bytes: int, device: torch.device, *, cached: int) -> int:
    """How many pairs a tile may have: as many as the budget holds, and one at least.

    Args:
        memory_budget: bytes that a tile may take.
        pair_bytes: bytes that one pair takes while it is compared.
        device: where pairs are compared.
        cached: bytes that a CPU's caches hold, about. There, a larger tile takes longer.

    Example:
        >>> cpu, gpu = torch.device("cpu"), torch.device("cuda")
        >>> pairs_within(1000, 10, cpu, cached=500), pairs_within(1000, 10, gpu, cached=500)
        (50, 100)
    """
    return max(1, (min(memory_budget, cached) if device.type == "cpu" else memory_budget) // pair_bytes)


@torch.inference_mode()
def compare_in_tiles(
    probes: Sequence[Image],
    gallery: Sequence[Image],
    compare: Callable[[ProbeSide, GallerySide], Compared],
    *,
    probe_side: Callable[[Sequence[Image]], ProbeSide],
    gallery_side: Callable[[Sequence[Image]], GallerySide],
    pairs: int,
    block: int,
    keep_probes: bool = False,
    progress: bool = False,
) -> Iterator[tuple[Tile, Compared]]:
    """Compare all pairs of probes and gallery images, tile after tile. Each pair is in one tile.

    What one image adds to its pairs is made once for many pairs. The gallery goes by in blocks: the side of a block is
    made once, and is held until all probes have been compared with it.

    Args:
        probes, gallery: embedded images.
        compare: the sides of a tile's p probes and g gallery images -> what is to be known of the p x g pairs.
        probe_side: makes the side of the probes of a tile. It is called again for each block, unless `keep_probes`.
        gallery_side: makes the side of a block of gallery images; a tile takes a slice of it.
        pairs: in a tile, at most.
        block: gallery images whose side is held at a time. A tile never has more.
        keep_probes: hold the sides of all probes from block to block.
        progress: show a progress bar of pairs.

    Example:
        >>> table, stack = torch.zeros(3, 5), torch.stack
        >>> images = torch.arange(5.0).unbind()
        >>> tiles = compare_in_tiles(images[:3], images, lambda left, right: left[:, None] - right,
        ...                          probe_side=stack, gallery_side=stack, pairs=4, block=2)
        >>> for tile, differences in tiles:
        ...     table[tile] = differences
        >>> table[2]
        tensor([ 2.,  1.,  0., -1., -2.])
    """
    if not probes or not gallery:
        return
    width = max(1, min(pairs, block, len(gallery)))
    rows = slices(0, len(probes), max(1, pairs // width))
    kept: dict[int, ProbeSide] = {}
    with tqdm(total=len(probes) * len(gallery), unit="pair", disable=not progress, leave=False) as bar:
        for columns in slices(0, len(gallery), max(1, block)):
            right = gallery_side(gallery[columns])
            for row in rows:
                left = kept[row.start] if row.start in kept else probe_side(probes[row])
                if keep_probes:
                    kept[row.start] = left
                for part in slices(columns.start, columns.stop, width):
                    inner = slice(part.start - columns.start, part.stop - columns.start)
                    yield Tile(row, part), compare(left, right[inner])
                    bar.update((row.stop - row.start) * (part.stop - part.start))


def slices(start: int, stop: int, size: int) -> list[slice]:
    """From `start` to `stop`, `size` at a time.

    Example:
        >>> slices(0, 5, 2)
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]
