"""Dictionaries of one layout, stacked: what belongs to the gallery alone.

A dictionary is the block set of one gallery image, or of several.  Its layout is the sizes of these images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._common.precision import computing_dtype
from .._ops import ridge
from .._ops.channel_product import channel_gram, channel_product
from . import blocks
from .arguments import Purpose, Shape

Layout = tuple[Shape, ...]  #: (h, w) of each image of a dictionary


class Stack(NamedTuple):
    """D dictionaries of one layout: M1 blocks of 1 x 1, and M atoms."""

    layout: Layout
    cells: Tensor  #: (D, C, M1), the 1 x 1 blocks, in the dtype that they are kept in
    averages: Tensor | None  #: (M, M1), which makes the atoms of them; None where the atoms are the 1 x 1 blocks
    gram: Tensor  #: (D, M, M)
    inverse: Tensor | None  #: (D, M, M), of the Gram matrix plus beta, for ridge

    @property
    def length(self) -> int:
        """D."""
        return len(self.cells)

    def take(self, chosen: slice | Tensor) -> Stack:
        """Some of the dictionaries; a slice shares their memory."""
        return self.each(lambda values: values[chosen])

    def to(self, device: torch.device | str) -> Stack:
        """The same on another device."""
        averages = None if self.averages is None else self.averages.to(device)
        return self.each(lambda values: values.to(device))._replace(averages=averages)

    def each(self, change: Callable[[Tensor], Tensor]) -> Stack:
        """With every tensor that has a row per dictionary changed."""
        inverse = None if self.inverse is None else change(self.inverse)
        return self._replace(cells=change(self.cells), gram=change(self.gram), inverse=inverse)

    def tensors(self) -> list[Tensor]:
        """Those that have a row per dictionary."""
        return [self.cells, self.gram] if self.inverse is None else [self.cells, self.gram, self.inverse]

    def atoms(self, dtype: torch.dtype) -> Tensor:
        """``(D, M, C)``: where they are the 1 x 1 blocks, these on a CPU as they are kept, and never copied."""
        if self.averages is not None:
            products = channel_product(self.averages.to(dtype).mT[None], self.cells.to(dtype).mT)
            return products[0].movedim(1, 0)
        if self.cells.device.type == "cpu":
            return self.cells.mT
        return self.cells.mT.to(dtype, memory_format=torch.contiguous_format).contiguous()


def join(stacks: Sequence[Stack]) -> Stack:
    """Stacks of one layout, one after another."""
    first = stacks[0]
    inverse = None if first.inverse is None else torch.cat([one.inverse for one in stacks if one.inverse is not None])
    cells, gram = (torch.cat(values) for values in zip(*((one.cells, one.gram) for one in stacks), strict=True))
    return first._replace(cells=cells, gram=gram, inverse=inverse)


def stack(images: Sequence[Tensor], layout: Layout, purpose: Purpose, storage: torch.dtype) -> Stack:
    """Lays dictionaries out and makes what each of them needs.

    Args:
        images: for each image of the layout, ``(D, C, h, w)``: the maps that the dictionaries have of this size.
        layout: (h, w) of each.
        purpose: what is to be solved with them.
        storage: the dtype in which the blocks are kept.
    """
    flat = [maps.flatten(2).to(storage) for maps in images]
    cells = flat[0] if len(flat) == 1 else torch.cat(flat, dim=2)
    exact = cells.double() if purpose.method == "ridge" else cells
    like = exact.new_empty(0, dtype=computing_dtype(exact.dtype))
    averages = averages_of(layout, purpose.gallery_scales, like=like)
    gram = gram_of(exact, averages)
    inverse = ridge.inverse(gram, purpose.beta) if purpose.method == "ridge" else None
    return Stack(layout, cells, averages, gram, inverse)


def gram_of(cells: Tensor, averages: Tensor | None) -> Tensor:
    """``(D, M, M)``: the Gram matrices of 1 x 1 blocks ``(D, C, M1)``, or A G A' with a matrix of averages."""
    gram = channel_gram(cells)
    return gram if averages is None else average(average(gram, averages).mT, averages)


def average(products: Tensor, averages: Tensor) -> Tensor:
    """Products with 1 x 1 blocks ``(..., M1)`` -> with atoms ``(..., M)``."""
    return channel_product(products.flatten(0, -2).mT[None], averages.mT[None])[0, :, 0].unflatten(
        0, products.shape[:-1]
    )


def averages_of(layout: Layout, scales: tuple[int, ...], like: Tensor) -> Tensor | None:
    """``(M, M1)``. No block lies across two images."""
    if not blocks.pooled(layout, scales):
        return None
    return torch.block_diag(*(blocks.averages(*size, scales, like=like) for size in layout))
