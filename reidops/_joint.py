"""One dictionary over the whole gallery: sparse representation classification (Wright et al., TPAMI 2009) of blocks.

Every probe block is rebuilt from all gallery blocks together, w = argmin ||x - Yw||^2 + beta |w|_1, and its error for a
group g is what the group's own coefficients leave,

    ||x - Y_g w_g||^2 = ||x||^2 - 2 w_g'c_g + w_g'G_gg w_g,

so that groups compete for the block.  Gradients hold w constant (eq. 7).
"""

from __future__ import annotations

import torch
from torch import Tensor

from . import blocks
from ._pairs import lasso, progress_bar
from ._sides import (
    Gallery,
    Maps,
    Probes,
    Solving,
    correlate,
    gather_groups,
    gather_probes,
    map_shapes,
    mean_error,
    part,
)
from ._tiles import Bytes, chunks, plan


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
    """``(P, K)`` for K groups of gallery images, or all of them singly; neither side is empty.

    Tiles are cut along the probes only: the Gram matrix of all atoms is there throughout.
    """
    scales = solving.scales
    shapes, gallery_shapes = map_shapes(probe), map_shapes(gallery)
    members = groups if groups is not None else [[i] for i in range(len(gallery))]
    together = [i for group in members for i in group]
    dictionary = gather_groups(
        [[gallery[i] for i in together]], [[gallery_shapes[i] for i in together]], solving, dtype
    )
    sizes = [sum(blocks.count(*gallery_shapes[i], solving.gallery_scales) for i in group) for group in members]

    rows = [blocks.count(*shape, scales) for shape in shapes]
    block = dtype.itemsize * 2 * (probe[0].shape[0] + 1)
    limits = plan(sum(rows), sum(sizes), Bytes(4 * dtype.itemsize, block, block), probe[0].device.type, memory_budget)
    bar = progress_bar(len(rows) * len(members)) if progress else None
    bands = []
    for cut in chunks(rows, max(1, limits.rows * limits.columns // sum(sizes))):
        side = gather_probes(probe[cut], part(weights, cut), shapes[cut], solving, dtype)
        bands.append(mean_error(_errors(side, dictionary, sizes, solving), side, scales))
        if bar is not None:
            bar.update(bands[-1].numel())
    if bar is not None:
        bar.close()
    return torch.cat(bands)


def _errors(probes: Probes, dictionary: Gallery, sizes: list[int], solving: Solving) -> Tensor:
    """``(R, K)``: what each group's own coefficients leave of each block."""
    correlation = correlate(probes, dictionary, solving.scales)
    _, w = lasso(probes, dictionary, correlation, solving, return_coefficients=True)
    errors, start = [], 0
    for size in sizes:
        own = slice(start, start + size)
        weights, start = w[:, 0, own].detach(), start + size
        rebuilt = weights @ dictionary.gram[0, own, own] - 2 * correlation[:, 0, own]
        errors.append(probes.energy + (weights * rebuilt).sum(1))
    return torch.stack(errors, dim=1).clamp(min=0)
