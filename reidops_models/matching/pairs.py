"""All pairs of P probes and G gallery images, cut into tiles that stay within a bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from tqdm.auto import tqdm

PAIR_MEMORY = 1 << 30  # bytes that a matcher of pairs holds at a time by default, beside network and embedded images


class Tile(NamedTuple):
    """Some probes and some gallery images, all of whose pairs are compared together.

    Attributes:
        probes, gallery: their places.
        block: the gallery images that stay while all probes pass; `gallery` lies in it.
    """

    probes: slice
    gallery: slice
    block: slice

    @property
    def in_block(self) -> slice:
        """`gallery` as places in `block`."""
        return slice(self.gallery.start - self.block.start, self.gallery.stop - self.block.start)

    @property
    def pairs(self) -> int:
        """The number of pairs."""
        return (self.probes.stop - self.probes.start) * (self.gallery.stop - self.gallery.start)


def pair_bar(pairs: int, progress: bool, name: str | None = None) -> tqdm[Any]:
    """A progress bar of pairs, for :func:`cut_pairs`; hidden without `progress`."""
    return tqdm(total=pairs, unit="pair", desc=name, disable=not progress, leave=False)


def cut_pairs(
    probes: int,
    gallery: int,
    *,
    most: int,
    wide: int | None = None,
    block: int | None = None,
    bar: tqdm[Any] | None = None,
) -> Iterator[Tile]:
    """Cut the P x G pairs into tiles. Each pair is in one tile.

    Tiles come block after block, in a block probes after probes, and in these from left to right. So whatever belongs
    to a block, or to the probes of a tile, is made once and used until the next one comes.

    Args:
        probes, gallery: P and G.
        most: pairs in a tile at most; a tile has one pair at least.
        wide: gallery images in a tile at most; None: as many as `most` allows.
        block: gallery images in a block at most; None: as many as in a tile.
        bar: is moved on after each tile.

    Example:
        >>> [(tile.probes, tile.gallery) for tile in cut_pairs(3, 2, most=4)]
        [(slice(0, 2, None), slice(0, 2, None)), (slice(2, 3, None), slice(0, 2, None))]
    """
    wide = max(1, min(most, gallery, wide or gallery))
    for columns in _slices(0, gallery, block or wide):
        for rows in _slices(0, probes, max(1, most // wide)):
            for part in _slices(columns.start, columns.stop, wide):
                tile = Tile(rows, part, columns)
                yield tile
                if bar is not None:
                    bar.update(tile.pairs)


def _slices(start: int, stop: int, size: int) -> list[slice]:
    return [slice(first, min(first + size, stop)) for first in range(start, stop, size)]
