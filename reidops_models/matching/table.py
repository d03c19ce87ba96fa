"""The rows of a table of results: the distances of several matchers on the same images, within a bound of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import Tensor
from tqdm.auto import tqdm

from reidops_models.matching.interface import DerivedMatcher, Matcher, Role, is_joint
from reidops_models.matching.pairs import pair_bar
from reidops_models.matching.stored import DistanceTable, StoredFeatures, StoredTable, bytes_of

MEMORY = 4 << 30  # bytes by default
EMBEDDED = 8 << 20  # bytes of `memory` for each image that a matcher gets at a time, with its pixels
COMPARED = 1024  # probes that are compared with a block of the gallery at a time, at most


class MatchingError(ValueError):
    """Images that a matcher cannot compare; the message is one line that names the matcher."""


@dataclass(frozen=True)
class Images:
    """The images of one side.

    Attributes:
        read: reads them anew, one after another.
        number: how many there are.
    """

    read: Callable[[], Iterable[Tensor]]
    number: int

    @classmethod
    def of(cls, images: Sequence[Tensor]) -> Images:
        """Images in memory."""
        return cls(lambda: images, len(images))


class DerivedTable(DistanceTable):
    """Distances that follow from other rows of the table, made when they are read."""

    def __init__(self, matcher: DerivedMatcher, sources: Mapping[str, DistanceTable]) -> None:
        self._matcher, self._sources = matcher, sources
        self.shape = next(iter(sources.values())).shape

    def rows(self, start: int, stop: int) -> Tensor:
        distances = {name: table.rows(start, stop) for name, table in self._sources.items()}
        try:
            return self._matcher.combine(distances)
        except ValueError as error:
            raise MatchingError(f"{self._matcher.name}: {error}") from error


def distance_tables(
    matchers: Sequence[Matcher], probes: Images, gallery: Images, *, memory: int = MEMORY, progress: bool = False
) -> Iterator[tuple[Matcher, DistanceTable]]:
    """Each matcher with its distances (P, G), in order, as soon as they are there.

    Images are embedded once for each embedding. The gallery's come in blocks: a block is compared with all probes, by
    all matchers of its embedding, and forgotten. Distances, and probes that do not fit, lie in temporary files (in
    `TMPDIR`). A matcher that needs the whole gallery at once (`Matcher.joint`) gets it as one block. The row of a
    matcher that is derived from rows before it is made from them, and no image is read for it.

    Args:
        matchers: the rows; each has a name of its own. One that has a `memory_budget` gets a quarter of `memory`, at
            most.
        probes, gallery: are read once for each embedding.
        memory: bytes to be held at a time beside the networks, about: a quarter for a block of the gallery, a quarter
            for the probes, an eighth for distances, and the rest is for the matchers to work in.
        progress: show progress bars.

    Raises:
        MatchingError: a matcher cannot compare these images.

    Example:
        >>> import torch
        >>> from reidops_models.matching.histogram import HistogramMatcher
        >>> images = Images.of([torch.zeros(3, 8, 4), torch.ones(3, 8, 4)])
        >>> for matcher, distances in distance_tables([HistogramMatcher()], images, images):
        ...     print(matcher.name, distances[:].tolist())
        colour histogram [[0.0, 1.0], [1.0, 0.0]]
    """
    tables: dict[str, DistanceTable] = {}
    for place, matcher in enumerate(matchers):
        if matcher.name not in tables:
            if isinstance(matcher, DerivedMatcher) and all(source in tables for source in matcher.sources):
                tables[matcher.name] = DerivedTable(matcher, {source: tables[source] for source in matcher.sources})
            else:
                together = [one for one in matchers[place:] if _shares(one, matcher)]
                tables.update(_compare(together, probes, gallery, memory, len(matchers), progress))
        yield matcher, tables[matcher.name]


def _shares(other: Matcher, matcher: Matcher) -> bool:
    """Whether another row is computed with a matcher's: from the same features, and not from rows before it."""
    if other is matcher:
        return True
    derived = isinstance(other, DerivedMatcher)
    return not derived and other.embedding == matcher.embedding and is_joint(other) == is_joint(matcher)


def _compare(
    matchers: Sequence[Matcher], probes: Images, gallery: Images, memory: int, rows: int, progress: bool
) -> dict[str, DistanceTable]:
    """The tables of matchers that have one embedding."""
    first = matchers[0]
    for matcher in matchers:
        if isinstance(budget := getattr(matcher, "memory_budget", None), int):
            matcher.memory_budget = min(budget, memory // 4)  # type: ignore[attr-defined]
    tables = {matcher.name: StoredTable(probes.number, memory // 8 // rows) for matcher in matchers}
    current = first
    try:
        left = StoredFeatures(memory // 4, memory // 8, COMPARED)
        for features in _embed(first, probes, "probe", memory, progress):
            left.add(features)
        with pair_bar(probes.number * gallery.number * len(matchers), progress, first.name) as bar:
            for block in _blocks(first, gallery, memory):
                for table in tables.values():
                    table.begin_block(len(block))
                start = 0
                for chunk in left.chunks():
                    for current in matchers:
                        distances = current.distances(chunk, block)
                        tables[current.name].write(start, distances)
                        bar.update(distances.numel())
                    start += len(chunk)
                current = first
    except ValueError as error:
        raise MatchingError(f"{current.name}: {error}") from error
    return dict(tables)


def _embed(matcher: Matcher, images: Images, role: Role, memory: int, progress: bool) -> Iterator[Sequence[Any]]:
    """The features of all images, some at a time."""
    step = min(256, max(16, memory // EMBEDDED))
    reading = iter(tqdm(images.read(), role, images.number, unit="image", disable=not progress, leave=False))
    for start in range(0, images.number, step):
        yield matcher.embed(islice(reading, min(step, images.number - start)), role=role)


def _blocks(matcher: Matcher, gallery: Images, memory: int) -> Iterator[Sequence[Any]]:
    """The features of the gallery, as many at a time as a quarter of `memory` holds."""
    block: list[Any] = []
    held = 0
    for features in _embed(matcher, gallery, "gallery", memory, progress=False):
        more = bytes_of(features)
        if block and held + more > memory // 4 and not is_joint(matcher):
            yield block
            block, held = [], 0
        block.extend(features)
        held += more
    if block or not gallery.number:
        yield block
