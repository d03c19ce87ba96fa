"""The rows of a table of results: the distances of several matchers on the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor

from reidops_models.matching.interface import DerivedMatcher, Embedding, Matcher

Images = Callable[[], Iterable[Tensor]]  # reads the images anew, one after another


class MatchingError(ValueError):
    """Images that a matcher cannot compare; the message is one line that names the matcher."""


def distance_tables(
    matchers: Sequence[Matcher], probes: Images, gallery: Images, *, progress: bool = False
) -> Iterator[tuple[Matcher, Tensor]]:
    """Each matcher with its distances (P, G), in order, as soon as they are there.

    Images are embedded once for each embedding; what is embedded is kept while a later matcher needs it. The row of a
    matcher that is derived from rows before it is made from them, and no image is read for it.

    Args:
        matchers: the rows; each has a name of its own.
        probes, gallery: called once for each embedding.
        progress: show progress bars.

    Raises:
        MatchingError: a matcher cannot compare these images.

    Example:
        >>> import torch
        >>> from reidops_models.matching.histogram import HistogramMatcher
        >>> images = [torch.zeros(3, 8, 4), torch.ones(3, 8, 4)]
        >>> for matcher, distances in distance_tables([HistogramMatcher()], lambda: images, lambda: images):
        ...     print(matcher.name, distances.tolist())
        colour histogram [[0.0, 1.0], [1.0, 0.0]]
    """
    rows: dict[str, Tensor] = {}
    embedded: dict[Embedding, tuple[Sequence[Any], Sequence[Any]]] = {}
    for place, matcher in enumerate(matchers):
        try:
            if isinstance(matcher, DerivedMatcher) and all(source in rows for source in matcher.sources):
                distances = matcher.combine(rows)
            else:
                key = matcher.embedding
                if key not in embedded:
                    left = matcher.embed(probes(), role="probe", progress=progress)
                    embedded[key] = left, matcher.embed(gallery(), role="gallery", progress=progress)
                distances = matcher.distances(*embedded[key], progress=progress)
        except ValueError as error:
            raise MatchingError(f"{matcher.name}: {error}") from error
        later = {other.embedding for other in matchers[place + 1 :]}
        embedded = {key: both for key, both in embedded.items() if key in later}
        rows[matcher.name] = distances
        yield matcher, distances
