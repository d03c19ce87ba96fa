"""Deep Spatial feature Reconstruction: the distance between images of any sizes, without alignment or resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, overload

import torch
from torch import Tensor

from .._common.arguments import describe
from .._common.precision import result_dtype, without_autocast
from .._ops.sparse_reconstruct_gram import MAX_ITERATIONS, TOLERANCE
from . import joint, shortlist, table
from .dictionaries import Dictionaries
from .problem import Options, Sides, Solving, parse_problem, parse_sides

OP = "dsr_distance"


class CertifiedDistance(NamedTuple):
    """What :func:`dsr_distance` returns with ``return_gap=True``."""

    distance: Tensor  #: ``(P, G)``
    gap: Tensor  #: ``(P, G)``, the largest certified relative duality gap of the probe's blocks


@overload
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor] | Dictionaries,
    beta: float | None = None,
    *,
    scales: Sequence[int] | None = None,
    method: str | None = None,
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    candidates: Tensor | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    precision: str = "float32",
    memory_budget: int | None = None,
    progress: bool = False,
    return_gap: Literal[False] = False,
) -> Tensor: ...
@overload
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor] | Dictionaries,
    beta: float | None = None,
    *,
    scales: Sequence[int] | None = None,
    method: str | None = None,
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    candidates: Tensor | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    precision: str = "float32",
    memory_budget: int | None = None,
    progress: bool = False,
    return_gap: Literal[True],
) -> CertifiedDistance: ...
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor] | Dictionaries,
    beta: float | None = None,
    *,
    scales: Sequence[int] | None = None,
    method: str | None = None,
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    candidates: Tensor | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    precision: str = "float32",
    memory_budget: int | None = None,
    progress: bool = False,
    return_gap: bool = False,
) -> Tensor | CertifiedDistance:
    r"""The distance from each probe to each gallery image (DSR, eq. 4; He et al., CVPR 2018).

    .. math:: d = \frac{1}{N} \|X - YW\|_F^2, \qquad w_n = \arg\min_w \|x_n - Yw\|_2^2 + \beta \|w\|_1   \quad (3)

    X holds the N blocks of the probe's feature map, Y the M blocks of the gallery image's. Only the error counts, not
    the penalty. The matrix is not symmetric. The paper's eq. 6 is half of its eq. 3 but keeps the letter: eq. 6 with
    beta' is this function with ``beta = 2 * beta'``. Nothing is normalised here; DSR's 0.4 is meant for maps that are
    l2-normalised over channels.

    Args:
        probe: ``(P, C, h, w)``, or a sequence of P maps ``(C, h_i, w_i)`` of any sizes. float32, float64, float16 or
            bfloat16; any strides.
        gallery: ``(G, C, h, w)``, or a sequence of G maps ``(C, h_j, w_j)``, in the dtype of the probes. Or what
            :func:`prepare_gallery` has made of them: the distances are the same bits, and only probes have gradients.
            What was fixed then (``scales``, ``method``, ``beta``, ``groups``) may be left out.
        beta: weight of the penalty, >= 0, and > 0 for ridge. The default is 0.4.
        scales: sizes k of the k x k blocks. They are averages at stride 1, and all scales make one set (sec. 3.4:
            ``(1, 2, 3)``; the default is ``(1,)``). A scale that does not fit a map is left out for that map.
        method: ``"lasso"`` (eq. 3, the default), ``"ridge"`` (penalty ``beta ||w||_2^2``, closed form) or ``"joint"``:
            the whole gallery is one dictionary, images (or groups) compete for every block, and the distance to g is
            the error that g's own coefficients leave, d = 1/N sum_n ||x_n - Y_g w_ng||^2. That is sparse
            representation classification. The Gram matrix of all gallery blocks must fit into memory.
        groups: G integers, one label per gallery image. All images of a label make one dictionary, and a column of the
            result is a label. No block lies across two images.
        probe_weight: ``(P, h, w)``, or a sequence of P maps ``(h_i, w_i)``, in the dtype of the maps: one weight >= 0
            per location, for instance a foreground mask. Then d = sum_n m_n e_n / sum_n m_n, where a k x k block weighs
            the average of its locations. Values are not checked; a probe whose weights are all zero has NaN distances.
        candidates: ``(P, K)`` int64. Column k of row p is then the distance to gallery item ``candidates[p, k]`` alone,
            and infinite where that is -1. On a CPU the distances are the bits of the full table. Not for joint.
        solver: how a lasso is solved: ``"active_set"``, ``"feature_sign"`` (the paper's), ``"coordinate_descent"``, or
            ``"fista"`` in plain torch, for comparison.
        gradient: ``"constant"`` (eq. 7, w is held constant) or ``"implicit"`` (exact; not for joint). Gradients go to
            both sides and to the weights. They keep the coefficients of every pair in memory.
        tolerance: certified relative duality gap at which a block is done, > 0.
        max_iterations: steps per block, >= 1.
        precision: ``"bfloat16"`` or ``"float16"`` round float32 maps to be multiplied; products are summed in float32,
            and the gap counts the rounding. Half maps are multiplied as they are, which rounds nothing. Ridge is
            always in float64.
        memory_budget: bytes to work in, about, beside inputs and result. At least one pair is always done at a time.
            The default is 1 GiB, and 8 GiB on a GPU.
        progress: show a bar over the pairs.
        return_gap: also return how far the distances may be from the optimum.

    Returns:
        ``(P, G)``, or ``(P, K)`` for K labels in ``groups``, in the order in which they first appear, or for K
        ``candidates``. The dtype is that of the probes; float16 and bfloat16 are summed in float32, and under autocast
        the distances stay float32. NaN or Inf in a map makes the distances of that map NaN, and no other; in a joint
        dictionary a gallery map is part of all distances.

        With ``return_gap`` it is a :class:`CertifiedDistance`, ``(distance, gap)``. ``gap`` has the same shape and is
        the largest certified relative duality gap of the probe's blocks: a pair is certified where it is at most
        ``tolerance``. It has no gradient. Groups of a joint dictionary share their gap.

    Raises:
        TypeError: an argument is not made of floating-point maps, or maps differ in dtype.
        ValueError: shapes, channels or devices do not match, no scale fits a map, a parameter is out of range, or it
            contradicts a prepared gallery.
        NotImplementedError: a map carries a forward-mode tangent.

    Example:
        >>> import torch, reidops
        >>> normalise = torch.nn.functional.normalize
        >>> partial = normalise(torch.rand(2, 64, 5, 4), dim=1)
        >>> holistic = [normalise(torch.rand(64, 8, w), dim=0) for w in (3, 4, 4)]
        >>> reidops.dsr_distance(partial, holistic, scales=(1, 2, 3)).shape
        torch.Size([2, 3])
        >>> mask = torch.rand(2, 5, 4)  # 2 probes; the 3 gallery images show 2 people
        >>> reidops.dsr_distance(partial, holistic, probe_weight=mask, groups=[7, 7, 9]).shape
        torch.Size([2, 2])
        >>> distance, gap = reidops.dsr_distance(partial, holistic, return_gap=True)
        >>> bool((gap <= 1e-4).all())  # every pair is certified
        True
    """
    solving = Solving(solver, tolerance, max_iterations, gradient, bool(return_gap), precision)
    sides = parse_sides(OP, probe, gallery, Options(scales, method, beta, groups, probe_weight))
    if candidates is not None:
        shortlist.check_candidates(OP, candidates, sides.probes.length, sides.dictionaries)
    if sides.purpose.method == "joint" and candidates is not None:
        raise ValueError(f"{OP}: candidates must be left out for method 'joint', got {describe(candidates)}")
    if sides.purpose.method == "joint" and gradient == "implicit":
        raise ValueError(f"{OP}: gradient must be 'constant' for method 'joint', got 'implicit'")
    problem = parse_problem(OP, sides, solving, memory_budget, progress)
    if problem is None:
        empty = _empty(sides, None if candidates is None else candidates.shape[1])
        return CertifiedDistance(empty, empty.detach().clamp(max=0)) if return_gap else empty
    assert problem.probes.sample is not None
    with without_autocast(problem.probes.sample):
        if candidates is not None:
            values = shortlist.distances(problem, candidates)
        elif problem.purpose.method == "joint":
            assert sides.images is not None
            values = joint.distances(problem, sides.images, sides.groups)
        else:
            values = table.distances(problem)
    distance = values[0].to(problem.answer)
    return CertifiedDistance(distance, values[1].detach().to(problem.answer)) if return_gap else distance


def _empty(sides: Sides, candidates: int | None) -> Tensor:
    """``(P, 0)`` or ``(0, K)``, of the graph where tensors are given, so that a backward finds its way.

    With candidates ``(P, K)``: there is none but -1, and all are infinite.
    """
    probes, images = sides.probes, sides.images
    columns = sides.dictionaries if candidates is None else candidates
    tensors = isinstance(probes.maps, Tensor) and images is not None and isinstance(images.maps, Tensor)
    if tensors and (candidates is None or not probes.length):
        assert images is not None
        of_probes, of_images = (side.maps.flatten(1).sum(1) for side in (probes, images))  # type: ignore[union-attr]
        one = of_images[:columns] if candidates is None else of_images.sum().expand(columns)
        return (of_probes[:, None] * one).to(result_dtype(of_probes))
    like = images.sample if probes.sample is None and images is not None else probes.sample
    if like is None:
        return torch.full((probes.length, columns), torch.inf, dtype=torch.float32)
    return like.new_full((probes.length, columns), torch.inf, dtype=result_dtype(like))
