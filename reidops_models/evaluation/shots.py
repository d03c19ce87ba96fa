"""Single-shot and multi-shot evaluation: N gallery images of each identity, drawn anew and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reidops_models.evaluation.protocol import Distances, Labels, Protocol, to_distances
from reidops_models.evaluation.ranking import (
    DEFAULT_RANKS,
    Ranked,
    RankingResult,
    check_ranks,
    probe_blocks,
    rank_block,
)

__all__ = ["MultiShotAccumulator", "evaluate_multi_shot", "evaluate_single_shot"]


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
    accumulator = _SingleShotAccumulator(
        gallery_pids,
        gallery_camids,
        shots=1,
        repeats=repeats,
        seed=seed,
        distractor_pid=distractor_pid,
        ranks=ranks,
        op="evaluate_single_shot",
    )
    accumulator.update(distances, probe_pids, probe_camids)
    return accumulator.result()


def evaluate_multi_shot(
    distances: Distances,
    probe_pids: Labels,
    gallery_pids: Labels,
    probe_camids: Labels | None = None,
    gallery_camids: Labels | None = None,
    ranks: Sequence[int] = DEFAULT_RANKS,
    *,
    shots: int,
    repeats: int = 10,
    seed: int = 0,
    distractor_pid: int | None = None,
) -> RankingResult:
    """Rank the people of a gallery that holds several images of each: the distance to a person is the mean over
    `shots` images (DSR, sec. 4.2: "the average similarity").

    Each repeat shuffles the gallery; a probe then meets, of each identity, the first `shots` images that the protocol
    leaves to it, or all there are. People at equal distances rank by their labels; but for that, one shot is
    :func:`evaluate_single_shot`. With one right person the average precision is the reciprocal rank.

    Args:
        distances, probe_pids, gallery_pids, probe_camids, gallery_camids, ranks: as in :func:`evaluate_ranking`.
        shots: images of a person, N.
        repeats, seed, distractor_pid: as in :func:`evaluate_single_shot`.

    Returns:
        As of :func:`evaluate_single_shot`: `repeats` rows a probe.

    Raises:
        ValueError: as :func:`evaluate_single_shot`, or `shots` is below 1.

    Example:
        >>> import torch
        >>> distances = torch.tensor([[0.1, 0.4, 0.2, 0.2]])  # means 0.25 and 0.2: with both images 2 is nearer
        >>> evaluate_multi_shot(distances, [1], [1, 1, 2, 2], ranks=(1, 2), shots=2, repeats=3).cmc
        {1: 0.0, 2: 1.0}
    """
    accumulator = MultiShotAccumulator(
        gallery_pids,
        gallery_camids,
        shots=shots,
        repeats=repeats,
        seed=seed,
        distractor_pid=distractor_pid,
        ranks=ranks,
    )
    accumulator.update(distances, probe_pids, probe_camids)
    return accumulator.result()


class MultiShotAccumulator:
    """:func:`evaluate_multi_shot` of distances that come in blocks of probes; the whole matrix is never held.

    Args:
        gallery_pids, gallery_camids, ranks, shots, repeats, seed, distractor_pid: as of :func:`evaluate_multi_shot`.
        op: the caller's name, for messages.

    Example:
        >>> import torch
        >>> accumulator = MultiShotAccumulator([1, 1, 2, 2], shots=2, repeats=3, ranks=(1, 2))
        >>> accumulator.update(torch.tensor([[0.1, 0.4, 0.2, 0.2]]), [1])
        >>> accumulator.result().cmc
        {1: 0.0, 2: 1.0}
    """

    def __init__(
        self,
        gallery_pids: Labels,
        gallery_camids: Labels | None = None,
        *,
        shots: int,
        repeats: int = 10,
        seed: int = 0,
        distractor_pid: int | None = None,
        ranks: Sequence[int] = DEFAULT_RANKS,
        op: str = "evaluate_multi_shot",
    ) -> None:
        for name, value in (("shots", shots), ("repeats", repeats)):
            if value < 1:
                raise ValueError(f"{op}: {name} must be at least 1, got {value}")
        check_ranks(op, ranks)
        self._op, self._ranks, self._shots = op, tuple(ranks), shots
        self._protocol = Protocol(op, gallery_pids, gallery_camids)
        identities = self._protocol.pids.copy()
        if distractor_pid is not None:  # identities of their own, which no image has so far
            is_distractor = identities == distractor_pid
            identities[is_distractor] = identities.max(initial=0) + 1 + np.arange(is_distractor.sum())
        rng = np.random.default_rng(seed)
        self._draws = [_Groups(identities, rng.permutation(len(identities))) for _ in range(repeats)]
        self._pids: list[np.ndarray] = []
        self._ranked: list[list[Ranked]] = [[] for _ in self._draws]
        self._nan_distances = 0

    def update(self, distances: Distances, probe_pids: Labels, probe_camids: Labels | None = None) -> None:
        """Add a block of probes: distances (P, G), identities (P,), and cameras (P,) where the gallery has them."""
        pids, camids = self._protocol.read_probes(probe_pids, probe_camids)
        matrix = to_distances(self._op, distances, len(pids), len(self._protocol.pids))
        self._pids.append(pids)
        for rows in probe_blocks(*matrix.shape):
            kept, right = self._protocol.masks(pids[rows], camids[rows])
            self._nan_distances += int(np.isnan(matrix[rows]).sum())
            for groups, ranked in zip(self._draws, self._ranked, strict=True):
                chosen = groups.chosen(kept, self._shots)
                ranked.append(self._rank(matrix[rows], chosen, right & chosen, groups))

    def result(self) -> RankingResult:
        """The evaluation of all probes so far: all of one draw, then all of the next."""
        pids = np.concatenate([np.empty(0, np.int64), *self._pids])
        return RankingResult(
            probe_pids=np.tile(pids, len(self._draws)),
            **Ranked.join([block for ranked in self._ranked for block in ranked])._asdict(),
            ranks=self._ranks,
            nan_distances=self._nan_distances,
        )

    def _rank(self, distances: np.ndarray, chosen: np.ndarray, right: np.ndarray, groups: _Groups) -> Ranked:
        """What the ranking of a block of probes is worth, people ranked by the mean of their chosen images."""
        count = groups.sum(chosen)
        mean = groups.sum(np.where(chosen, distances, 0.0)) / np.maximum(count, 1)
        return rank_block(mean, count > 0, groups.sum(right) > 0, "step")


class _SingleShotAccumulator(MultiShotAccumulator):
    """The same with one image a person: images are ranked, at equal distances by their place."""

    def _rank(self, distances: np.ndarray, chosen: np.ndarray, right: np.ndarray, groups: _Groups) -> Ranked:
        return rank_block(distances, chosen, right, "step")


class _Groups:
    """Gallery images by identity, in shuffled order within each."""

    def __init__(self, identities: np.ndarray, shuffled: np.ndarray) -> None:
        self.order = shuffled[np.argsort(identities[shuffled], kind="stable")]
        ordered = identities[self.order]
        new = np.flatnonzero(np.diff(ordered)) + 1
        self.starts = np.concatenate([[0], new]) if len(ordered) else np.empty(0, np.int64)
        self.group = np.repeat(np.arange(len(self.starts)), np.diff(np.append(self.starts, len(ordered))))

    def chosen(self, kept: np.ndarray, shots: int) -> np.ndarray:
        """(P, G): for each probe, of each identity the first `shots` kept images."""
        grouped = kept[:, self.order]
        so_far = np.cumsum(grouped, axis=1)
        before_group = (so_far - grouped)[:, self.starts]
        chosen = np.zeros(kept.shape, bool)
        chosen[:, self.order] = grouped & (so_far - before_group[:, self.group] <= shots)
        return chosen

    def sum(self, values: np.ndarray) -> np.ndarray:
        """(P, G) values of images -> (P, identities) sums."""
        if not len(self.starts):
            return np.zeros((len(values), 0))
        return np.add.reduceat(values[:, self.order], self.starts, axis=1, dtype=np.float64)
