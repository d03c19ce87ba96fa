"""All pairs of probes and gallery images, tile by tile: the way from feature maps to distances.

A tile is some probes' blocks, one after another in R rows, against some gallery images, padded to M atoms with zeros,
which no solver ever picks.  One matrix product gives its correlations and one call of the operator its errors.  What
belongs to one image alone (its blocks, its Gram matrix) is made once, not once a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from . import _implicit, _ridge, blocks
from ._tiles import Bytes, chunks, plan
from .sparse_reconstruct_gram import sparse_reconstruct_gram

Maps = Tensor | Sequence[Tensor]  # (images, C, h, w), or maps (C, h, w)


class Solving(NamedTuple):
    """What to solve and how: arguments of ``dsr_distance``."""

    beta: float
    scales: tuple[int, ...]
    method: str
    solver: str
    tolerance: float
    max_iterations: int
    gradient: str


class Probes(NamedTuple):
    """Some probes' blocks, concatenated."""

    shapes: list[tuple[int, int]]  #: (h, w) of each
    ones: Tensor  #: (R1, C), the 1 x 1 blocks
    columns: Tensor  #: (R, C), the block sets
    energy: Tensor  #: (R,)


class Gallery(NamedTuple):
    """Some gallery images' blocks, padded with zeros to the largest."""

    ones: Tensor  #: (G, M1, C), the 1 x 1 blocks
    atoms: Tensor  #: (G, M, C), the block sets
    averages: Tensor | None  #: (M, M1), or (G, M, M1) for maps of several sizes; None where M is M1
    gram: Tensor  #: (G, M, M)
    factor: Tensor | None  #: (G, M, M), of the Gram matrix plus beta, for ridge


def distances(
    probe: Maps, gallery: Maps, solving: Solving, dtype: torch.dtype, memory_budget: int | None, progress: bool
) -> Tensor:
    """``(P, G)``, in ``dtype`` or wider; neither side is empty.

    Ridge is in float64 throughout: its penalty may be smaller than the rounding of float32, and twice the product is
    cheaper than residuals, which are as long as the features.
    """
    if solving.method == "ridge":
        dtype = torch.float64
    scales, device = solving.scales, probe[0].device.type
    shapes, gallery_shapes = _shapes(probe), _shapes(gallery)
    # Gallery images of one size go together, so that few zeros are added.
    order = sorted(range(len(gallery)), key=lambda i: (blocks.count(*gallery_shapes[i], scales), gallery_shapes[i]))
    in_order = order == list(range(len(order)))
    if not in_order:
        gallery, gallery_shapes = [gallery[i] for i in order], [gallery_shapes[i] for i in order]
    rows = [blocks.count(*shape, scales) for shape in shapes]
    atoms = [blocks.count(*shape, scales) for shape in gallery_shapes]

    limits = plan(sum(rows), sum(atoms), _bytes(solving, dtype, probe[0], atoms[-1]), device, memory_budget)
    bar = _progress_bar(len(rows) * len(atoms)) if progress else None
    bands = []
    for group in chunks(rows, limits.group):
        cuts = [slice(group.start + cut.start, group.start + cut.stop) for cut in chunks(rows[group], limits.rows)]
        sides = [gather_probes(probe[cut], shapes[cut], solving, dtype) for cut in cuts]
        band = []
        for cut in chunks(atoms, limits.columns):
            images = gather_gallery(gallery[cut], gallery_shapes[cut], solving, dtype)
            band.append(torch.cat([tile(side, images, solving) for side in sides]))
            if bar is not None:
                bar.update(band[-1].numel())
        bands.append(torch.cat(band, dim=1))
    if bar is not None:
        bar.close()
    table = torch.cat(bands)
    if in_order:
        return table
    columns = dict(zip(order, table.unbind(1), strict=True))
    return torch.stack([columns[i] for i in range(len(order))], dim=1)


def tile(probes: Probes, gallery: Gallery, solving: Solving) -> Tensor:
    """Distances of some probes to some gallery images."""
    counts = [blocks.count(h, w, solving.scales) for h, w in probes.shapes]
    correlation = _correlation(probes, gallery, solving.scales)
    if solving.method == "ridge":
        assert gallery.factor is not None
        error = _ridge.errors(gallery.gram, gallery.factor, correlation, probes.energy, solving.beta, solving.gradient)
    else:
        images, _, channels = gallery.atoms.shape
        implicit = solving.gradient == "implicit" and torch.is_grad_enabled()
        error, _, w = sparse_reconstruct_gram(
            gallery.gram,
            correlation,
            probes.energy[:, None].expand(-1, images),
            probes.columns.detach()[:, None].expand(-1, images, channels),
            gallery.atoms.detach(),
            solving.beta,
            solver=solving.solver,
            tolerance=solving.tolerance,
            max_iterations=solving.max_iterations,
            return_coefficients=implicit,
        )
        if implicit:
            error = _implicit.of_lasso(error, gallery.gram, correlation, w, solving.beta)
    if len(set(counts)) == 1:
        return error.unflatten(0, (len(counts), counts[0])).mean(1)
    return torch.stack([one.mean(0) for one in error.split(counts)])


def gather_probes(maps: Maps, shapes: list[tuple[int, int]], solving: Solving, dtype: torch.dtype) -> Probes:
    """Lays probes' blocks out, one block a row."""
    scales = solving.scales
    flat = [blocks.flatten(one) for one in maps]
    if alike(shapes):
        stacked = _stack(flat).to(dtype)
        ones, columns = stacked.flatten(0, 1), blocks.pool(stacked, *shapes[0], scales).flatten(0, 1)
    else:
        ones = torch.cat(flat).to(dtype)
        sets = zip(ones.split([h * w for h, w in shapes]), shapes, strict=True)
        columns = torch.cat([blocks.pool(one, *shape, scales) for one, shape in sets])
    return Probes(shapes, ones, columns, columns.square().sum(1))


def gather_gallery(maps: Maps, shapes: list[tuple[int, int]], solving: Solving, dtype: torch.dtype) -> Gallery:
    """Lays gallery images' blocks out, one image a matrix, and makes what each needs once."""
    scales = solving.scales
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
    gram = ones @ ones.mT
    if averages is not None:
        gram = averages @ gram @ averages.mT
    factor = _ridge.factorise(gram, solving.beta) if solving.method == "ridge" else None
    return Gallery(ones, atoms, averages, gram, factor)


def _correlation(probes: Probes, gallery: Gallery, scales: tuple[int, ...]) -> Tensor:
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


def alike(shapes: list[tuple[int, int]]) -> bool:
    """Whether all maps have one size, and batches need no padding."""
    return len(set(shapes)) == 1


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


def _shapes(maps: Maps) -> list[tuple[int, int]]:
    if isinstance(maps, Tensor):
        return [(maps.shape[2], maps.shape[3])] * len(maps)
    return [(one.shape[1], one.shape[2]) for one in maps]


def _bytes(solving: Solving, dtype: torch.dtype, one: Tensor, atoms: int) -> Bytes:
    """What `distances` holds at a time, without gradients, for maps like ``one`` and up to so many atoms."""
    channels = one.shape[0]
    multi = solving.scales != (1,)
    cell = 1.0 + multi
    if solving.method == "ridge":  # weights, and what their errors are summed from
        cell += 4
    block = (1 + multi) * (channels + 1)
    size = dtype.itemsize
    return Bytes(size * cell, size * block, size * (block + (1 + multi) * atoms))


def _progress_bar(pairs: int) -> Any:
    from tqdm import tqdm  # only where asked for: importing it takes longer than a small call

    return tqdm(total=pairs, unit="pair", desc="dsr_distance")
