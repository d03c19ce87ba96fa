"""All pairs of probes and dictionaries, tile by tile: the way from feature maps to distances.

A tile is some probes' blocks, one after another in R rows, against some gallery images (or groups of them), padded to
M atoms with zeros, which no solver ever picks.  One matrix product gives its correlations and one call of the operator
its errors.  What belongs to one image alone (its blocks, its Gram matrix) is made once, not once a pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from . import _implicit, _ridge, blocks
from ._sides import (
    Gallery,
    Maps,
    Probes,
    Solving,
    correlate,
    gather_gallery,
    gather_groups,
    gather_probes,
    map_shapes,
    mean_error,
    part,
)
from ._tiles import Bytes, chunks, plan
from .sparse_reconstruct_gram import sparse_reconstruct_gram


def distances(
    probe: Maps,
    weights: Maps | None,
    gallery: Maps,
    groups: list[list[int]] | None,
    solving: Solving,
    dtype: torch.dtype,
    memory_budget: int | None,
    progress: bool,
) -> Tensor:
    """``(P, G)``, in ``dtype`` or wider, for G gallery images or groups of them; neither side is empty.

    Ridge is in float64 throughout: its penalty may be smaller than the rounding of float32, and twice the product is
    cheaper than residuals, which are as long as the features.
    """
    if solving.method == "ridge":
        dtype = torch.float64
    scales, device = solving.scales, probe[0].device.type
    shapes, gallery_shapes = map_shapes(probe), map_shapes(gallery)
    members = groups if groups is not None else [[i] for i in range(len(gallery))]
    sizes = [sum(blocks.count(*gallery_shapes[i], solving.gallery_scales) for i in group) for group in members]
    # Dictionaries of one size go together, so that few zeros are added.
    order = sorted(range(len(members)), key=lambda i: (sizes[i], gallery_shapes[members[i][0]]))
    in_order = order == list(range(len(order)))
    if not in_order:
        members = [members[i] for i in order]
        if groups is None:
            gallery, gallery_shapes = [gallery[i] for i in order], [gallery_shapes[i] for i in order]
    rows = [blocks.count(*shape, scales) for shape in shapes]
    atoms = sorted(sizes)

    limits = plan(sum(rows), sum(atoms), _bytes(solving, dtype, probe[0], atoms[-1]), device, memory_budget)
    bar = progress_bar(len(rows) * len(atoms)) if progress else None
    bands = []
    for group in chunks(rows, limits.group):
        cuts = [slice(group.start + cut.start, group.start + cut.stop) for cut in chunks(rows[group], limits.rows)]
        sides = [gather_probes(probe[cut], part(weights, cut), shapes[cut], solving, dtype) for cut in cuts]
        band = []
        for cut in chunks(atoms, limits.columns):
            if groups is None:
                dictionaries = gather_gallery(gallery[cut], gallery_shapes[cut], solving, dtype)
            else:
                dictionaries = _gather(gallery, members[cut], gallery_shapes, solving, dtype)
            band.append(torch.cat([tile(side, dictionaries, solving) for side in sides]))
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
    """Distances of some probes to some dictionaries."""
    correlation = correlate(probes, gallery, solving.scales)
    if solving.method == "ridge":
        assert gallery.factor is not None
        error = _ridge.errors(gallery.gram, gallery.factor, correlation, probes.energy, solving.beta, solving.gradient)
    else:
        implicit = solving.gradient == "implicit" and torch.is_grad_enabled()
        error, w = lasso(probes, gallery, correlation, solving, return_coefficients=implicit)
        if implicit:
            error = _implicit.of_lasso(error, gallery.gram, correlation, w, solving.beta)
    return mean_error(error, probes, solving.scales)


def lasso(
    probes: Probes, gallery: Gallery, correlation: Tensor, solving: Solving, *, return_coefficients: bool
) -> tuple[Tensor, Tensor]:
    """Errors ``(R, G)`` and coefficients ``(R, G, M)``, of shape (0,) where they are not asked for."""
    images, _, channels = gallery.atoms.shape
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
        return_coefficients=return_coefficients,
    )
    return error, w


def _gather(
    gallery: Maps, members: Sequence[list[int]], shapes: list[tuple[int, int]], solving: Solving, dtype: torch.dtype
) -> Gallery:
    maps = [[gallery[i] for i in group] for group in members]
    return gather_groups(maps, [[shapes[i] for i in group] for group in members], solving, dtype)


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


def progress_bar(pairs: int) -> Any:
    """A bar over so many pairs."""
    from tqdm import tqdm  # only where asked for: importing it takes longer than a small call

    return tqdm(total=pairs, unit="pair", desc="dsr_distance")
