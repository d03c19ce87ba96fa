"""One dictionary over the whole gallery: sparse representation classification (Wright et al., TPAMI 2009) of blocks.

Every probe block is rebuilt from all gallery blocks together, w = argmin ||x - Yw||^2 + beta |w|_1, and its error for a
group g is what the group's own coefficients leave,

    ||x - Y_g w_g||^2 = ||x||^2 - 2 w_g'c_g + w_g'G_gg w_g,

so that groups compete for the block.  Gradients hold w constant (eq. 7).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .._common.derivatives import once_differentiable
from .._ops.matrix_product import matrix_product
from . import blocks, rounding
from .arguments import MapSet
from .gallery import GalleryOfMaps, atoms
from .probes import Probes
from .problem import Problem
from .tile import Chunk, correlate, lasso, wanted
from .tiles import Bytes, Progress, chunks, fits, plan


def distances(problem: Problem, images: MapSet, groups: list[list[int]] | None) -> Tensor:
    """``(1, P, K)``, in the dtype of the sums, or ``(2, P, K)`` with the gaps.

    Tiles are cut along the probes only: the Gram matrix of all atoms is there throughout.
    """
    members = [[i] for i in range(images.length)] if groups is None else groups
    together = [i for own in members for i in own]
    purpose = problem.purpose
    whole = images._replace(maps=list(images.maps), sizes=images.shapes)
    chunk = Chunk.of(GalleryOfMaps(whole, [together], purpose, problem.product).take(0, [0]), problem)

    shapes = images.shapes
    sizes = [atoms(tuple(shapes[i] for i in own), purpose) for own in members]
    progress = Progress(problem.probes.length * len(sizes), problem.progress)
    bands = []
    for side in _sides(problem, sum(sizes)):
        bands.append(wanted(*_errors(side, chunk, sizes, problem), side, problem))
        progress.update(bands[-1][0].numel())
    progress.close()
    return torch.cat(bands, dim=1)


def _sides(problem: Problem, columns: int) -> Iterator[Probes]:
    """The probes, all at once where their blocks against so many atoms fit."""
    block = problem.sums.itemsize * 2 * (problem.gallery.channels + 1)
    size = Bytes(4 * problem.sums.itemsize, block, block)
    probes, budget = problem.probes, problem.memory_budget
    if isinstance(probes.maps, Tensor):
        rows = probes.length * blocks.count(*probes.sizes[0], problem.purpose.scales)
        if fits(rows, columns, size, probes.device, budget):
            yield problem.side()
            return
    each = problem.rows()
    limits = plan(sum(each), columns, size, probes.device, budget)
    cuts = chunks(each, limits.rows * limits.columns / columns)
    yield from problem.sides([range(cut.start, cut.stop) for cut in cuts])


def _errors(probes: Probes, chunk: Chunk, sizes: list[int], problem: Problem) -> tuple[Tensor, Tensor]:
    """``(R, K)``: what each group's own coefficients leave of each block; and the gaps, which all groups share."""
    correlation, gram = correlate(probes, chunk), chunk.stack.gram[0]
    whole, gap, w = lasso(probes, chunk, correlation, problem, return_coefficients=True)
    if problem.rounds and problem.solving.return_gap:
        largest = gram.detach().diagonal().amax()[None, None]
        gap = rounding.widen(gap, whole.detach(), probes.energy, largest, problem)
    gram, correlation, energy = once_differentiable("dsr_distance", gram, correlation, probes.energy)
    errors, start = [], 0
    for size in sizes:
        own = slice(start, start + size)
        weights, start = w[:, 0, own].detach(), start + size
        rebuilt = matrix_product(weights, gram[own, own]) - 2 * correlation[:, 0, own]
        errors.append(energy + (weights * rebuilt).sum(1))
    return torch.stack(errors, dim=1).clamp(min=0), gap.expand(-1, len(sizes))
