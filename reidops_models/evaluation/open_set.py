"""Open set: is the probe's person in the gallery at all, and who is it?

A search with a threshold answers "unknown" where even the nearest gallery image is farther than the threshold. Probes
whose person is not in the gallery show how often it should have said so and did not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidops_models.evaluation.protocol import Distances, Labels, Protocol, to_distances

__all__ = ["OpenSetAccumulator", "OpenSetResult", "evaluate_open_set"]


@dataclass(frozen=True, eq=False)
class OpenSetResult:
    """The nearest gallery image of each probe.

    Attributes:
        probe_pids: (P,) identities of the probes.
        known: (P,) whether the gallery has a right image of the probe.
        nearest: (P,) the distance of the nearest image; infinity where there is none, or none has a distance.
        right: (P,) whether that image is a right one.
    """

    probe_pids: np.ndarray
    known: np.ndarray
    nearest: np.ndarray
    right: np.ndarray

    @property
    def unknown_probes(self) -> int:
        """How many probes have no right image in the gallery."""
        return int((~self.known).sum())

    def false_alarms_at(self, threshold: float) -> float:
        """The share of the unknown probes that are given a name: their nearest image is at most this far."""
        return float((self.nearest[~self.known] <= threshold).mean()) if self.unknown_probes else float("nan")

    def identified_at(self, threshold: float) -> float:
        """The share of the known probes that are found and named right: the nearest image is a right one, and at most
        this far."""
        found = self.right & (self.nearest <= threshold)
        return float(found[self.known].mean()) if self.known.any() else float("nan")

    def threshold_at(self, false_alarm_rate: float) -> float:
        """The largest distance at which no larger share of the unknown probes is given a name; minus infinity: none.

        It is just below the distance of the first unknown probe too many, or infinity.

        Raises:
            ValueError: the rate is not in [0, 1], or there is no unknown probe.
        """
        if not 0 <= false_alarm_rate <= 1:
            raise ValueError(f"OpenSetResult: a rate must be in [0, 1], got {false_alarm_rate}")
        if not self.unknown_probes:
            raise ValueError("OpenSetResult: every probe has a right image in the gallery")
        nearest = np.sort(self.nearest[~self.known])
        allowed = int(np.floor(false_alarm_rate * len(nearest) + 1e-9))
        if allowed == len(nearest):
            return float("inf")
        return float(np.nextafter(nearest[allowed], np.float32(-np.inf)))

    def identification_rate(self, false_alarm_rate: float) -> float:
        r"""Detection and identification rate at rank 1 and a false alarm rate.

        With the threshold :math:`t` of :meth:`threshold_at`, the share of the known probes whose nearest image is right
        and at most :math:`t` away. NaN where there are no known or no unknown probes.

        P. J. Phillips, P. Grother, R. Micheals, "Evaluation Methods in Face Recognition", Handbook of Face Recognition,
        2005.
        """
        return self.identified_at(self.threshold_at(false_alarm_rate)) if self.unknown_probes else float("nan")


class OpenSetAccumulator:
    """Collects the nearest image of probes that come in blocks.

    Args:
        gallery_pids: (G,) identities; negative: junk, which is left out.
        gallery_camids: (G,) cameras, or None.

    Example:
        >>> import torch
        >>> accumulator = OpenSetAccumulator(gallery_pids=[1, 2])
        >>> accumulator.update(torch.tensor([[0.1, 0.4], [0.5, 0.3]]), probe_pids=[1, 9])
        >>> accumulator.result().identification_rate(0.0)  # 9 is not in the gallery
        1.0
    """

    def __init__(self, gallery_pids: Labels, gallery_camids: Labels | None = None) -> None:
        self._protocol = Protocol("evaluate_open_set", gallery_pids, gallery_camids)
        self._blocks: list[tuple[np.ndarray, ...]] = []

    def update(self, distances: Distances, probe_pids: Labels, probe_camids: Labels | None = None) -> None:
        """Add a block of probes: distances (P, G), identities (P,), and cameras (P,) where the gallery has them."""
        pids, camids = self._protocol.read_probes(probe_pids, probe_camids)
        matrix = to_distances("evaluate_open_set", distances, len(pids), len(self._protocol.pids))
        known, right = np.zeros(len(pids), bool), np.zeros(len(pids), bool)
        nearest = np.full(len(pids), np.inf, np.float32)
        junk = self._protocol.junk
        for probe, (pid, camid) in enumerate(zip(pids.tolist(), camids.tolist(), strict=True)):
            own = self._protocol.own_images(pid, camid)
            known[probe] = len(own.right) > 0
            row = matrix[probe]
            if len(own.removed) or len(junk) or np.isnan(row).any():
                row = np.where(np.isnan(row), np.inf, row)
                row[junk] = row[own.removed] = np.inf
            if len(row) and np.isfinite(row[place := int(row.argmin())]):
                nearest[probe], right[probe] = row[place], place in own.right
        self._blocks.append((pids, known, nearest, right))

    def result(self) -> OpenSetResult:
        """The probes so far."""
        empty = (np.empty(0, np.int64), np.empty(0, bool), np.empty(0, np.float32), np.empty(0, bool))
        return OpenSetResult(*(np.concatenate(columns) for columns in zip(empty, *self._blocks)))


def evaluate_open_set(
    distances: Distances,
    probe_pids: Labels,
    gallery_pids: Labels,
    probe_camids: Labels | None = None,
    gallery_camids: Labels | None = None,
) -> OpenSetResult:
    """How well a threshold tells probes that are in the gallery from those that are not.

    The images of a probe are those that :func:`evaluate_ranking` would rank. A probe without a right image among them
    is unknown.

    Args:
        distances, probe_pids, gallery_pids, probe_camids, gallery_camids: as in :func:`evaluate_ranking`.

    Raises:
        ValueError: shapes do not fit, labels are not whole numbers, or one side's cameras are missing.

    Example:
        >>> import torch
        >>> result = evaluate_open_set(torch.tensor([[0.1, 0.4], [0.4, 0.2], [0.3, 0.5]]), [1, 2, 9], [1, 2])
        >>> result.unknown_probes, result.identified_at(0.15), result.false_alarms_at(0.35)
        (1, 0.5, 1.0)
    """
    accumulator = OpenSetAccumulator(gallery_pids, gallery_camids)
    accumulator.update(distances, probe_pids, probe_camids)
    return accumulator.result()
