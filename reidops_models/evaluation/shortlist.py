"""What a shortlist is worth: the share of the right images that it kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reidops_models.evaluation.protocol import Distances, Labels, Protocol

__all__ = ["ShortlistAccumulator", "ShortlistResult"]


@dataclass(frozen=True, eq=False)
class ShortlistResult:
    """Right images inside and outside of shortlists.

    Attributes:
        kept: (P,) right images in the probe's shortlist.
        right: (P,) right images in the gallery; 0 for a probe that has none.
    """

    kept: np.ndarray
    right: np.ndarray

    @property
    def recall(self) -> float:
        """The mean over the probes that have right images of the share that was kept, in [0, 1]; NaN without one."""
        valid = self.right > 0
        return float((self.kept[valid] / self.right[valid]).mean()) if valid.any() else float("nan")

    @property
    def found(self) -> float:
        """The share of the probes that have right images of which one at least was kept. No rank-k can be higher."""
        valid = self.right > 0
        return float((self.kept[valid] > 0).mean()) if valid.any() else float("nan")

    def __str__(self) -> str:
        """In one line.

        Example:
            >>> print(ShortlistResult(kept=np.array([1, 0]), right=np.array([2, 1])))
            The shortlists kept 25.0 % of the right images, and at least one of them for 50.0 % of the probes.
        """
        return (
            f"The shortlists kept {100 * self.recall:.1f} % of the right images, and at least one of them for "
            f"{100 * self.found:.1f} % of the probes."
        )


class ShortlistAccumulator:
    """Counts the right images in shortlists, by Market-1501's rule, for blocks of probes.

    Args:
        gallery_pids: (G,) identities; negative: junk, which is left out.
        gallery_camids: (G,) cameras, or None.

    Example:
        >>> accumulator = ShortlistAccumulator(gallery_pids=[7, 8, 7])
        >>> accumulator.update(np.array([[True, True, False]]), probe_pids=[7])
        >>> accumulator.result().recall, accumulator.result().found
        (0.5, 1.0)
    """

    def __init__(self, gallery_pids: Labels, gallery_camids: Labels | None = None) -> None:
        self._protocol = Protocol("ShortlistAccumulator", gallery_pids, gallery_camids)
        self._kept, self._right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]

    def update(self, inside: Distances, probe_pids: Labels, probe_camids: Labels | None = None) -> None:
        """Add a block of probes: which images are in their shortlists (P, G), identities (P,), and cameras (P,)."""
        pids, camids = self._protocol.read_probes(probe_pids, probe_camids)
        mask = np.asarray(inside)
        expected = (len(pids), len(self._protocol.pids))
        if mask.shape != expected or mask.dtype != bool:
            raise ValueError(
                f"ShortlistAccumulator: inside must be bool of shape {expected}, got {mask.dtype} of {mask.shape}"
            )
        right = self._protocol.masks(pids, camids)[1]
        self._kept.append((right & mask).sum(axis=1))
        self._right.append(right.sum(axis=1))

    def result(self) -> ShortlistResult:
        """Of all probes so far, in the order in which they came."""
        return ShortlistResult(np.concatenate(self._kept), np.concatenate(self._right))
