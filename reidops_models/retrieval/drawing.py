"""Ranked lists as the report draws them."""

from __future__ import annotations

from collections.abc import Sequence

from reidops_models.matching import Matcher
from reidops_models.report import RankedImage, RankedProbe
from reidops_models.retrieval.images import SearchImage
from reidops_models.retrieval.ranked_lists import RankedList

DRAWN_RANKS = 5


def drawn_probe(matcher: Matcher, ranked: RankedList, gallery: Sequence[SearchImage]) -> RankedProbe:
    """A probe's part of the report: its first ranks, and how the best of them was matched.

    Args:
        matcher: what made the distances.
        ranked: the probe and its matches, of which the first `DRAWN_RANKS` are drawn.
        gallery: the images of the matches, by their `index`.

    Raises:
        ImageError: a file cannot be read any more.
    """
    pixels = ranked.probe.read()
    drawn = [
        RankedImage(match.rank, match.name, gallery[match.index].read(), match.distance, match.correct)
        for match in ranked.matches[:DRAWN_RANKS]
    ]
    return RankedProbe(
        name=ranked.probe.name,
        image=pixels,
        ranked=drawn,
        explanation=matcher.explain(pixels, drawn[0].image) if drawn else None,
        first_match=ranked.first_right,
        unknown=ranked.unknown,
    )
