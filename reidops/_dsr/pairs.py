"""All pairs of probes and dictionaries, tile by tile: the way from feature maps to distances.

A tile is some probes' blocks, one after another in R rows, against some gallery images (or groups of them), padded to
M atoms with zeros, which no solver ever picks.  One matrix product gives its correlations and one call of the operator
its errors.  What belongs to one image alone (its blocks, its Gram matrix) is made once, not once a pair.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .._ops import implicit, ridge
from .._ops.sparse_reconstruct_gram import sparse_reconstruct_gram
from .arguments import Maps, Problem, Shape, Solving
from .sides import Gallery, Probes, correlate, gather_gallery, gather_groups, gather_probes, largest_gap, mean_error
from .tiles import Bytes, Progress, chunks, plan


def distances(problem: Problem, dtype: torch.dtype) -> Tensor:
    """``(1, P, K)``, in ``dtype`` or wider, or ``(2, P, K)`` with the gaps; neither side is empty.

    Ridge is in float64 throughout: its penalty may be smaller than the rounding of float32, and twice the product is
    cheaper than residuals, which are as long as the features.
    """
    probes, solving = problem.probes, problem.solving
    if solving.method == "ridge":
        dtype = torch.float64
    dictionaries = Dictionaries.of(problem)
    rows, atoms = problem.rows(), dictionaries.atoms
    size = _bytes(solving, dtype, probes.channels, atoms[-1])
    limits = plan(sum(rows), sum(atoms), size, probes.device, problem.memory_budget)
    progress = Progress(len(rows) * len(atoms), problem.progress)
    bands = []
    for group in chunks(rows, limits.group):
        cuts = [slice(group.start + cut.start, group.start + cut.stop) for cut in chunks(rows[group], limits.rows)]
        sides = [gather_probes(*problem.probes_in(cut), solving, dtype) for cut in cuts]
        band = []
        for cut in chunks(atoms, limits.columns):
            gallery = dictionaries.gather(cut, solving, dtype)
            band.append(torch.cat([tile(side, gallery, solving) for side in sides], dim=1))
            progress.update(band[-1][0].numel())
        bands.append(torch.cat(band, dim=2))
    progress.close()
    return dictionaries.restore(torch.cat(bands, dim=1))


class Dictionaries(NamedTuple):
    """The dictionaries in the order in which they are solved: those of one size go together, so few zeros are added."""

    gallery: Maps
    shapes: list[Shape]  #: of the gallery images
    members: list[list[int]] | None  #: gallery images of each dictionary; None: each image is one
    atoms: list[int]  #: of each dictionary, ascending
    order: list[int] | None  #: numbers of the dictionaries as the caller counts them; None: as they are

    @staticmethod
    def of(problem: Problem) -> Dictionaries:
        """All dictionaries of a problem, sorted."""
        gallery, shapes, groups = problem.gallery.maps, problem.gallery.shapes, problem.groups
        members, sizes = problem.members, problem.atoms()
        order = sorted(range(len(members)), key=lambda i: (sizes[i], shapes[members[i][0]]))
        if order == list(range(len(order))):
            return Dictionaries(gallery, shapes, groups, sizes, None)
        if groups is None:
            gallery, shapes = [gallery[i] for i in order], [shapes[i] for i in order]
        else:
            groups = [groups[i] for i in order]
        return Dictionaries(gallery, shapes, groups, sorted(sizes), order)

    def gather(self, cut: slice, solving: Solving, dtype: torch.dtype) -> Gallery:
        """Some of them, laid out."""
        if self.members is None:
            return gather_gallery(self.gallery[cut], self.shapes[cut], solving, dtype)
        images = self.members[cut]
        maps = [[self.gallery[i] for i in group] for group in images]
        return gather_groups(maps, [[self.shapes[i] for i in group] for group in images], solving, dtype)

    def restore(self, table: Tensor) -> Tensor:
        """Columns in the caller's order."""
        if self.order is None:
            return table
        columns = dict(zip(self.order, table.unbind(2), strict=True))
        return torch.stack([columns[i] for i in range(len(self.order))], dim=2)


def tile(probes: Probes, gallery: Gallery, solving: Solving) -> Tensor:
    """What is wanted of some probes and some dictionaries: see `wanted`."""
    correlation = correlate(probes, gallery, solving.scales)
    if solving.method == "ridge":
        assert gallery.factor is not None
        given = gallery.gram, gallery.factor, correlation, probes.energy
        error, gap = ridge.errors(*given, solving.beta, solving.gradient, return_gap=solving.return_gap)
    else:
        exact = solving.gradient == "implicit" and torch.is_grad_enabled()
        error, gap, w = lasso(probes, gallery, correlation, solving, return_coefficients=exact)
        if exact:
            error = implicit.of_lasso(error, gallery.gram, correlation, w, solving.beta)
    return wanted(error, gap, probes, solving)


def wanted(error: Tensor, gap: Tensor, probes: Probes, solving: Solving) -> Tensor:
    """``(1, P, G)`` distances from ``(R, G)`` errors; with gaps ``(2, P, G)``, the largest of each probe's blocks."""
    distance = mean_error(error, probes, solving.scales)
    if not solving.return_gap:
        return distance[None]
    return torch.stack((distance, largest_gap(gap.detach(), probes, solving.scales)))


def lasso(
    probes: Probes, gallery: Gallery, correlation: Tensor, solving: Solving, *, return_coefficients: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors and gaps ``(R, G)``, and coefficients ``(R, G, M)``, of shape (0,) where they are not asked for."""
    images, _, channels = gallery.atoms.shape
    error, gap, w = sparse_reconstruct_gram(
        gallery.gram,
        correlation,
        probes.energy[:, None].expand(-1, images),
        probes.block_rows.detach()[:, None].expand(-1, images, channels),
        gallery.atoms.detach(),
        solving.beta,
        solver=solving.solver,
        tolerance=solving.tolerance,
        max_iterations=solving.max_iterations,
        return_coefficients=return_coefficients,
    )
    return error, gap, w


def _bytes(solving: Solving, dtype: torch.dtype, channels: int, atoms: int) -> Bytes:
    """What `distances` holds at a time, without gradients, for maps of so many channels and up to so many atoms."""
    multi = solving.scales != (1,)
    cell = 1.0 + multi
    if solving.method == "ridge":  # weights, and what their errors are summed from
        cell += 4
    block = (1 + multi) * (channels + 1)
    size = dtype.itemsize
    return Bytes(size * cell, size * block, size * (block + (1 + multi) * atoms))
