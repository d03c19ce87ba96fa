"""Cumulative match characteristic, mean average precision and mean inverse negative penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from reidops_models.evaluation.counting import ranks_of
from reidops_models.evaluation.protocol import Distances, Labels, Protocol, to_distances

__all__ = ["AveragePrecision", "RankingAccumulator", "RankingResult", "evaluate_ranking"]

AveragePrecision = Literal["step", "trapezoid"]

DEFAULT_RANKS = (1, 3, 5, 10)
_BLOCK_PAIRS = 1 << 20  # pairs looked at together, some 100 bytes each
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class RankingResult:
    """What a ranking is worth, probe by probe.

    Attributes:
        probe_pids: (P,) identities of the probes.
        first_match: (P,) the rank, from 1, of the first right gallery image; 0 for a probe that has none.
        average_precision: (P,) in [0, 1]; NaN for a probe that has no right gallery image.
        inverse_negative_penalty: (P,) in [0, 1]; NaN for such a probe, too.
        ranks: at which :attr:`cmc` is given; :meth:`rank` gives any other.
        definition: of the average precision.
        nan_distances: how many pairs had no distance, and were ranked last.
    """

    probe_pids: np.ndarray
    first_match: np.ndarray
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray
    ranks: tuple[int, ...] = DEFAULT_RANKS
    definition: AveragePrecision = "step"
    nan_distances: int = 0

    @property
    def valid(self) -> np.ndarray:
        """(P,) whether a probe has a right gallery image at all."""
        return self.first_match > 0

    @property
    def probes(self) -> int:
        """How many probes were ranked, invalid ones included."""
        return len(self.probe_pids)

    @property
    def invalid_probes(self) -> int:
        """How many probes have no right gallery image. They are in no mean."""
        return int(self.probes - self.valid.sum())

    def rank(self, k: int) -> float:
        """CMC at rank k: part of the valid probes with a right image among the first k; NaN if no probe is valid."""
        if k < 1:
            raise ValueError(f"RankingResult.rank: k must be at least 1, got {k}")
        return float((self.first_match[self.valid] <= k).mean()) if self.valid.any() else float("nan")

    @property
    def cmc(self) -> dict[int, float]:
        """CMC at each of :attr:`ranks`, in [0, 1]."""
        return {k: self.rank(k) for k in self.ranks}

    @property
    def mAP(self) -> float:  # noqa: N802 - so the field writes it
        """Mean average precision over the valid probes, in [0, 1]; NaN if no probe is valid."""
        return float(self.average_precision[self.valid].mean()) if self.valid.any() else float("nan")

    @property
    def mINP(self) -> float:  # noqa: N802 - so the field writes it
        """Mean inverse negative penalty over the valid probes, in [0, 1]; NaN if no probe is valid."""
        return float(self.inverse_negative_penalty[self.valid].mean()) if self.valid.any() else float("nan")


class Ranked(NamedTuple):
    """Of each probe of a block: (P,) arrays as the attributes of :class:`RankingResult` that are called so."""

    first_match: np.ndarray
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray

    @classmethod
    def join(cls, blocks: Sequence[Ranked]) -> Ranked:
        """The blocks one after another."""
        first = np.concatenate([np.empty(0, np.int64), *(block.first_match for block in blocks)])
        values = (np.concatenate([np.empty(0), *columns]) for columns in zip(*(block[1:] for block in blocks)))
        return cls(first, *values) if blocks else cls(first, np.empty(0), np.empty(0))


class RankingAccumulator:
    """Evaluates a ranking that comes in blocks of probes, so that the whole distance matrix is never held.

    Args:
        gallery_pids: (G,) identities; negative: junk, which is left out.
        gallery_camids: (G,) cameras, or None.
        ranks: at which the CMC is given.
        average_precision: see :func:`evaluate_ranking`.

    Example:
        >>> import torch
        >>> accumulator = RankingAccumulator(gallery_pids=[1, 2])
        >>> accumulator.update(torch.tensor([[0.1, 0.2]]), probe_pids=[1])
        >>> accumulator.update(torch.tensor([[0.1, 0.2]]), probe_pids=[2])
        >>> accumulator.result().rank(1)
        0.5
    """

    def __init__(
        self,
        gallery_pids: Labels,
        gallery_camids: Labels | None = None,
        *,
        ranks: Sequence[int] = DEFAULT_RANKS,
        average_precision: AveragePrecision = "step",
    ) -> None:
        if average_precision not in ("step", "trapezoid"):
            raise ValueError(
                f"evaluate_ranking: average_precision must be step or trapezoid, got {average_precision!r}"
            )
        check_ranks("evaluate_ranking", ranks)
        self._protocol = Protocol("evaluate_ranking", gallery_pids, gallery_camids)
        self._ranks, self._definition = tuple(ranks), average_precision
        self._pids: list[np.ndarray] = []
        self._ranked: list[Ranked] = []
        self._nan_distances = 0

    def update(self, distances: Distances, probe_pids: Labels, probe_camids: Labels | None = None) -> None:
        """Add a block of probes: distances (P, G), identities (P,), and cameras (P,) where the gallery has them."""
        pids, camids = self._protocol.read_probes(probe_pids, probe_camids)
        matrix = to_distances("evaluate_ranking", distances, len(pids), len(self._protocol.pids))
        junk = self._protocol.junk
        found = []
        for row, pid, camid in zip(matrix, pids.tolist(), camids.tolist(), strict=True):
            own = self._protocol.own_images(pid, camid)
            removed = np.concatenate([junk, own.removed]) if len(junk) else own.removed
            found.append(ranks_of(row, own.right, removed))
        self._pids.append(pids)
        self._ranked.append(judge(found, self._definition))
        self._nan_distances += sum(int(np.isnan(matrix[rows]).sum()) for rows in probe_blocks(*matrix.shape))

    def result(self) -> RankingResult:
        """The evaluation of all probes so far, in the order in which they came."""
        return RankingResult(
            probe_pids=np.concatenate([np.empty(0, np.int64), *self._pids]),
            **Ranked.join(self._ranked)._asdict(),
            ranks=self._ranks,
            definition=self._definition,
            nan_distances=self._nan_distances,
        )


def evaluate_ranking(
    distances: Distances,
    probe_pids: Labels,
    gallery_pids: Labels,
    probe_camids: Labels | None = None,
    gallery_camids: Labels | None = None,
    ranks: Sequence[int] = DEFAULT_RANKS,
    *,
    average_precision: AveragePrecision = "step",
) -> RankingResult:
    r"""Rank the gallery for each probe, nearest first, and say how good that is.

    Market-1501's protocol: a gallery image of the probe's own identity and camera is taken out of the ranking, and so
    is junk (negative identity). Equal distances rank by their place in the gallery, NaN ranks last and is counted. A
    probe that is left without a right gallery image is counted in `invalid_probes` and enters no mean.

    With the right images at ranks :math:`r_1 < ... < r_n`, the average precision is

    - `step`: :math:`\frac1n \sum_i \frac{i}{r_i}`, precision at each right image;
    - `trapezoid`: :math:`\frac1n \sum_i \frac12 (\frac{i}{r_i} + \frac{i-1}{r_i-1})`, with 1 for the last fraction
      where :math:`r_i = 1`: the area under the precision-recall curve, as in Market-1501's own program.

    The inverse negative penalty is :math:`n / r_n`: what the last right image costs.

    L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015; M. Ye et al., "Deep Learning for
    Person Re-identification: A Survey and Outlook", TPAMI 2021 (mINP).

    Args:
        distances: (P, G), smaller is more alike; any real dtype, any device.
        probe_pids: (P,) identities.
        gallery_pids: (G,) identities.
        probe_camids: (P,) cameras; below 0 is unknown. Given together with `gallery_camids`, or not at all.
        gallery_camids: (G,) cameras.
        ranks: at which `cmc` is given.
        average_precision: `step` or `trapezoid`.

    Raises:
        ValueError: shapes do not fit, labels are not whole numbers, one side's cameras are missing, or an unknown
            option.

    Example:
        >>> import torch
        >>> result = evaluate_ranking(torch.tensor([[0.3, 0.1, 0.2]]), [7], [7, 8, 7])
        >>> result.rank(1), result.rank(2), round(result.mAP, 4)
        (0.0, 1.0, 0.5833)
        >>> round(result.mINP, 4)  # two right images, the last of them at rank 3
        0.6667
    """
    accumulator = RankingAccumulator(gallery_pids, gallery_camids, ranks=ranks, average_precision=average_precision)
    accumulator.update(distances, probe_pids, probe_camids)
    return accumulator.result()


def check_ranks(op: str, ranks: Sequence[int]) -> None:
    """An error that names them where they are no ranks."""
    if not ranks or min(ranks) < 1:
        raise ValueError(f"{op}: ranks must be whole numbers from 1 on, got {tuple(ranks)}")


def probe_blocks(probes: int, gallery: int) -> Iterator[slice]:
    """The probes in blocks, so many at a time that what is made of their pairs fits into memory."""
    step = max(1, _BLOCK_PAIRS // max(1, gallery))
    return (slice(start, start + step) for start in range(0, probes, step))


def rank_block(distances: np.ndarray, kept: np.ndarray, right: np.ndarray, definition: AveragePrecision) -> Ranked:
    """What the ranking of a block of probes is worth.

    Args:
        distances, kept, right: (P, G); `right` only where `kept`.
        definition: of the average precision.
    """
    rows = zip(distances, kept, right, strict=True)
    return judge(
        [ranks_of(row[keep], np.flatnonzero(is_right[keep]), _NONE) for row, keep, is_right in rows], definition
    )


def judge(ranks: Sequence[np.ndarray], definition: AveragePrecision) -> Ranked:
    """What rankings are worth, from the ranks of the right images of each probe, in any order."""
    counts = np.array([len(one) for one in ranks], np.int64)
    r = np.concatenate([_NONE, *(np.sort(one) for one in ranks)])
    rows = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    i = np.arange(len(r)) - starts[rows] + 1
    precision = i / r
    if definition == "trapezoid":
        before = np.where(r > 1, (i - 1) / np.maximum(r - 1, 1), 1.0)
        precision = (precision + before) / 2
    total = np.bincount(rows, precision, minlength=len(counts))
    valid = counts > 0
    first, last = np.zeros(len(counts), np.int64), np.ones(len(counts), np.int64)
    first[valid] = r[starts[valid]]
    last[valid] = r[starts[valid] + counts[valid] - 1]
    missing = np.full(len(counts), np.nan)
    average = np.divide(total, counts, out=missing.copy(), where=valid)
    return Ranked(first, average, np.divide(counts, last, out=missing, where=valid))
