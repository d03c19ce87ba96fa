r"""How small the error of a reconstruction can be at the least, from correlations alone: no lasso is solved.

One column x, a dictionary Y, eq. 3 of DSR: min_w ||x - Yw||^2 + beta |w|_1, with t = beta / 2. At the optimum w let
rho = x - Yw, E = ||rho||^2 (the error, which is what DSR's distance averages), u = Yw, L = |w|_1, e = ||x||^2, c = Y'x
and m = max_j |c_j|. Optimality says |y_j' rho| <= t for all atoms and w'Y'rho = tL. Therefore

    e = ||rho + u||^2 = E + 2tL + ||u||^2      and      w'c = u'(rho + u) = tL + ||u||^2 = e - E - tL.          (a)

As w'c <= mL, the second of these gives w'c <= m (e - E - w'c) / t, so that

    w'c <= k (e - E),    k = m / (m + t).                                                                       (b)

If m <= t, w = 0 and E = e. Otherwise let v = (G + l I)^-1 c be the solution of ridge with a small l > 0, q = c'v and
R = e - q, its objective. As v is the minimum of a quadratic function, E + l ||w||^2 = R + (w - v)'(G + l I)(w - v).
By Cauchy and Schwarz the last term is at least ((v - w)'c)^2 / q, because (G + l I) v = c, and (v - w)'c = q - w'c.
With (b), and with l ||w||^2 <= l L^2 =: z,

    E >= R - z + max(0, q - k (e - E))^2 / q.                                                                   (c)

Let y = E - (R - z) and b = q - k (q + z). Then (c) is y >= max(0, b + k y)^2 / q, and E is at least R - z plus the
smaller root of k^2 y^2 - (q - 2kb) y + b^2 = 0 where b > 0. For l = 0 this is

    E >= (e - q) + (t / m)^2 q,

in words: what least squares leaves of x cannot be rebuilt, and of the rest the penalty leaves a part (t / m)^2.
z is known from L <= P / beta, where P = e - (m - t)^2 / ||y_j||^2 is the objective of the atom with |c_j| = m alone.
The right side of (c) is -2a + a^2 / q and no q besides, with a = w'c, so it falls as q grows: a q that is too large,
because c is rounded, leaves a bound that is true. So does an m that is too large.

A solver stops at a certified relative gap g of the objective, which is strongly convex in Yw: its residual is within
(g P / (1 - g))^1/2 of rho. So the error that it gives back is at least (E^1/2 - (g P / (1 - g))^1/2)^2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from reidops_models.matching.reconstruction import block_set

TOLERANCE = 1e-4  # that of reidops.dsr_distance
ROUNDING = 1e-5  # of a distance in float32, relative to the energy of its blocks
TILE = 1 << 19  # correlations that are there at a time


@torch.inference_mode()
def least_distances(
    probes: Sequence[Tensor],
    gallery: Sequence[Tensor],
    beta: float,
    *,
    scales: Sequence[int] = (1,),
    tolerance: float = TOLERANCE,
) -> Tensor:
    """Lower bounds (P, G) float64 of `reidops.dsr_distance(probes, gallery, beta, scales=scales)`, on the CPU.

    They hold for the distances as they are computed, with the rounding of float32 and the solver's tolerance. They
    take the product of the maps, which a distance takes too, and no solver. A pair of a map with NaN has 0.

    Args:
        probes: P maps (C, h_i, w_i).
        gallery: G maps (C, h_j, w_j).
        beta: weight of the penalty, above 0.
        scales: sizes of the blocks.
        tolerance: with which the distances are computed.

    Raises:
        ValueError: beta is not above 0, or no scale fits a map.

    Example:
        >>> import reidops
        >>> normalise = torch.nn.functional.normalize
        >>> probes, gallery = [normalise(torch.rand(16, 4, 3), dim=0)], normalise(torch.rand(5, 16, 4, 4), dim=1)
        >>> least = least_distances(probes, gallery, 0.4)
        >>> bool((least <= reidops.dsr_distance(probes, gallery, 0.4)).all())
        True
    """
    if not beta > 0:
        raise ValueError(f"least_distances: beta must be above 0, got {beta}")
    table = torch.zeros(len(probes), len(gallery), dtype=torch.float64)
    columns = [_Columns.of(probe, scales) for probe in probes]
    widest = max((one.energy.numel() for one in columns), default=1)
    layouts: dict[torch.Size, list[int]] = defaultdict(list)
    for place, image in enumerate(gallery):
        layouts[image.shape].append(place)
    for shape, places in layouts.items():
        most = max(1, TILE // max(1, shape[1:].numel() * widest))
        for start in range(0, len(places), most):
            some = places[start : start + most]
            atoms = _Atoms.of(torch.stack([gallery[place] for place in some]), beta)
            for number, one in enumerate(columns):
                table[number, some] = _least_of_probe(one, atoms, beta, tolerance).cpu()
    return table.nan_to_num(nan=0.0)


class _Columns(NamedTuple):
    """A probe's 1 x 1 blocks (C, hw), the matrix (hw, N) that averages them, and the energies (N,) of the averages."""

    cells: Tensor
    averages: Tensor
    energy: Tensor

    @classmethod
    def of(cls, probe: Tensor, scales: Sequence[int]) -> _Columns:
        cells = probe.float().flatten(1)
        single = torch.eye(cells.shape[1], dtype=torch.float32, device=probe.device)
        averages = block_set(single.unflatten(1, probe.shape[1:]), scales)[0]
        return cls(cells, averages, (cells.double() @ averages.double()).square().sum(dim=0))


class _Atoms(NamedTuple):
    """Gallery images: their blocks (g, M, C), F (g, M, M) with F'F = (G + l I)^-1, and the largest ||y_j||^2 (g,)."""

    blocks: Tensor
    factor: Tensor
    norm: Tensor

    @classmethod
    def of(cls, maps: Tensor, beta: float) -> _Atoms:
        blocks = maps.float().flatten(2).mT.contiguous()
        gram = blocks.double() @ blocks.double().mT
        factor = inverse_factor(gram, beta).float()
        return cls(blocks, factor, gram.diagonal(dim1=1, dim2=2).amax(dim=1))


def _least_of_probe(probe: _Columns, atoms: _Atoms, beta: float, tolerance: float) -> Tensor:
    """(g,) least mean errors of one probe's blocks."""
    images, count, channels = atoms.blocks.shape
    product = torch.ops.reidops.matrix_product  # in float32, whatever torch is allowed
    cells = product(atoms.blocks.flatten(0, 1), probe.cells)
    correlation = product(cells, probe.averages).unflatten(0, (images, count))  # products of averages are averages
    rounding = _roundings(channels) * (atoms.norm.sqrt()[:, None] * probe.energy.amax().sqrt())
    low, high = correlation.aminmax(dim=1)
    largest = torch.maximum(high, -low).double() + rounding
    # Rounding in c, and in its product with F, whose Frobenius norm is at most (M / l)^1/2.
    ridge = (atoms.factor @ correlation).square_().sum(dim=1).double().sqrt()
    moved = rounding + _roundings(count) * largest * count**0.5
    ridge = (ridge + (count / ridge_weight(beta)) ** 0.5 * moved).square()
    least, objective = least_errors(largest, rounding, ridge, probe.energy, atoms.norm[:, None], beta)
    unsolved = (tolerance / (1 - tolerance) * objective).sqrt()
    found = (least.sqrt() - unsolved).clamp(min=0).square().mean(dim=1)
    return (found - ROUNDING * probe.energy.mean()).clamp(min=0)


def _roundings(terms: int) -> float:
    """Of a sum of products in float32, relative to the norms of its factors: docs/ops.md, and those of averages."""
    return (8 + terms**0.5 / 16) * torch.finfo(torch.float32).eps


def least_errors(
    largest: Tensor, slack: Tensor, ridge: Tensor, energy: Tensor, norm: Tensor, beta: float
) -> tuple[Tensor, Tensor]:
    """The bound (c), and P.

    Args:
        largest: (g, N), m, or more by 2 `slack` at most.
        slack: (g, 1) or (g, N).
        ridge: (g, N), q with l of :func:`ridge_weight`, or more.
        energy: (N,), e.
        norm: (g, 1), the largest ||y_j||^2.
        beta: of the penalty.

    Returns:
        Both (g, N). P may be too large: that of the least gain which an atom with |c_j| = m can have.
    """
    t = beta / 2
    gain = (largest - 2 * slack - t).clamp(min=0).square() / norm.clamp(min=1e-300)
    objective = (energy - gain).clamp(min=0)
    z = ridge_weight(beta) * (objective / beta).square()
    k = largest / (largest + t)
    b = (ridge - k * (ridge + z)).clamp(min=0)
    middle = ridge - 2 * k * b
    # The smaller root, in the form in which nothing cancels.
    root = (ridge * (ridge - 4 * k * b)).clamp(min=0).sqrt()
    extra = torch.where(b > 0, 2 * b.square() / (middle + root), 0)
    least = (energy - ridge - z + extra).clamp(min=0)
    return torch.where(largest <= t, energy.expand_as(least), least), objective


def ridge_weight(beta: float) -> float:
    """l: so small that z is at most 5e-3 e^2, and so large that the rounding of float32 in c matters less."""
    return 5e-3 * beta**2


def inverse_factor(gram: Tensor, beta: float) -> Tensor:
    """(g, M, M) triangular F with F'F = (G + l I)^-1."""
    size = gram.shape[-1]
    identity = torch.eye(size, dtype=gram.dtype, device=gram.device)
    factor, _ = torch.linalg.cholesky_ex(gram + ridge_weight(beta) * identity)  # NaN in a map spoils no other
    return torch.linalg.solve_triangular(factor, identity.expand_as(gram), upper=False)
