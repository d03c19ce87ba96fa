"""``dsr_topk``: the nearest of a gallery, without the table of all distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._common.arguments import check_count
from .._common.precision import without_autocast
from .._common.registration import is_transformed
from .._ops.sparse_reconstruct_gram import MAX_ITERATIONS, TOLERANCE
from .dictionaries import Dictionaries
from .distance import dsr_distance
from .problem import Options, Problem, Solving, parse_problem, parse_sides
from .table import bands, in_one_tile

OP = "dsr_topk"


class TopDistances(NamedTuple):
    """What :func:`dsr_topk` returns."""

    distances: Tensor  #: ``(P, k)``, ascending
    indices: Tensor  #: ``(P, k)`` int64, of gallery items


def dsr_topk(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor] | Dictionaries,
    k: int,
    beta: float | None = None,
    *,
    scales: Sequence[int] | None = None,
    method: str | None = None,
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    precision: str = "float32",
    memory_budget: int | None = None,
    progress: bool = False,
) -> TopDistances:
    """The k gallery items with the smallest :func:`dsr_distance` to each probe, exactly.

    The result is that of sorting the full table (bit for bit on a CPU), but the table is never held in memory.
    Gradients are those of :func:`dsr_distance` at the items found. Where they are wanted, these distances are computed
    a second time.

    Args:
        probe: ``(P, C, h, w)``, or a sequence of P maps ``(C, h_i, w_i)`` of any sizes.
        gallery: ``(G, C, h, w)``, a sequence of G maps, or what :func:`prepare_gallery` made.
        k: how many, from 1 to the number of gallery items (or of labels in ``groups``).
        beta: weight of the penalty, as in :func:`dsr_distance`. So are all arguments below.
        scales: sizes of the blocks.
        method: ``"lasso"`` or ``"ridge"``.
        groups: one label per gallery image.
        probe_weight: one weight per location of a probe.
        solver: how a lasso is solved.
        gradient: ``"constant"`` or ``"implicit"``.
        tolerance: certified relative duality gap at which a block is done.
        max_iterations: steps per block.
        precision: in which maps are multiplied.
        memory_budget: bytes to work in, about.
        progress: show a bar over the pairs.

    Returns:
        :class:`TopDistances`, ``(distances, indices)``, both ``(P, k)``, ascending. Among equal distances the smaller
        index comes first; NaN comes last.

    Raises:
        TypeError: as in :func:`dsr_distance`, or k is not an int.
        ValueError: as in :func:`dsr_distance`, or k is out of range, or the method is ``"joint"``.
        NotImplementedError: a map carries a forward-mode tangent.

    Example:
        >>> import torch, reidops
        >>> probe, gallery = torch.rand(2, 64, 5, 4), torch.rand(7, 64, 8, 4)
        >>> distances, indices = reidops.dsr_topk(probe, gallery, 3)
        >>> torch.equal(distances, reidops.dsr_distance(probe, gallery).sort(dim=1).values[:, :3])
        True
    """
    check_count(OP, "k", k)
    sides = parse_sides(OP, probe, gallery, Options(scales, method, beta, groups, probe_weight))
    if sides.purpose.method == "joint":
        raise ValueError(f"{OP}: method must be 'lasso' or 'ridge', got 'joint'")
    if k > sides.dictionaries:
        raise ValueError(f"{OP}: k must be at most the number of gallery items, {sides.dictionaries}, got {k}")
    solving = Solving(solver, tolerance, max_iterations, gradient, return_gap=False, precision=precision)
    problem = parse_problem(OP, sides.constant(), solving, memory_budget, progress)
    if problem is None:
        indices = torch.empty(0, k, dtype=torch.int64)
        return TopDistances(dsr_distance(probe, gallery, candidates=indices), indices)
    assert problem.probes.sample is not None
    with without_autocast(problem.probes.sample):
        distances, indices = _search(problem, k)
    if torch.is_grad_enabled() and _may_want_gradients(probe, gallery, probe_weight):
        distances = dsr_distance(
            probe,
            gallery,
            beta,
            scales=scales,
            method=method,
            groups=groups,
            probe_weight=probe_weight,
            candidates=indices,
            solver=solver,
            gradient=gradient,
            tolerance=tolerance,
            max_iterations=max_iterations,
            precision=precision,
            memory_budget=memory_budget,
        )
    return TopDistances(distances.to(problem.answer), indices)


def _search(problem: Problem, k: int) -> TopDistances:
    whole = in_one_tile(problem)
    if whole is not None:
        return _smallest([_numbered(whole[0], torch.arange(whole.shape[2]))], k)
    best: dict[int, TopDistances] = {}
    for band in bands(problem):
        found = _numbered(band.values[0], torch.tensor(band.numbers))
        start = band.probes.start
        best[start] = _smallest([best[start], found] if start in best else [found], k)
    distances, indices = (torch.cat(values) for values in zip(*best.values(), strict=True))
    return TopDistances(distances, indices)


def _numbered(values: Tensor, numbers: Tensor) -> TopDistances:
    return TopDistances(values, numbers.to(values.device).expand(values.shape[0], -1))


def _smallest(parts: list[TopDistances], k: int) -> TopDistances:
    """The k smallest of several, ascending; ties by index: sorted by index first, then stably by distance."""
    distances, indices = (torch.cat(values, dim=1) for values in zip(*parts, strict=True))
    order = indices.argsort(dim=1)
    distances, indices = distances.gather(1, order), indices.gather(1, order)
    order = distances.argsort(dim=1, stable=True)[:, :k]
    return TopDistances(distances.gather(1, order), indices.gather(1, order))


def _may_want_gradients(*sides: object) -> bool:
    """What a transform has wrapped does not tell."""
    given = [one for side in sides for one in (side if isinstance(side, Sequence) else [side])]
    return any(isinstance(one, Tensor) and (one.requires_grad or is_transformed(one)) for one in given)
