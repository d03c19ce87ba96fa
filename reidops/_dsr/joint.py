"""One dictionary over the whole gallery: sparse representation classification (Wright et al., TPAMI 2009) of blocks.

Every probe block is rebuilt from all gallery blocks together, w = argmin ||x - Yw||^2 + beta |w|_1, and its error for a
group g is what the group's own coefficients leave,

    ||x - Y_g w_g||^2 = ||x||^2 - 2 w_g'c_g + w_g'G_gg w_g,

so that groups compete for the block.  Gradients hold w constant (eq. 7).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .arguments import Problem, Solving
from .pairs import lasso, wanted
from .sides import Gallery, Probes, correlate, gather_groups, gather_probes
from .tiles import Bytes, Progress, chunks, plan


def distances(problem: Problem, dtype: torch.dtype) -> Tensor:
    """``(1, P, K)``, in ``dtype``, or ``(2, P, K)`` with the gaps; neither side is empty.

    Tiles are cut along the probes only: the Gram matrix of all atoms is there throughout.
    """
    probes, gallery, solving = problem.probes, problem.gallery, problem.solving
    together = [i for images in problem.members for i in images]
    maps, shapes = [gallery.maps[i] for i in together], [gallery.shapes[i] for i in together]
    dictionary = gather_groups([maps], [shapes], solving, dtype)

    rows, atoms = problem.rows(), problem.atoms()
    block = dtype.itemsize * 2 * (probes.channels + 1)
    size = Bytes(4 * dtype.itemsize, block, block)
    limits = plan(sum(rows), sum(atoms), size, probes.device, problem.memory_budget)
    progress = Progress(len(rows) * len(atoms), problem.progress)
    bands = []
    for cut in chunks(rows, max(1, limits.rows * limits.columns // sum(atoms))):
        side = gather_probes(*problem.probes_in(cut), solving, dtype)
        bands.append(wanted(*_errors(side, dictionary, atoms, solving), side, solving))
        progress.update(bands[-1][0].numel())
    progress.close()
    return torch.cat(bands, dim=1)


def _errors(probes: Probes, dictionary: Gallery, sizes: list[int], solving: Solving) -> tuple[Tensor, Tensor]:
    """``(R, K)``: what each group's own coefficients leave of each block; and the gaps, which all groups share."""
    correlation = correlate(probes, dictionary, solving.scales)
    _, gap, w = lasso(probes, dictionary, correlation, solving, return_coefficients=True)
    errors, start = [], 0
    for size in sizes:
        own = slice(start, start + size)
        weights, start = w[:, 0, own].detach(), start + size
        rebuilt = weights @ dictionary.gram[0, own, own] - 2 * correlation[:, 0, own]
        errors.append(probes.energy + (weights * rebuilt).sum(1))
    return torch.stack(errors, dim=1).clamp(min=0), gap.expand(-1, len(sizes))
