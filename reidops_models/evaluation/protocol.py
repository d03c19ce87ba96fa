"""Which gallery images a probe is compared with, and which of them are right: Market-1501's protocol.

An image of the probe's own identity taken by the probe's own camera is neither right nor wrong: it is taken out of the
ranking, and so is junk (a negative identity). A camera below 0 is unknown and takes nothing out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Distances", "Labels", "OwnImages", "Protocol", "to_distances", "to_labels"]

_NONE = np.empty(0, np.int64)

Labels = Sequence[int] | np.ndarray | Tensor
Distances = np.ndarray | Tensor


def to_labels(op: str, name: str, labels: Labels, count: int | None = None) -> np.ndarray:
    """The labels as an int64 array (count,); an error that names them if they are not that."""
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{op}: {name} must be whole numbers of shape (N,), got {array.dtype} of shape {array.shape}")
    if count is not None and len(array) != count:
        raise ValueError(f"{op}: {name} must have {count} entries, one for each image, got {len(array)}")
    return array.astype(np.int64)


def to_distances(op: str, distances: Distances, probes: int, gallery: int) -> np.ndarray:
    """The distances as a floating array (probes, gallery); an error that names them if they are not that."""
    if isinstance(distances, Tensor):
        distances = distances.detach().cpu()
        half = distances.dtype in (torch.bfloat16, torch.float16)  # NumPy has no bfloat16
        distances = (distances.to(torch.float32) if half else distances).numpy()
    array = np.asarray(distances)
    if array.shape != (probes, gallery):
        raise ValueError(
            f"{op}: distances must have shape ({probes}, {gallery}), one row a probe and one column a gallery image, "
            f"got {array.shape}"
        )
    if array.dtype == np.float16:  # in which NumPy is slow
        return array.astype(np.float32)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


class OwnImages(NamedTuple):
    """Places of a probe's own person in the gallery, rising: the right images, and those that are taken out."""

    right: np.ndarray
    removed: np.ndarray


class Protocol:
    """The gallery's labels, and what they mean to a probe.

    Args:
        op: the caller's name, for messages.
        gallery_pids: (G,) identities; negative: junk.
        gallery_camids: (G,) cameras, or None where there are none.
    """

    def __init__(self, op: str, gallery_pids: Labels, gallery_camids: Labels | None) -> None:
        self.op = op
        self.pids = to_labels(op, "gallery_pids", gallery_pids)
        self.camids = None
        if gallery_camids is not None:
            self.camids = to_labels(op, "gallery_camids", gallery_camids, len(self.pids))

    def read_probes(self, pids: Labels, camids: Labels | None) -> tuple[np.ndarray, np.ndarray]:
        """The probes' labels, checked: identities (P,) and cameras (P,), -1 where there are none."""
        probe_pids = to_labels(self.op, "probe_pids", pids)
        if (camids is None) != (self.camids is None):
            missing = "probe_camids" if camids is None else "gallery_camids"
            raise ValueError(f"{self.op}: {missing} must be given where the other cameras are, got None")
        if camids is None:
            return probe_pids, np.full(len(probe_pids), -1)
        return probe_pids, to_labels(self.op, "probe_camids", camids, len(probe_pids))

    @property
    def junk(self) -> np.ndarray:
        """Columns of the gallery that are left out for every probe."""
        return np.flatnonzero(self.pids < 0)

    def own_images(self, pid: int, camid: int) -> OwnImages:
        """The gallery images of a probe's own identity: the right ones, and those that its camera takes out."""
        own = self._columns.get(pid, _NONE) if pid >= 0 else _NONE
        if self.camids is None or camid < 0 or not len(own):
            return OwnImages(own, _NONE)
        same_camera = self.camids[own] == camid
        return OwnImages(own[~same_camera], own[same_camera])

    @cached_property
    def _columns(self) -> dict[int, np.ndarray]:
        """The gallery images of each identity, by their places, rising."""
        order = np.argsort(self.pids, kind="stable")
        identities, starts = np.unique(self.pids[order], return_index=True)
        return dict(zip(identities.tolist(), np.split(order, starts[1:]), strict=bool(len(starts))))

    def masks(self, pids: np.ndarray, camids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For a block of probes, both (P, G): which gallery images stay in the ranking, which of them are right."""
        same = (pids[:, None] == self.pids) & (pids[:, None] >= 0)
        kept = np.broadcast_to(self.pids >= 0, same.shape)
        if self.camids is not None:
            kept = kept & ~(same & (camids[:, None] == self.camids) & (camids[:, None] >= 0))
        return kept, same & kept
