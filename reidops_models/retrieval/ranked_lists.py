"""Ranked lists: what a search answers, and how a row of distances becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor

from reidops_models.retrieval.images import Problem, SearchImage

_NOBODY = torch.iinfo(torch.int64).min  # the label of a gallery image whose person or camera is not known
_NO_PROBE = _NOBODY + 1  # that of a probe whose person is not known; equal to no image's


@dataclass(frozen=True)
class Match:
    """A gallery image in a ranked list.

    Attributes:
        rank: 1 is the nearest.
        index: its place in the gallery.
        name: its name.
        distance: the method's distance to the probe; smaller is more alike.
        correct: whether it shows the probe's person; None where that is not known, or nobody in the gallery is.
    """

    rank: int
    index: int
    name: str
    distance: float
    correct: bool | None = None


@dataclass(frozen=True)
class RankedList:
    """A probe and its nearest gallery images. It takes the memory of its matches, whatever the gallery's size.

    Attributes:
        probe: the probe.
        matches: the first ranks, nearest first.
        first_right: the rank, from 1, of the first image of the probe's person, also where that is beyond `matches`;
            None where the person is not known or not in the gallery.
        threshold: the largest distance at which an image is taken to show the probe's person; None: nobody has said.
    """

    probe: SearchImage
    matches: tuple[Match, ...]
    first_right: int | None = None
    threshold: float | None = None

    @property
    def unknown(self) -> bool:
        """Whether the probe's person is taken not to be in the gallery: even the nearest image is beyond `threshold`.

        Example:
            >>> from dataclasses import replace
            >>> from reidops_models.retrieval.images import ImageTensor
            >>> probe = ImageTensor(torch.rand(3, 128, 64), "image 0")
            >>> ranked = RankedList(probe, (Match(1, 7, "a.jpg", 0.30),), threshold=0.25)
            >>> ranked.unknown, replace(ranked, threshold=0.30).unknown, replace(ranked, threshold=None).unknown
            (True, False, False)
        """
        return self.threshold is not None and not any(match.distance <= self.threshold for match in self.matches[:1])


class RankedLists(Sequence[RankedList]):
    """What a search found is the sequence of its lists, in the order of the probes."""

    ranked: tuple[RankedList, ...]

    @overload
    def __getitem__(self, index: int) -> RankedList: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RankedList, ...]: ...
    def __getitem__(self, index: int | slice) -> RankedList | tuple[RankedList, ...]:
        return self.ranked[index]

    def __len__(self) -> int:
        return len(self.ranked)


@dataclass(frozen=True)
class SearchResult(RankedLists):
    """The ranked lists of a search, in the order of the probes.

    Attributes:
        method: the name of the method that made the distances.
        gallery: the images that were searched.
        ranked: the lists.
        problems: the images that were left out, and why.
        notes: what else was passed over, files that are no images by their names.
    """

    method: str
    gallery: tuple[SearchImage, ...]
    ranked: tuple[RankedList, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


class Ranker:
    """Makes ranked lists of one gallery from rows of distances.

    Args:
        gallery: G images.
        top: ranks to keep; None keeps all.
        threshold: is handed on to each list.
        market_rule: leave out the images of the probe's person from the probe's camera, as Market-1501 does.

    Example:
        >>> from reidops_models.retrieval.images import ImageTensor
        >>> gallery = [ImageTensor(torch.rand(3, 128, 64), name) for name in ("a", "b", "c")]
        >>> ranked = Ranker(gallery, top=2)(gallery[0], torch.tensor([0.1, 0.0, 0.1]))
        >>> [(match.rank, match.name) for match in ranked.matches]  # of equal distances the first in the gallery
        [(1, 'b'), (2, 'a')]
    """

    def __init__(
        self,
        gallery: Sequence[SearchImage],
        *,
        top: int | None = None,
        threshold: float | None = None,
        market_rule: bool = False,
    ) -> None:
        self._gallery = gallery
        self._top = top
        self._threshold = threshold
        self._pids = _labels([image.pid for image in gallery])
        self._camids = _labels([image.camid for image in gallery]) if market_rule else None

    def __call__(self, probe: SearchImage, distances: Tensor) -> RankedList:
        """The list of one probe.

        Args:
            probe: the probe.
            distances: (G,) to each gallery image. Equal distances keep the gallery's order.
        """
        is_right = self._pids.eq(_NO_PROBE if probe.pid is None or probe.pid < 0 else probe.pid)
        known = bool(is_right.any())
        order = distances.argsort(stable=True)
        if self._camids is not None and known and probe.camid is not None and probe.camid >= 0:
            order = order[~(is_right & (self._camids == probe.camid))[order]]
        right = is_right[order].nonzero()
        matches = [
            Match(
                rank=rank,
                index=index,
                name=self._gallery[index].name,
                distance=float(distances[index]),
                correct=bool(is_right[index]) if known else None,
            )
            for rank, index in enumerate(order[: self._top].tolist(), start=1)
        ]
        return RankedList(probe, tuple(matches), int(right[0]) + 1 if len(right) else None, self._threshold)


def _labels(labels: Sequence[int | None]) -> Tensor:
    return torch.tensor([_NOBODY if label is None else label for label in labels], dtype=torch.int64)
