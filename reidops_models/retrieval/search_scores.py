"""What a search is worth, gathered while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from reidops_models.evaluation import RankingAccumulator, ShortlistAccumulator
from reidops_models.matching import Matcher, in_shortlist
from reidops_models.retrieval.images import SearchImage
from reidops_models.retrieval.scores import RANKS, score_note, score_rows


class SearchScores:
    """Rank-k, mAP and mINP of a search by Market-1501's rule. It sees each distance once and keeps none.

    There are scores where the person and the camera of every image are known, and a probe has a right image.

    Args:
        method: the name of the method that is searched by.
        gallery: G images.
        baseline: another method, scored beside it.

    Example:
        >>> import torch
        >>> from reidops_models.retrieval.images import ImageTensor
        >>> gallery = [ImageTensor(torch.rand(3, 8, 4), "a")]
        >>> scores = SearchScores("DSR", gallery)
        >>> scores.add(gallery, torch.zeros(1, 1))
        >>> scores.table()  # nobody can know who these are
        ([], '')
    """

    def __init__(self, method: str, gallery: Sequence[SearchImage], baseline: Matcher | None = None) -> None:
        self._method = method
        self._baseline = baseline
        self._gallery = gallery
        self._methods: dict[str, RankingAccumulator] = {}
        if (labels := _labels(gallery)) is not None:
            names = [method] if baseline is None else [method, baseline.name]
            self._methods = {name: RankingAccumulator(*labels, ranks=RANKS) for name in names}
            self._kept = ShortlistAccumulator(*labels)
        self._is_cut = False  # to shortlists
        self._embedded: Sequence[object] | None = None

    def add(self, probes: Sequence[SearchImage], distances: Tensor) -> None:
        """Probes and their distances (P, G) to the gallery."""
        if not self._methods:
            return
        if (labels := _labels(probes)) is None:
            self._methods = {}
            return
        self._methods[self._method].update(distances, *labels)
        inside = in_shortlist(distances).numpy()
        self._kept.update(inside, *labels)
        self._is_cut |= not inside.all()
        if self._baseline is not None:
            if self._embedded is None:
                self._embedded = self._baseline.embed((image.read() for image in self._gallery), role="gallery")
            embedded = self._baseline.embed((image.read() for image in probes), role="probe")
            self._methods[self._baseline.name].update(self._baseline.distances(embedded, self._embedded), *labels)

    def table(self) -> tuple[list[list[str]], str]:
        """A header and a row per method, and a note on what they rest on. Both are empty where there are no scores."""
        results = {name: accumulator.result() for name, accumulator in self._methods.items()}
        if not any(result.valid.any() for result in results.values()):
            return [], ""
        note = score_note(results[self._method])
        return score_rows(results), f"{note} {self._kept.result()}" if self._is_cut else note


def _labels(images: Sequence[SearchImage]) -> tuple[list[int], list[int]] | None:
    pids = [image.pid for image in images if image.pid is not None]
    camids = [image.camid for image in images if image.camid is not None]
    return (pids, camids) if len(pids) == len(camids) == len(images) else None
