"""Deep Spatial feature Reconstruction: the distance between images of any sizes, without alignment or resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, overload

import torch
from torch import Tensor

from .._common.precision import computing_dtype, result_dtype, without_autocast
from .._ops.sparse_reconstruct_gram import MAX_ITERATIONS, TOLERANCE
from . import joint, pairs
from .arguments import MapSet, parse_problem, parse_solving


class CertifiedDistance(NamedTuple):
    """What :func:`dsr_distance` returns with ``return_gap=True``."""

    distance: Tensor  #: ``(P, G)``
    gap: Tensor  #: ``(P, G)``, the largest certified relative duality gap of the probe's blocks


@overload
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor],
    beta: float = 0.4,
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    memory_budget: int | None = None,
    progress: bool = False,
    return_gap: Literal[False] = False,
) -> Tensor: ...
@overload
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor],
    beta: float = 0.4,
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    memory_budget: int | None = None,
    progress: bool = False,
    return_gap: Literal[True],
) -> CertifiedDistance: ...
def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor],
    beta: float = 0.4,
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
    groups: Sequence[int] | Tensor | None = None,
    probe_weight: Tensor | Sequence[Tensor] | None = None,
    solver: str = "active_set",
    gradient: str = "constant",
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
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
        gallery: ``(G, C, h, w)``, or a sequence of G maps ``(C, h_j, w_j)``, in the dtype of the probes.
        beta: weight of the penalty, >= 0, and > 0 for ridge.
        scales: sizes k of the k x k blocks. They are averages at stride 1, and all scales make one set (sec. 3.4:
            ``(1, 2, 3)``). A scale that does not fit a map is left out for that map.
        method: ``"lasso"`` (eq. 3), ``"ridge"`` (penalty ``beta ||w||_2^2``, closed form) or ``"joint"``: the whole
            gallery is one dictionary, images (or groups) compete for every block, and the distance to g is the error
            that g's own coefficients leave, d = 1/N sum_n ||x_n - Y_g w_ng||^2. That is sparse representation
            classification. The Gram matrix of all gallery blocks must fit into memory.
        groups: G integers, one label per gallery image. All images of a label make one dictionary, and a column of the
            result is a label. No block lies across two images.
        probe_weight: ``(P, h, w)``, or a sequence of P maps ``(h_i, w_i)``, in the dtype of the maps: one weight >= 0
            per location, for instance a foreground mask. Then d = sum_n m_n e_n / sum_n m_n, where a k x k block weighs
            the average of its locations. Values are not checked; a probe whose weights are all zero has NaN distances.
        solver: how a lasso is solved: ``"active_set"``, ``"feature_sign"`` (the paper's), ``"coordinate_descent"``, or
            ``"fista"`` in plain torch, for comparison.
        gradient: ``"constant"`` (eq. 7, w is held constant) or ``"implicit"`` (exact; not for joint). Gradients go to
            both sides and to the weights. They keep the coefficients of every pair in memory.
        tolerance: certified relative duality gap at which a block is done, > 0.
        max_iterations: steps per block, >= 1.
        memory_budget: bytes to work in, about, beside inputs and result. At least one pair is always done at a time.
            The default is 1 GiB, and 8 GiB on a GPU.
        progress: show a bar over the pairs.
        return_gap: also return how far the distances may be from the optimum.

    Returns:
        ``(P, G)``, or ``(P, K)`` for K labels in ``groups``, in the order in which they first appear. The dtype is that
        of the maps; float16 and bfloat16 are summed in float32, and under autocast the distances stay float32. NaN or
        Inf in a map makes the distances of that map NaN, and no other; in a joint dictionary a gallery map is part of
        all distances.

        With ``return_gap`` it is a :class:`CertifiedDistance`, ``(distance, gap)``. ``gap`` has the same shape and is
        the largest certified relative duality gap of the probe's blocks: a pair is certified where it is at most
        ``tolerance``. It has no gradient. Groups of a joint dictionary share their gap.

    Raises:
        TypeError: an argument is not made of floating-point maps, or maps differ in dtype.
        ValueError: shapes, channels or devices do not match, no scale fits a map, or a parameter is out of range.
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
    solving = parse_solving(beta, scales, method, solver, tolerance, max_iterations, gradient, return_gap)
    problem = parse_problem(probe, gallery, solving, groups, probe_weight, memory_budget, progress)
    probes, images = problem.probes, problem.gallery
    if not probes.length or not images.length:
        empty = _empty(probes, images, len(problem.members))
        return CertifiedDistance(empty, empty.detach()) if return_gap else empty
    assert probes.sample is not None
    answer = result_dtype(probes.sample)
    distances = joint.distances if method == "joint" else pairs.distances
    with without_autocast(probes.sample):
        table = distances(problem, computing_dtype(answer))
    distance = table[0].to(answer)
    return CertifiedDistance(distance, table[1].detach().to(answer)) if return_gap else distance


def _empty(probes: MapSet, gallery: MapSet, dictionaries: int) -> Tensor:
    """``(P, 0)`` or ``(0, K)``, of the graph where tensors are given, so that a backward finds its way."""
    if isinstance(probes.maps, Tensor) and isinstance(gallery.maps, Tensor):
        distances = probes.maps.flatten(1).sum(1)[:, None] * gallery.maps.flatten(1).sum(1)[:dictionaries]
        return distances.to(result_dtype(probes.maps))
    like = gallery.sample if probes.sample is None else probes.sample
    if like is None:
        return torch.empty(0, 0)
    return like.new_empty(probes.length, dictionaries, dtype=result_dtype(like))
