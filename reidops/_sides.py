"""The two sides of a tile: probes' blocks one after another, and the dictionaries that gallery images make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _ridge, blocks

Maps = Tensor | Sequence[Tensor]  # (images, C, h, w), or maps (C, h, w)
Shape = tuple[int, int]


class Solving(NamedTuple):
    """What to solve and how: arguments of ``dsr_distance``."""

    beta: float
    scales: tuple[int, ...]
    method: str
    solver: str
    tolerance: float
    max_iterations: int
    gradient: str

    @property
    def gallery_scales(self) -> tuple[int, ...]:
        """The block sizes that a dictionary needs: of a lasso 1 x 1 alone, where that is among them.

        An average of k^2 atoms with weight w is each of them with w / k^2: the same fit at no larger |w|_1. Pooled
        atoms therefore change neither the optimum nor, since the optimal fit Yw is unique, any error. (A ridge spreads
        its weights over them, and so is not the same.)
        """
        return (1,) if 1 in self.scales and self.method != "ridge" else self.scales


class Probes(NamedTuple):
    """Some probes' blocks, concatenated."""

    shapes: list[Shape]  #: (h, w) of each
    ones: Tensor  #: (R1, C), the 1 x 1 blocks
    columns: Tensor  #: (R, C), the block sets
    energy: Tensor  #: (R,)
    weight: Tensor | None  #: (R,), of each block in its probe's mean; None: all alike


class Gallery(NamedTuple):
    """Some dictionaries, padded with zeros to the largest; each is the block set of one image, or of several."""

    ones: Tensor  #: (G, M1, C), the 1 x 1 blocks
    atoms: Tensor  #: (G, M, C), the block sets
    averages: Tensor | None  #: (M, M1), or (G, M, M1) for maps of several sizes; None where M is M1
    gram: Tensor  #: (G, M, M)
    factor: Tensor | None  #: (G, M, M), of the Gram matrix plus beta, for ridge


def gather_probes(
    maps: Maps, weights: Maps | None, shapes: list[Shape], solving: Solving, dtype: torch.dtype
) -> Probes:
    """Lays probes' blocks out, one block a row; ``weights`` are maps ``(h, w)``, one weight a location."""
    scales = solving.scales
    flat = [blocks.flatten(one) for one in maps]
    ones, columns = _rows(flat, shapes, scales, dtype)
    weight = None
    if weights is not None:  # a block weighs the average of its locations
        weight = _rows([one.flatten()[:, None] for one in weights], shapes, scales, dtype)[1][:, 0]
    return Probes(shapes, ones, columns, columns.square().sum(1), weight)


def gather_gallery(maps: Maps, shapes: list[Shape], solving: Solving, dtype: torch.dtype) -> Gallery:
    """Lays gallery images' blocks out, one image a dictionary, and makes what each needs once."""
    scales = solving.gallery_scales
    pooled = blocks.pooled(shapes, scales)
    flat = [blocks.flatten(one) for one in maps]
    averages = None
    if alike(shapes):
        ones = _stack(flat).to(dtype)
        atoms = blocks.pool(ones, *shapes[0], scales)
        if pooled:
            averages = blocks.averages(*shapes[0], scales, like=ones)
    else:
        ones = _pad_and_stack(flat).to(dtype)
        atoms = ones
        if pooled:
            sets = zip(ones, shapes, strict=True)
            atoms = _pad_and_stack([blocks.pool(one[: h * w], h, w, scales) for one, (h, w) in sets])
            averages = _pad_and_stack([blocks.averages(*shape, scales, like=ones) for shape in shapes], ones.shape[1])
    return _with_gram(ones, atoms, averages, solving)


def gather_groups(
    groups: Sequence[Sequence[Tensor]], shapes: Sequence[list[Shape]], solving: Solving, dtype: torch.dtype
) -> Gallery:
    """The same with several images a dictionary.  No block lies across two images."""
    scales = solving.gallery_scales
    flat = [[blocks.flatten(one).to(dtype) for one in maps] for maps in groups]
    ones = _pad_and_stack([torch.cat(maps) for maps in flat])
    if not any(blocks.pooled(one, scales) for one in shapes):
        return _with_gram(ones, ones, None, solving)
    sets, averages = [], []
    for maps, sizes in zip(flat, shapes, strict=True):
        sets.append(torch.cat([blocks.pool(one, *size, scales) for one, size in zip(maps, sizes, strict=True)]))
        averages.append(torch.block_diag(*(blocks.averages(*size, scales, like=ones) for size in sizes)))
    return _with_gram(ones, _pad_and_stack(sets), _pad_and_stack(averages, ones.shape[1]), solving)


def correlate(probes: Probes, gallery: Gallery, scales: tuple[int, ...]) -> Tensor:
    """``(R, G, M)``: products at 1 x 1, then averages of them, first over the probes' blocks, then the gallery's."""
    products = probes.ones @ gallery.ones.flatten(0, 1).mT  # (R1, G M1)
    sizes = [h * w for h, w in probes.shapes]
    # A probe's products with one atom are a map over the probe: each atom is a channel to pool.
    if alike(probes.shapes):
        products = blocks.pool(products.unflatten(0, (len(sizes), sizes[0])), *probes.shapes[0], scales).flatten(0, 1)
    else:
        parts = zip(products.split(sizes), probes.shapes, strict=True)
        products = torch.cat([blocks.pool(part, *shape, scales) for part, shape in parts])
    correlation = products.unflatten(1, gallery.ones.shape[:2])
    if gallery.averages is None:
        return correlation
    if gallery.averages.dim() == 2:
        return correlation @ gallery.averages.mT
    return (correlation.transpose(0, 1) @ gallery.averages.mT).transpose(0, 1)


def mean_error(error: Tensor, probes: Probes, scales: tuple[int, ...]) -> Tensor:
    """``(R, G)`` errors of blocks -> ``(P, G)`` distances, eq. 4; with weights m, sum m e / sum m."""
    counts = [blocks.count(h, w, scales) for h, w in probes.shapes]
    if probes.weight is not None:
        weights = probes.weight.split(counts)
        return torch.stack([m @ one / m.sum() for m, one in zip(weights, error.split(counts), strict=True)])
    if len(set(counts)) == 1:
        return error.unflatten(0, (len(counts), counts[0])).mean(1)
    return torch.stack([one.mean(0) for one in error.split(counts)])


def alike(shapes: list[Shape]) -> bool:
    """Whether all maps have one size, and batches need no padding."""
    return len(set(shapes)) == 1


def map_shapes(maps: Maps) -> list[Shape]:
    """(h, w) of each map."""
    if isinstance(maps, Tensor):
        return [(maps.shape[-2], maps.shape[-1])] * len(maps)
    return [(one.shape[-2], one.shape[-1]) for one in maps]


def part(maps: Maps | None, cut: slice) -> Maps | None:
    """Some of the maps, if there are any."""
    return None if maps is None else maps[cut]


def _with_gram(ones: Tensor, atoms: Tensor, averages: Tensor | None, solving: Solving) -> Gallery:
    gram = ones @ ones.mT
    if averages is not None:
        gram = averages @ gram @ averages.mT
    factor = _ridge.factorise(gram, solving.beta) if solving.method == "ridge" else None
    return Gallery(ones, atoms, averages, gram, factor)


def _rows(
    flat: list[Tensor], shapes: list[Shape], scales: tuple[int, ...], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The 1 x 1 blocks ``(R1, C)`` of all maps, and their block sets ``(R, C)``."""
    if alike(shapes):
        stacked = _stack(flat).to(dtype)
        return stacked.flatten(0, 1), blocks.pool(stacked, *shapes[0], scales).flatten(0, 1)
    ones = torch.cat(flat).to(dtype)
    sets = zip(ones.split([h * w for h, w in shapes]), shapes, strict=True)
    return ones, torch.cat([blocks.pool(one, *shape, scales) for one, shape in sets])


def _stack(matrices: list[Tensor]) -> Tensor:
    """One after another, contiguous.

    Inductor (torch 2.13) makes a view of a stack of one, and its backward then writes over the caller's maps.
    """
    return torch.stack(matrices) if len(matrices) > 1 else matrices[0][None].contiguous()


def _pad_and_stack(matrices: list[Tensor], columns: int | None = None) -> Tensor:
    """Zero rows, and with ``columns`` zero columns, to the largest: a zero atom never enters a reconstruction."""
    height = max(one.shape[0] for one in matrices)
    width = columns or matrices[0].shape[1]
    return torch.stack([F.pad(one, (0, width - one.shape[1], 0, height - one.shape[0])) for one in matrices])
