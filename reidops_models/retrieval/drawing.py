"""Ranked lists as the report draws them."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from reidops_models.data import ImageError
from reidops_models.matching import Matcher
from reidops_models.report import RankedImage, RankedProbe
from reidops_models.retrieval.ranked_lists import RankedList

DRAWN_RANKS = 5


class Readable(Protocol):
    """An image that can be read, as long as its file is there."""

    def read(self) -> Tensor: ...


class SearchedImages(Protocol):
    """The images of a gallery, by the `index` of a match: a list of them, or a `Gallery`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Readable: ...


def drawn_probe(matcher: Matcher, ranked: RankedList, gallery: SearchedImages) -> RankedProbe:
    """A probe's part of the report: its first ranks, and how the best of them was matched.

    A gallery image whose file cannot be read any more has no pixels in the report; if it is the best match, nothing
    explains that match.

    Args:
        matcher: what made the distances.
        ranked: the probe and its matches, of which the first `DRAWN_RANKS` are drawn.
        gallery: the images of the matches, by their `index`.

    Raises:
        ImageError: the probe's file cannot be read any more.
    """
    pixels = ranked.probe.read()
    drawn = [
        RankedImage(match.rank, match.name, _pixels(gallery[match.index]), match.distance, match.correct)
        for match in ranked.matches[:DRAWN_RANKS]
    ]
    best = drawn[0].image if drawn else None
    return RankedProbe(
        name=ranked.probe.name,
        image=pixels,
        ranked=drawn,
        explanation=None if best is None else matcher.explain(pixels, best),
        first_match=ranked.first_right,
        unknown=ranked.unknown,
    )


def _pixels(image: Readable) -> Tensor | None:
    try:
        return image.read()
    except ImageError:
        return None
