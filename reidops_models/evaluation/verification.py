"""Verification: is this pair of images one person? Receiver operating characteristic, over all pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reidops_models.evaluation.protocol import Distances, Labels, Protocol, to_distances
from reidops_models.evaluation.ranking import probe_blocks

__all__ = ["VerificationAccumulator", "VerificationResult", "evaluate_verification"]

_DROPPED_BITS = 12  # of a float32 distance; what differs by more than one part in 2048 stays apart
LEVELS = 1 << (32 - _DROPPED_BITS)
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class VerificationResult:
    """Which share of the pairs is accepted at which distance.

    A pair is accepted where its distance is at most the threshold. The distances of the pairs of one person are kept.
    Those of the pairs of two people, which may be billions, are only counted, by level: the first 20 bits of a float32,
    about one part in 2048. A threshold is the largest distance of a level, so its rates are counted and not estimated;
    only a larger threshold of the same rates may lie less than one part in 2048 above it.

    Attributes:
        probe_pids: (T,) the identity of each pair of one person.
        positives: (T,) its distance, float32; NaN where it has none.
        negatives: (levels,) how many pairs of two people have each level; see :func:`to_levels`.
    """

    probe_pids: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs of one person, and of two."""
        return len(self.positives), int(self.negatives.sum())

    @cached_property
    def positive_levels(self) -> np.ndarray:
        """(T,) the level of each pair of one person."""
        return to_levels(self.positives)

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(L,) each: the largest distance of every level that has pairs, rising, and how many pairs of one person and
        of two it has. Pairs without a distance come last, at infinity."""
        positives = np.bincount(self.positive_levels, minlength=LEVELS)
        found = np.flatnonzero(positives + self.negatives)
        return largest_of(found), positives[found], self.negatives[found]

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """False and true positive rate at every threshold where one of them changes, from (0, 0) to (1, 1)."""
        _, positives, negatives = self.counts()
        rates = []
        for counts in (negatives, positives):
            rates.append(np.concatenate([[0.0], np.cumsum(counts) / max(1, counts.sum())]))
        return rates[0], rates[1]

    def threshold_at(self, false_positive_rate: float) -> float:
        """The largest distance at which no larger share of the pairs of two people is accepted, to one part in 2048.

        Minus infinity: every distance accepts more. Infinity: none does.

        Example:
            >>> import torch
            >>> result = evaluate_verification(torch.tensor([[0.1, 0.5, 0.7]]), [1], [1, 2, 3])
            >>> 0.5 < result.threshold_at(0.5) < 0.7 and result.fpr_at(result.threshold_at(0.5))
            0.5
        """
        return float(largest_of(np.array([self._level_at(false_positive_rate)]))[0])

    def accepted_at(self, false_positive_rate: float) -> np.ndarray:
        """(T,) whether each pair of one person is accepted there."""
        return self.positive_levels <= self._level_at(false_positive_rate)

    def tpr_at(self, false_positive_rate: float) -> float:
        """True positive rate where at most this share of the pairs of two people is accepted.

        A threshold accepts all pairs of a level or none, so less than the share may be accepted. NaN where there are
        no pairs of one person.
        """
        accepted = self.accepted_at(false_positive_rate)
        return float(accepted.mean()) if len(accepted) else float("nan")

    def fpr_at(self, threshold: float) -> float:
        """The share of the pairs of two people whose distance is at most `threshold`, those of its whole level
        included; NaN where there are none. Exact for what :meth:`threshold_at` gives."""
        if not self.negatives.any():
            return float("nan")
        level = to_levels(np.array([threshold]))[0]
        return float(self.negatives[: level + 1].sum() / self.negatives.sum())

    def tpr_below(self, threshold: float) -> float:
        """The share of the pairs of one person whose distance is at most `threshold`; NaN where there are none."""
        return float((self.positives <= threshold).mean()) if len(self.positives) else float("nan")

    @cached_property
    def _shares(self) -> np.ndarray:
        """(levels,) the share of the pairs of two people that is accepted at each level."""
        accepted = np.cumsum(self.negatives)
        # Divided and not multiplied: 29 / 100 is 0.29, but 0.29 * 100 is below 29.
        return accepted / max(1, accepted[-1])

    def _level_at(self, false_positive_rate: float) -> int:
        """The highest level at which no larger share of the pairs of two people is accepted; -1: none."""
        if not 0 <= false_positive_rate <= 1:
            raise ValueError(f"VerificationResult: a rate must be in [0, 1], got {false_positive_rate}")
        return int(np.searchsorted(self._shares, false_positive_rate, side="right")) - 1

    @property
    def eer(self) -> float:
        """Equal error rate: where the share falsely accepted is the share falsely rejected, linear between thresholds.

        NaN where pairs of one person or of two are missing.
        """
        if not all(self.pairs):
            return float("nan")
        false, true = self.curve()
        excess = false - (1 - true)  # rises from -1 to 1
        after = int(np.argmax(excess >= 0))
        before = max(after - 1, 0)
        step = excess[after] - excess[before]
        part = -excess[before] / step if step > 0 else 0.0
        return float(false[before] + part * (false[after] - false[before]))


class VerificationAccumulator:
    """Collects pairs that come in blocks of probes; the whole distance matrix is never held.

    Args:
        gallery_pids: (G,) identities; negative: junk, which is left out.
        gallery_camids: (G,) cameras, or None.

    Example:
        >>> import torch
        >>> accumulator = VerificationAccumulator(gallery_pids=[1, 2])
        >>> accumulator.update(torch.tensor([[0.1, 0.2]]), probe_pids=[1])
        >>> accumulator.result().pairs
        (1, 1)
    """

    def __init__(self, gallery_pids: Labels, gallery_camids: Labels | None = None) -> None:
        self._protocol = Protocol("evaluate_verification", gallery_pids, gallery_camids)
        self._pids: list[np.ndarray] = []
        self._positive: list[np.ndarray] = []
        self._negatives = np.zeros(LEVELS, np.int64)

    def update(self, distances: Distances, probe_pids: Labels, probe_camids: Labels | None = None) -> None:
        """Add a block of probes: distances (P, G), identities (P,), and cameras (P,) where the gallery has them."""
        pids, camids = self._protocol.read_probes(probe_pids, probe_camids)
        matrix = to_distances("evaluate_verification", distances, len(pids), len(self._protocol.pids))
        junk = self._protocol.junk
        for rows in probe_blocks(*matrix.shape):
            block = matrix[rows]
            own = [self._protocol.own_images(*probe) for probe in zip(pids[rows].tolist(), camids[rows].tolist())]
            counts = [len(one.right) for one in own]
            right = np.repeat(np.arange(len(own)), counts), np.concatenate([_NONE, *(one.right for one in own)])
            removed = [np.concatenate([one.removed, junk]) for one in own]
            others = np.repeat(np.arange(len(own)), [len(one) for one in removed]), np.concatenate([_NONE, *removed])
            self._pids.append(np.repeat(pids[rows], counts))
            self._positive.append(block[right].astype(np.float32))
            levels = to_levels(block)
            # Of all pairs, those that are none of two people are few: they are counted, too, and taken off again.
            self._negatives += np.bincount(levels.ravel(), minlength=LEVELS)
            for pairs in (right, others):
                np.subtract.at(self._negatives, levels[pairs], 1)

    def result(self) -> VerificationResult:
        """The pairs so far."""
        return VerificationResult(
            probe_pids=np.concatenate([np.empty(0, np.int64), *self._pids]),
            positives=np.concatenate([np.empty(0, np.float32), *self._positive]),
            negatives=self._negatives.copy(),
        )


def evaluate_verification(
    distances: Distances,
    probe_pids: Labels,
    gallery_pids: Labels,
    probe_camids: Labels | None = None,
    gallery_camids: Labels | None = None,
) -> VerificationResult:
    """How well distances tell pairs of one person from pairs of two (DSR, sec. 4.1: "verification experiment").

    The pairs are those of each probe with all gallery images that :func:`evaluate_ranking` would rank: without junk,
    and without the probe's own person from its own camera. A pair without a distance (NaN) is accepted last.

    Args:
        distances: (P, G), smaller is more alike.
        probe_pids, gallery_pids, probe_camids, gallery_camids: as in :func:`evaluate_ranking`.

    Raises:
        ValueError: shapes do not fit, labels are not whole numbers, or one side's cameras are missing.

    Example:
        >>> import torch
        >>> result = evaluate_verification(torch.tensor([[0.1, 0.3], [0.4, 0.2]]), [1, 2], [1, 2])
        >>> result.tpr_at(0.0), result.eer
        (1.0, 0.0)
    """
    accumulator = VerificationAccumulator(gallery_pids, gallery_camids)
    accumulator.update(distances, probe_pids, probe_camids)
    return accumulator.result()


def to_levels(distances: np.ndarray) -> np.ndarray:
    """Distances as whole numbers of the same order: the first 20 bits of their float32, turned so that they rise.

    The bits of floats of one sign are ordered as whole numbers are, upwards where it is positive and downwards where
    it is negative. NaN gets the last level.
    """
    values = distances.astype(np.float32)
    values += np.float32(0)  # -0 becomes 0
    missing = np.isnan(values)
    bits = values.view(np.uint32)
    bits ^= (bits.view(np.int32) >> 31).view(np.uint32) | np.uint32(1 << 31)  # all bits of what is negative, else one
    bits >>= np.uint32(_DROPPED_BITS)
    levels = bits.astype(np.int64)
    if missing.any():
        levels[missing] = LEVELS - 1
    return levels


def largest_of(levels: np.ndarray) -> np.ndarray:
    """The largest float32 of each level, as a distance: infinity for the levels above it, minus infinity for -1."""
    ordered = ((levels.astype(np.int64) + 1) << _DROPPED_BITS) - 1
    bits = np.where(ordered >> 31 == 1, ordered ^ (1 << 31), ~ordered & 0xFFFFFFFF).astype(np.uint32)
    values = bits.view(np.float32)
    low = levels < to_levels(np.array([-np.inf]))[0]
    values = np.where(np.isnan(values), np.float32(np.inf), values)
    return np.where(low, np.float32(-np.inf), values)
