"""Deep Spatial feature Reconstruction: the distance of pictures of any sizes, nothing aligned and nothing resized."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor

from . import _joint, _pairs, blocks
from ._arguments import check_alike, check_choice, check_count, check_tensor, describe
from ._precision import computing_dtype, result_dtype, without_autocast
from ._sides import Maps, Solving, map_shapes
from .sparse_reconstruct import check_solving
from .sparse_reconstruct_gram import MAX_ITERATIONS, TOLERANCE

METHODS = ("lasso", "ridge", "joint")

_OP = "dsr_distance"


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
    _check_maps("probe", probe)
    _check_maps("gallery", gallery)
    check_choice(_OP, "method", method, METHODS)
    check_solving(_OP, beta, method, solver, gradient, tolerance, max_iterations)
    if method == "joint" and gradient == "implicit":
        raise ValueError(f"{_OP}: gradient must be 'constant' for method 'joint', got 'implicit'")
    scales = _checked_scales(scales)
    if memory_budget is not None:
        check_count(_OP, "memory_budget", memory_budget)
    for name, maps in (("probe", probe), ("gallery", gallery)):
        _check_fit(name, maps, scales)
    members = None if groups is None else _checked_groups(groups, len(gallery))
    if probe_weight is not None:
        _check_weight(probe_weight, probe)
    if not len(probe) or not len(gallery):
        return _empty(probe, gallery)[:, : None if members is None else len(members)]
    first = probe[0]
    _check_same("gallery", gallery[0], "probe", first)

    answer = result_dtype(first)
    solving = Solving(beta, scales, method, solver, tolerance, max_iterations, gradient)
    pairs = _joint if method == "joint" else _pairs
    with without_autocast(first):
        distances = pairs.distances(
            probe, probe_weight, gallery, members, solving, computing_dtype(answer), memory_budget, progress
        )
    return distances.to(answer)


def _check_maps(name: str, maps: Tensor | Sequence[Tensor]) -> None:
    if isinstance(maps, Tensor):
        return check_tensor(_OP, name, maps, "(images, C, h, w)", 4, 4)
    if not isinstance(maps, Sequence):
        raise TypeError(f"{_OP}: {name} must be a tensor (images, C, h, w) or a sequence of maps, got {describe(maps)}")
    for i, one in enumerate(maps):
        check_tensor(_OP, f"{name}[{i}]", one, "(C, h, w)", 3, 3)
        _check_same(f"{name}[{i}]", one, f"{name}[0]", maps[0])
    return None


def _check_same(name: str, one: Tensor, other_name: str, other: Tensor) -> None:
    check_alike(_OP, name, one, other_name, other)
    if one.shape[-3] != other.shape[-3]:
        raise ValueError(
            f"{_OP}: {name} must have as many channels as {other_name}, {other.shape[-3]}, got {describe(one)}"
        )


def _checked_scales(scales: Sequence[int]) -> tuple[int, ...]:
    expected = "distinct ints >= 1, such as (1, 2, 3)"
    if not isinstance(scales, Sequence) or any(isinstance(k, bool) or not isinstance(k, int) for k in scales):
        raise TypeError(f"{_OP}: scales must be {expected}, got {describe(scales)}")
    if not scales or min(scales) < 1 or len(set(scales)) < len(scales):
        raise ValueError(f"{_OP}: scales must be {expected}, got {scales!r}")
    return tuple(scales)


def _check_fit(name: str, maps: Tensor | Sequence[Tensor], scales: tuple[int, ...]) -> None:
    shapes = [maps.shape[-2:]] if isinstance(maps, Tensor) else [one.shape[-2:] for one in maps]
    for i, (height, width) in enumerate(shapes):
        if not blocks.fitting(height, width, scales):
            which = name if isinstance(maps, Tensor) else f"{name}[{i}]"
            raise ValueError(
                f"{_OP}: {which} must be at least as large as one of scales {scales}, got a map of {height} x {width}"
            )


def _checked_groups(groups: Sequence[int] | Tensor, images: int) -> list[list[int]]:
    """Indices of the images of each label, labels in the order of their first image."""
    expected = f"one integer for each of {images} gallery images"
    if hasattr(groups, "tolist"):  # a tensor, or an array
        groups = groups.tolist()
    if not isinstance(groups, Sequence) or any(isinstance(k, bool) or not isinstance(k, Integral) for k in groups):
        raise TypeError(f"{_OP}: groups must be {expected}, got {describe(groups)}")
    if len(groups) != images:
        raise ValueError(f"{_OP}: groups must be {expected}, got {len(groups)}")
    members: dict[int, list[int]] = {}
    for i, label in enumerate(groups):
        members.setdefault(int(label), []).append(i)
    return list(members.values())


def _check_weight(weight: Tensor | Sequence[Tensor], probe: Maps) -> None:
    """A map of weights for each probe, of its size, on its device and in its dtype."""
    name = "probe_weight"
    if isinstance(weight, Tensor):
        check_tensor(_OP, name, weight, "(P, h, w)", 3, 3)
    elif not isinstance(weight, Sequence):
        raise TypeError(f"{_OP}: {name} must be a tensor (P, h, w) or a sequence of maps, got {describe(weight)}")
    if len(weight) != len(probe):
        raise ValueError(f"{_OP}: {name} must have a map for each of {len(probe)} probes, got {len(weight)}")
    for i, (one, shape) in enumerate(zip(weight, map_shapes(probe), strict=True)):
        check_tensor(_OP, f"{name}[{i}]", one, "(h, w)", 2, 2)
        check_alike(_OP, f"{name}[{i}]", one, f"probe[{i}]", probe[i])
        if tuple(one.shape) != shape:
            raise ValueError(f"{_OP}: {name}[{i}] must have the size of probe[{i}], {shape}, got {describe(one)}")


def _empty(probe: Tensor | Sequence[Tensor], gallery: Tensor | Sequence[Tensor]) -> Tensor:
    """``(P, 0)`` or ``(0, G)``, of the graph where tensors are given, so that a backward finds its way."""
    if isinstance(probe, Tensor) and isinstance(gallery, Tensor):
        _check_same("gallery", gallery, "probe", probe)
        distances = probe.flatten(1).sum(1)[:, None] * gallery.flatten(1).sum(1)
        return distances.to(result_dtype(probe))
    given = next((maps for maps in (probe, gallery) if len(maps) or isinstance(maps, Tensor)), None)
    if given is None:
        return torch.empty(0, 0)
    like = given if isinstance(given, Tensor) else given[0]
    return like.new_empty(len(probe), len(gallery), dtype=result_dtype(like))
