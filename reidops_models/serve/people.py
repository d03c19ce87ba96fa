"""The gallery behind the page: opened once, searched for one probe at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path, PurePath
from threading import Event, Lock
from typing import Any

from torch import Tensor

from reidops_models.data import ImageError, decode_upload
from reidops_models.evaluation import Calibration
from reidops_models.gallery import EntryMatch, Gallery, GalleryEntry
from reidops_models.gallery.entries import fingerprint
from reidops_models.gallery.store import Store
from reidops_models.matching import Matcher
from reidops_models.report import draw_explanation, thumbnail
from reidops_models.retrieval.images import ImageTensor, NamedFile, Problems
from reidops_models.retrieval.model import matching_facts, with_matching
from reidops_models.retrieval.ranking import check_threshold
from reidops_models.serve.answers import EntryAnswer, FileState, MatchAnswer, SearchAnswer
from reidops_models.serve.queue import SearchStoppedError

PROBE = "the image"  # what messages call it
SMALL = 192  # pixels of the longer side of a small picture


class People:
    """A gallery, searched for one probe at a time. Pictures that others add are found by the next search.

    Args:
        gallery: opened with its checkpoint, of one picture or more.
        threshold: a probe whose nearest picture is farther is unknown; None: none is.
        options: options of matching that replace the recipe's, such as {"beta": 0.2}.

    Raises:
        GalleryError: the gallery's checkpoint was not given.
        SearchError: the threshold is not a finite number, or a wrong option.
    """

    def __init__(
        self, gallery: Gallery, threshold: float | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        check_threshold(threshold)
        self.gallery = gallery
        self.threshold = threshold
        self._options = dict(options or {})
        self._entries = Store.open(gallery.path)  # of its own: a search stays at one version while entries are read
        self._reading = Lock()
        self._learn()

    def _learn(self) -> None:
        """What follows from the gallery's version: the scale of probes, and what distances mean."""
        self._matcher = self.gallery.matcher(self._options)
        self._calibration = self._holding(self.gallery.calibration)
        self._version = self.gallery.store.dataset.version

    def _holding(self, found: Calibration | None) -> Calibration | None:
        """A calibration, if it was made with the options of this search."""
        used = matching_facts(with_matching(self.gallery.checkpoint, self._options))
        holds = found is not None and all(used.get(name, value) == value for name, value in found.options.items())
        return found if holds else None

    @property
    def name(self) -> str:
        """The gallery's name."""
        return PurePath(self.gallery.path.rstrip("/")).name

    @property
    def method(self) -> str:
        """The method that compares pictures."""
        return self._matcher.name

    def __len__(self) -> int:
        with self._reading:
            self._entries.refresh()
            return len(self._entries)

    def entry(self, number: int) -> GalleryEntry | None:
        """An entry by its number; None where there is none."""
        with self._reading:
            self._entries.refresh()
            return self._entries.take([number]).get(number)

    def search(self, image: bytes, most_pixels: int, top: int, draw: bool, stop: Event) -> SearchAnswer:
        """Rank the gallery for an image file. Only one thread may do so at a time.

        Args:
            image: the file's bytes.
            most_pixels: that it may have.
            top: ranks to give.
            draw: whether to draw how the best match was made.
            stop: once it is set, the search ends at the gallery's next block.

        Raises:
            ImageError: the image cannot be decoded, is too large, or cannot be matched.
            GalleryError: the gallery is empty or cannot be read.
            SearchStoppedError: `stop` was set.
        """
        pixels = decode_upload(image, PROBE, most_pixels=most_pixels)
        self._refresh()
        problems = Problems()
        matcher = stoppable(self._matcher, stop)
        probe = ImageTensor(pixels, PROBE)
        lists = [*self.gallery.rank([probe], problems, matcher=matcher, top=top, threshold=self.threshold)]
        if problems:
            raise ImageError(next(iter(problems)).message)
        (ranked,) = lists
        matches = [match for match in ranked.matches if isinstance(match, EntryMatch)]
        drawing, remark = self._draw(pixels, matches[0].entry) if draw else (None, None)
        return SearchAnswer(
            height=pixels.shape[1],
            width=pixels.shape[2],
            method=matcher.name,
            threshold=self.threshold,
            unknown=None if self.threshold is None else ranked.unknown,
            matches=[self._answer(match) for match in matches],
            drawing=drawing,
            remark=remark,
        )

    def _refresh(self) -> None:
        self.gallery.refresh()
        if self.gallery.store.dataset.version != self._version:
            self._learn()

    def _answer(self, match: EntryMatch) -> MatchAnswer:
        calibration = self._calibration
        return MatchAnswer(
            rank=match.rank,
            distance=match.distance,
            within=None if self.threshold is None else match.distance <= self.threshold,
            probability=None if calibration is None else calibration.probability(match.distance),
            entry=EntryAnswer.of(match.entry, file_state(match.entry)),
        )

    def _draw(self, probe: Tensor, best: GalleryEntry) -> tuple[str | None, str | None]:
        try:
            explanation = self._matcher.explain(probe, best.read())
        except ImageError:
            return None, f"No drawing: the file of {best.name} cannot be read any more."
        drawing = None if explanation is None else draw_explanation(explanation)
        if drawing is None:
            return None, f"No drawing: {self.method} has none of these pictures."
        changed = file_state(best) == "changed"
        return drawing, f"{best.name} is drawn as its file is now, not as it was indexed." if changed else None


def stoppable(matcher: Matcher, stop: Event) -> Matcher:
    """A matcher whose `distances` raise :class:`SearchStoppedError` once an event is set.

    A gallery asks for distances block by block. It treats some matchers by their class, so this one has the same.
    """
    same = copy(matcher)

    def distances(probes: Sequence[Any], gallery: Sequence[Any], *, progress: bool = False) -> Tensor:
        if stop.is_set():
            raise SearchStoppedError
        return matcher.distances(probes, gallery, progress=progress)

    same.distances = distances  # type: ignore[method-assign]
    return same


def file_state(entry: GalleryEntry) -> FileState:
    """Whether the file of an entry is still the one that was indexed."""
    if entry.source is None:
        return "missing"
    try:
        found = fingerprint(NamedFile(Path(entry.source), entry.name))
    except OSError:
        return "missing"
    return "as indexed" if found == entry.fingerprint else "changed"


def small_picture(entry: GalleryEntry) -> bytes | None:
    """An entry's picture as a small JPEG file, from the file it was indexed from; None where that cannot be read."""
    try:
        return thumbnail(entry.read(), SMALL)
    except ImageError:
        return None
