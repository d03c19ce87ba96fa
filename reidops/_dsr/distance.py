"""Deep Spatial feature Reconstruction: the distance of pictures of any sizes, nothing aligned and nothing resized."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._common.precision import computing_dtype, result_dtype, without_autocast
from .._ops.sparse_reconstruct_gram import MAX_ITERATIONS, TOLERANCE
from . import joint, pairs
from .arguments import MapSet, parse_problem, parse_solving


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
) -> Tensor:
    r"""Distance of every probe to every gallery image: eq. 4 of DSR (He et al., CVPR 2018).

    .. math:: d = \frac{1}{N} \|X - YW\|_F^2, \qquad w_n = \arg\min_w \|x_n - Yw\|_2^2 + \beta \|w\|_1   \quad (3)

    X are the N blocks of the probe's feature map, Y the M blocks of the gallery image's.  Only the error counts, not
    the penalty; the matrix is not symmetric.  The paper's eq. 6 is its eq. 3 halved with the same letter beta: eq. 6
    with beta' is this function with ``beta = 2 * beta'``.  Nothing is normalised here: DSR's 0.4 is meant for maps
    l2-normalised over channels.

    With a ``probe_weight`` m, one number a location of the probe's map (a foreground mask, say), the mean is
    d = sum_n m_n e_n / sum_n m_n; a k x k block weighs the average of its locations.

    With ``groups``, the identities of the gallery images, all images of a person make one dictionary together (no block
    lies across two images), and a column of the result is a person.  With ``method="joint"`` the whole gallery is one
    dictionary, in which images, or groups, compete for every block: the distance to g is the error that g's own
    coefficients leave, d = 1/N sum_n ||x_n - Y_g w_ng||^2.  That is sparse representation classification, which the
    first public code of DSR used.  Its Gram matrix, of all gallery blocks, must fit into memory.

    Gradients go to both sides: by eq. 7, with W constant, or with ``gradient="implicit"`` exactly, W followed too.
    They keep the coefficients of every pair in memory.

    Args:
        probe: ``(P, C, h, w)``, or a sequence of P maps ``(C, h_i, w_i)`` of any sizes.  float32, float64, float16 or
            bfloat16; any strides.
        gallery: ``(G, C, h, w)``, or a sequence of G maps ``(C, h_j, w_j)``.
        beta: weight of the penalty, >= 0 (> 0 for ridge).
        scales: sizes k of the k x k blocks, averaged and taken at stride 1 into one set (sec. 3.4: ``(1, 2, 3)``).  A
            scale that does not fit a map is left out of that map.  Pooled blocks of the gallery change no lasso's error
            where its 1 x 1 blocks are there too, and are not made then.
        method: ``"lasso"`` (eq. 3), ``"ridge"`` (penalty ``beta ||w||_2^2``, closed form), or ``"joint"`` (a lasso with
            one dictionary for the whole gallery).
        groups: G integers, a label for each gallery image; images of one label are one dictionary.
        probe_weight: ``(P, h, w)``, or a sequence of P maps ``(h_i, w_i)``, in the dtype of the maps, >= 0 and not all
            zero in a probe (whose distances are NaN then; values are not looked at before).
        solver: of the lasso: ``"active_set"``, ``"feature_sign"`` (the paper's), ``"coordinate_descent"`` or, in plain
            torch, for comparison, ``"fista"``.
        gradient: ``"constant"`` (eq. 7) or ``"implicit"`` (see :func:`reidops.sparse_reconstruct`; not for joint).
        tolerance: certified relative duality gap at which a block is done, > 0.
        max_iterations: steps of a block, >= 1.
        memory_budget: about how many bytes to work in, beside inputs and result; one pair at a time is the least.
            By default 1 GiB, 8 GiB on a GPU.
        progress: show a bar over the pairs.

    Returns:
        ``(P, G)``, or ``(P, K)`` for K different labels in ``groups``, in the order in which they first appear.  In the
        dtype of the maps: sums are float32 for float16 and bfloat16, whose distances under autocast are float32 too.  A
        NaN or Inf in a map makes the distances of that map NaN, and no other (in a joint dictionary a gallery map is in
        all distances).

    Raises:
        TypeError: not floating-point maps, or maps of different dtypes.
        ValueError: shapes, channels or devices that do not match, a map that no scale fits, a parameter out of range.

    Example:
        >>> import torch, reidops
        >>> normalise = torch.nn.functional.normalize
        >>> partial = normalise(torch.rand(2, 64, 5, 4), dim=1)
        >>> holistic = [normalise(torch.rand(64, 8, w), dim=0) for w in (3, 4, 4)]
        >>> reidops.dsr_distance(partial, holistic, scales=(1, 2, 3)).shape
        torch.Size([2, 3])
        >>> mask = torch.rand(2, 5, 4)  # of two people in three pictures
        >>> reidops.dsr_distance(partial, holistic, probe_weight=mask, groups=[7, 7, 9]).shape
        torch.Size([2, 2])
    """
    solving = parse_solving(beta, scales, method, solver, tolerance, max_iterations, gradient)
    problem = parse_problem(probe, gallery, solving, groups, probe_weight, memory_budget, progress)
    probes, images = problem.probes, problem.gallery
    if not probes.length or not images.length:
        return _empty(probes, images, len(problem.members))
    assert probes.sample is not None
    answer = result_dtype(probes.sample)
    distances = joint.distances if method == "joint" else pairs.distances
    with without_autocast(probes.sample):
        table = distances(problem, computing_dtype(answer))
    return table.to(answer)


def _empty(probes: MapSet, gallery: MapSet, dictionaries: int) -> Tensor:
    """``(P, 0)`` or ``(0, K)``, of the graph where tensors are given, so that a backward finds its way."""
    if isinstance(probes.maps, Tensor) and isinstance(gallery.maps, Tensor):
        distances = probes.maps.flatten(1).sum(1)[:, None] * gallery.maps.flatten(1).sum(1)[:dictionaries]
        return distances.to(result_dtype(probes.maps))
    like = gallery.sample if probes.sample is None else probes.sample
    if like is None:
        return torch.empty(0, 0)
    return like.new_empty(probes.length, dictionaries, dtype=result_dtype(like))
