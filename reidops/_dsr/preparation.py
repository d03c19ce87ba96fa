"""``prepare_gallery``: what belongs to the gallery alone, made once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .._common.arguments import DTYPES, describe
from .._common.precision import without_autocast
from .arguments import check_fit, parse_groups, parse_maps, parse_purpose
from .dictionaries import Dictionaries, Run
from .gallery import GalleryOfMaps
from .stacks import Stack

OP = "prepare_gallery"
_TOGETHER = 64  # dictionaries that are made at a time, so that what is made on the way stays small


def prepare_gallery(
    gallery: Tensor | Sequence[Tensor],
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
    beta: float = 0.4,
    groups: Sequence[int] | Tensor | None = None,
    storage: torch.dtype | None = None,
) -> Dictionaries:
    r"""Makes the gallery's side of :func:`dsr_distance` and :func:`dsr_topk` once, for many calls.

    It consists of the blocks Y of each image and their Gram matrix :math:`G = Y'Y`, and for ridge
    :math:`(G + \beta I)^{-1}` (DSR, eq. 3; He et al., CVPR 2018). Everything is copied and has no gradients.

    Args:
        gallery: ``(G, C, h, w)``, or a sequence of G maps ``(C, h_j, w_j)`` of any sizes. float32, float64, float16 or
            bfloat16; any strides.
        scales: sizes k of the k x k blocks, as in :func:`dsr_distance`.
        method: ``"lasso"`` or ``"ridge"``.
        beta: weight of the penalty, >= 0, and > 0 for ridge.
        groups: G integers, one label per image. All images of a label make one dictionary.
        storage: the dtype that blocks are kept in, by default theirs. float16 and bfloat16 halve the memory; distances
            are then those to the rounded maps.

    Returns:
        A sequence of :class:`Dictionaries`, one per image or label. A Gram matrix is float32 (float64 for float64 maps
        and for ridge): 64 KiB for 16 x 8 blocks, beside 1 MiB of blocks of 2048 channels.

    Raises:
        TypeError: not floating-point maps, maps of different dtypes, or ``storage`` is no floating-point dtype.
        ValueError: shapes, channels or devices do not match, no scale fits a map, or a parameter is out of range.

    Example:
        >>> import torch, reidops
        >>> probe, gallery = torch.rand(2, 64, 4, 4), torch.rand(5, 64, 8, 4)
        >>> dictionaries = reidops.prepare_gallery(gallery)
        >>> again = reidops.dsr_distance(probe, dictionaries)
        >>> torch.equal(again, reidops.dsr_distance(probe, gallery))
        True
    """
    purpose = parse_purpose(OP, scales, method, beta)
    if method == "joint":
        raise ValueError(f"{OP}: method must be 'lasso' or 'ridge', got 'joint': its dictionary is the whole gallery")
    images = parse_maps(OP, "gallery", gallery)
    check_fit(OP, images, purpose.scales)
    members = None if groups is None else parse_groups(OP, groups, images.length)
    if storage is not None and storage not in DTYPES:
        raise TypeError(f"{OP}: storage must be float32, float64, float16 or bfloat16, got {describe(storage)}")
    if images.sample is None:
        return Dictionaries([], purpose, torch.empty(0, 0, dtype=storage or torch.float32))
    kept = storage or images.dtype
    like = torch.empty(0, images.channels, dtype=kept, device=images.sample.device)
    if not images.length:
        return Dictionaries([], purpose, like)
    with torch.no_grad(), without_autocast(images.sample):
        source = GalleryOfMaps(images, members, purpose, kept)
        runs = [Run(list(numbers), _made(source, run, len(numbers))) for run, numbers in enumerate(source.numbers)]
    return Dictionaries(runs, purpose, like)


def _made(source: GalleryOfMaps, run: int, count: int) -> Stack:
    """All dictionaries of one layout, in memory of their own."""
    whole: Stack | None = None
    for start in range(0, count, _TOGETHER):
        rows = range(start, min(start + _TOGETHER, count))
        some = source.take(run, rows)
        if whole is None:
            whole = some.each(lambda values: values.new_empty(count, *values.shape[1:]))
        for values, target in zip(some.tensors(), whole.tensors(), strict=True):
            target[rows.start : rows.stop] = values
    assert whole is not None
    return whole
