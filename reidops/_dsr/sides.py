"""The two sides of a tile: probes' blocks one after another, and the dictionaries that gallery images make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .._ops import ridge
from . import blocks
from .arguments import Maps, Shape, Solving


class Probes(NamedTuple):
    """Some probes' blocks, concatenated."""

    shapes: list[Shape]  #: (h, w) of each
    cells: Tensor  #: (R1, C), the 1 x 1 blocks
    block_rows: Tensor  #: (R, C), the block sets
    energy: Tensor  #: (R,)
    weight: Tensor | None  #: (R,), of each block in its probe's mean; None: all alike


class Gallery(NamedTuple):
    """Some dictionaries, padded with zeros to the largest; each is the block set of one image, or of several."""

    cells: Tensor  #: (G, M1, C), the 1 x 1 blocks
    atoms: Tensor  #: (G, M, C), the block sets
    averages: Tensor | None  #: (M, M1), or (G, M, M1) for maps of several sizes; None where M is M1
    gram: Tensor  #: (G, M, M)
    factor: Tensor | None  #: (G, M, M), of the Gram matrix plus beta, for ridge


def gather_probes(
    maps: Maps, weights: Maps | None, shapes: list[Shape], solving: Solving, dtype: torch.dtype
) -> Probes:
    """Lays the probes' blocks out, one block per row; ``weights`` are maps ``(h, w)``, one weight per location."""
    scales = solving.scales
    flat = [blocks.flatten(feature_map) for feature_map in maps]
    cells, block_rows = _rows(flat, shapes, scales, dtype)
    weight = None
    if weights is not None:  # a block weighs the average of its locations
        weight = _rows([weight_map.flatten()[:, None] for weight_map in weights], shapes, scales, dtype)[1][:, 0]
    return Probes(shapes, cells, block_rows, block_rows.square().sum(1), weight)


def gather_gallery(maps: Maps, shapes: list[Shape], solving: Solving, dtype: torch.dtype) -> Gallery:
    """Lays the gallery images' blocks out, one dictionary per image, and makes what each of them needs."""
    scales = solving.gallery_scales
    pooled = blocks.pooled(shapes, scales)
    flat = [blocks.flatten(feature_map) for feature_map in maps]
    averages = None
    if alike(shapes):
        cells = _stack(flat).to(dtype)
        atoms = blocks.pool(cells, *shapes[0], scales)
        if pooled:
            averages = blocks.averages(*shapes[0], scales, like=cells)
    else:
        cells = _pad_and_stack(flat).to(dtype)
        atoms = cells
        if pooled:
            sets = zip(cells, shapes, strict=True)
            atoms = _pad_and_stack([blocks.pool(one[: h * w], h, w, scales) for one, (h, w) in sets])
            averages = _pad_and_stack([blocks.averages(*shape, scales, like=cells) for shape in shapes], cells.shape[1])
    return _with_gram(cells, atoms, averages, solving)


def gather_groups(
    groups: Sequence[Sequence[Tensor]], shapes: Sequence[list[Shape]], solving: Solving, dtype: torch.dtype
) -> Gallery:
    """The same with several images per dictionary.  No block lies across two images."""
    scales = solving.gallery_scales
    flat = [[blocks.flatten(one).to(dtype) for one in maps] for maps in groups]
    cells = _pad_and_stack([torch.cat(maps) for maps in flat])
    if not any(blocks.pooled(one, scales) for one in shapes):
        return _with_gram(cells, cells, None, solving)
    sets, averages = [], []
    for maps, sizes in zip(flat, shapes, strict=True):
        sets.append(torch.cat([blocks.pool(one, *size, scales) for one, size in zip(maps, sizes, strict=True)]))
        averages.append(torch.block_diag(*(blocks.averages(*size, scales, like=cells) for size in sizes)))
    return _with_gram(cells, _pad_and_stack(sets), _pad_and_stack(averages, cells.shape[1]), solving)


def correlate(probes: Probes, gallery: Gallery, scales: tuple[int, ...]) -> Tensor:
    """``(R, G, M)``: products at 1 x 1, then averages of them, first over the probes' blocks, then the gallery's."""
    products = probes.cells @ gallery.cells.flatten(0, 1).mT  # (R1, G M1)
    sizes = [h * w for h, w in probes.shapes]
    # A probe's products with one atom are a map over the probe: each atom is a channel to pool.
    if alike(probes.shapes):
        products = blocks.pool(products.unflatten(0, (len(sizes), sizes[0])), *probes.shapes[0], scales).flatten(0, 1)
    else:
        parts = zip(products.split(sizes), probes.shapes, strict=True)
        products = torch.cat([blocks.pool(part, *shape, scales) for part, shape in parts])
    correlation = products.unflatten(1, gallery.cells.shape[:2])
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


def largest_gap(gap: Tensor, probes: Probes, scales: tuple[int, ...]) -> Tensor:
    """``(R, G)`` gaps of blocks -> ``(P, G)``, the largest of each probe's blocks; a NaN stays one."""
    counts = [blocks.count(h, w, scales) for h, w in probes.shapes]
    if len(set(counts)) == 1:
        return gap.unflatten(0, (len(counts), counts[0])).amax(1)
    return torch.stack([one.amax(0) for one in gap.split(counts)])


def alike(shapes: list[Shape]) -> bool:
    """Whether all maps have one size, and batches need no padding."""
    return len(set(shapes)) == 1


def _with_gram(cells: Tensor, atoms: Tensor, averages: Tensor | None, solving: Solving) -> Gallery:
    gram = cells @ cells.mT
    if averages is not None:
        gram = averages @ gram @ averages.mT
    factor = ridge.factorise(gram, solving.beta) if solving.method == "ridge" else None
    return Gallery(cells, atoms, averages, gram, factor)


def _rows(
    flat: list[Tensor], shapes: list[Shape], scales: tuple[int, ...], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The 1 x 1 blocks ``(R1, C)`` of all maps, and their block sets ``(R, C)``."""
    if alike(shapes):
        stacked = _stack(flat).to(dtype)
        return stacked.flatten(0, 1), blocks.pool(stacked, *shapes[0], scales).flatten(0, 1)
    cells = torch.cat(flat).to(dtype)
    sets = zip(cells.split([h * w for h, w in shapes]), shapes, strict=True)
    return cells, torch.cat([blocks.pool(one, *shape, scales) for one, shape in sets])


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
