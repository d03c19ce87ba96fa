"""Single-gallery-shot evaluation: one gallery image of each identity, drawn anew and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .protocol import Distances, Labels, Protocol, to_distances
from .ranking import DEFAULT_RANKS, RankingResult, check_ranks, rank_block

__all__ = ["evaluate_single_shot"]


def evaluate_single_shot(
    distances: Distances,
    probe_pids: Labels,
    gallery_pids: Labels,
    probe_camids: Labels | None = None,
    gallery_camids: Labels | None = None,
    ranks: Sequence[int] = DEFAULT_RANKS,
    *,
    repeats: int = 10,
    seed: int = 0,
    distractor_pid: int | None = None,
) -> RankingResult:
    """Rank a gallery that holds one image of each identity, as the partial data sets and CUHK03 do.

    Each repeat shuffles the gallery; a probe then meets, of each identity, the first image that the protocol leaves
    to it (see :func:`evaluate_ranking`). With one right image the average precision is the reciprocal rank.

    Args:
        distances, probe_pids, gallery_pids, probe_camids, gallery_camids, ranks: as in :func:`evaluate_ranking`.
        repeats: how many draws.
        seed: of the draws.
        distractor_pid: an identity whose images are different people, and therefore all stay (Market-1501: 0).

    Returns:
        A result with `repeats` rows a probe, one repeat after the other: means over the rows are means over the
        repeats, and a bootstrap over identities keeps the rows of an identity together.

    Raises:
        ValueError: shapes do not fit, labels are not whole numbers, one side's cameras are missing, or `repeats` or
            a rank is below 1.

    Example:
        >>> import torch
        >>> distances = torch.tensor([[0.1, 0.4, 0.2]])  # the nearer of two right images is drawn half the time
        >>> evaluate_single_shot(distances, [1], [1, 1, 2], ranks=(1, 2), repeats=100).cmc
        {1: 0.51, 2: 1.0}
    """
    if repeats < 1:
        raise ValueError(f"evaluate_single_shot: repeats must be at least 1, got {repeats}")
    check_ranks("evaluate_single_shot", ranks)
    protocol = Protocol("evaluate_single_shot", gallery_pids, gallery_camids)
    pids, camids = protocol.read_probes(probe_pids, probe_camids)
    matrix = to_distances("evaluate_single_shot", distances, len(pids), len(protocol.pids))
    identities = protocol.pids.copy()
    if distractor_pid is not None:  # identities of their own, which no image has so far
        is_distractor = identities == distractor_pid
        identities[is_distractor] = identities.max(initial=0) + 1 + np.arange(is_distractor.sum())

    kept, right = protocol.masks(pids, camids)
    rng = np.random.default_rng(seed)
    firsts, precisions = [], []
    for _ in range(repeats):
        chosen = _first_of_each_identity(kept, identities, rng.permutation(len(identities)))
        first, precision = rank_block(matrix, chosen, right & chosen, "step")
        firsts.append(first)
        precisions.append(precision)
    return RankingResult(
        probe_pids=np.tile(pids, repeats),
        first_match=np.concatenate(firsts),
        average_precision=np.concatenate(precisions),
        ranks=tuple(ranks),
        nan_distances=int(np.isnan(matrix).sum()),
    )


def _first_of_each_identity(kept: np.ndarray, identities: np.ndarray, shuffled: np.ndarray) -> np.ndarray:
    """For each probe (P, G), of each identity the first kept gallery image in shuffled order."""
    order = shuffled[np.argsort(identities[shuffled], kind="stable")]  # identities together, each in shuffled order
    grouped = kept[:, order]
    starts = (
        np.concatenate([[0], np.flatnonzero(np.diff(identities[order])) + 1]) if len(order) else np.empty(0, np.int64)
    )
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    so_far = np.cumsum(grouped, axis=1)
    before_group = (so_far - grouped)[:, starts]
    chosen = np.zeros_like(kept)
    chosen[:, order] = grouped & (so_far - before_group[:, group] == 1)
    return chosen
