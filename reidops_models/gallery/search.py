"""Probes in a gallery that does not fit into memory: its features pass block by block, and the best are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils.dlpack import from_dlpack
from tqdm.auto import tqdm

from reidops_models.gallery.entries import NUMBER, GalleryEntry
from reidops_models.gallery.features import Likeness, tensors_of
from reidops_models.gallery.nearest import Nearest, merge_nearest, nearest_of
from reidops_models.gallery.store import Store, one_line
from reidops_models.matching import BlockMatcher, Matcher, VectorMatcher
from reidops_models.retrieval.images import Problem, Problems, SearchImage
from reidops_models.retrieval.ranked_lists import Match, RankedList, RankedLists
from reidops_models.retrieval.ranking import CHUNK
from reidops_models.retrieval.reading import read_each

BLOCK_MEMORY = 4 << 20  # bytes of a block's features, about
PROBE_MEMORY = 128 << 20  # bytes of the probes' features that are compared in one pass over the gallery, about

Pass = Callable[[Sequence[Any], int, "tqdm[Any]"], Nearest | None]  # features of probes, k, bar -> their k nearest


@dataclass(frozen=True)
class EntryMatch(Match):
    """A picture of a gallery in a ranked list. `index` is its number.

    Attributes:
        entry: all that is known of it.
    """

    entry: GalleryEntry = field(kw_only=True)


@dataclass(frozen=True)
class GallerySearch(RankedLists):
    """The ranked lists of a search in a gallery, in the order of the probes.

    Attributes:
        method: the name of the method that made the distances.
        ranked: the lists.
        problems: the probes that were left out, and why.
        notes: what else was passed over, files that are no images by their names.
    """

    method: str
    ranked: tuple[RankedList, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


class Block(NamedTuple):
    """Some pictures of a gallery.

    Attributes:
        numbers: (B,) int64.
        tensors: (B, ...) each, what is kept of them.
    """

    numbers: Tensor
    tensors: list[Tensor]


def read_blocks(
    store: Store, fragments: Sequence[int] | None = None, *, numbers: Sequence[int] | None = None
) -> Iterator[Block]:
    """The features of a gallery, block by block.

    Args:
        store: the gallery.
        fragments: the ids of the dataset's fragments to read; None reads all.
        numbers: of the pictures to read; None reads all.
    """
    layout = store.facts.layout
    rows = max(1, BLOCK_MEMORY // layout.bytes_per_picture)
    wanted = None if fragments is None else set(fragments)
    chosen = [one for one in store.dataset.get_fragments() if wanted is None or one.fragment_id in wanted]
    scanner = store.dataset.scanner(
        columns=[NUMBER, *layout.columns],
        batch_size=rows,
        batch_readahead=2,
        fragment_readahead=2,
        io_buffer_size=2 * BLOCK_MEMORY,
        fragments=chosen,
        filter=None if numbers is None else f"{NUMBER} IN ({', '.join(map(str, numbers))})",
    )
    with one_line(store.path):
        for batch in scanner.to_batches():
            if len(batch):
                yield Block(from_dlpack(batch.column(NUMBER)), layout.read(batch))


def compare_blocks(matcher: Matcher, probes: Sequence[Any], blocks: Iterable[Block]) -> Iterator[tuple[Block, Tensor]]:
    """Blocks with the distances (P, B) of the probes to them; arguments as of :func:`nearest_in`."""
    likeness = Likeness(probes[0], stacked=isinstance(matcher, BlockMatcher | VectorMatcher))
    for block in blocks:
        yield block, matcher.distances(probes, likeness(block.tensors))


def nearest_in(
    matcher: Matcher, probes: Sequence[Any], blocks: Iterable[Block], k: int, bar: tqdm[Any] | None = None
) -> Nearest | None:
    """The k nearest pictures to each probe in some blocks; None where there is no block.

    Args:
        matcher: makes the distances.
        probes: what it made of the probes, one or more.
        blocks: of the gallery.
        k: pictures to keep for each probe.
        bar: is moved on by the pictures of each block.
    """
    best: Nearest | None = None
    for block, distances in compare_blocks(matcher, probes, blocks):
        found = nearest_of(distances, block.numbers, k)
        best = found if best is None else merge_nearest([best, found], k)
        if bar is not None:
            bar.update(len(block.numbers))
    return best


def rank_entries(
    store: Store,
    matcher: Matcher,
    probes: Sequence[SearchImage],
    problems: Problems,
    *,
    top: int,
    threshold: float | None = None,
    nearest: Pass | None = None,
    progress: bool = False,
) -> Iterator[RankedList]:
    """The ranked list of each probe, as soon as it is known: after each pass over the gallery.

    Args:
        store: the gallery, one picture at least.
        matcher: makes the distances.
        probes: what to look for.
        problems: takes the probes that cannot be matched; they have no list.
        top: ranks to keep.
        threshold: is handed on to each list.
        nearest: makes a pass; None: in this process.
        progress: show a progress bar, over the gallery's pictures in each pass.

    A list's `first_right` is known up to `top` only, because farther distances are not kept.
    """
    search: Pass = nearest or (lambda features, k, bar: nearest_in(matcher, features, read_blocks(store), k, bar))
    for images, features in _passes(store, matcher, probes, problems):
        with tqdm(total=len(store), unit="image", disable=not progress, leave=False) as bar:
            found = search(features, top, bar)
        assert found is not None
        entries = store.take(sorted(set(found.numbers.flatten().tolist())))
        people = store.people({image.pid for image in images if image.pid is not None and image.pid >= 0})
        for image, distances, numbers, finite in zip(images, *found, strict=True):
            if not finite:
                problems.add(image, f"{image}: cannot be matched: its distances are not finite")
                continue
            own = [entries[number] for number in numbers.tolist()]
            right = [entry.pid == image.pid if image.pid in people else None for entry in own]
            ranks = enumerate(zip(own, distances.tolist(), right, strict=True), start=1)
            matches = [EntryMatch(r, e.number, e.name, d, correct, entry=e) for r, (e, d, correct) in ranks]
            first = right.index(True) + 1 if True in right else None
            yield RankedList(image, tuple(matches), first, threshold)


def _passes(
    store: Store, matcher: Matcher, probes: Sequence[SearchImage], problems: Problems
) -> Iterator[tuple[list[SearchImage], list[Any]]]:
    """Probes with their features, as many as are compared together."""
    first = next(read_blocks(store))
    one = Block(first.numbers[:1], [tensor[:1] for tensor in first.tensors])
    images: list[SearchImage] = []
    features: list[Any] = []
    held = 0
    reading = read_each(probes, problems)
    while some := list(islice(reading, CHUNK)):
        for image, feature in _embed_chunk(matcher, some, one, problems):
            images.append(image)
            features.append(feature)
            held += sum(tensor.nbytes for tensor in tensors_of(feature))
        if held > PROBE_MEMORY:
            yield images, features
            images, features, held = [], [], 0
    if images:
        yield images, features


def _embed_chunk(
    matcher: Matcher, probes: Sequence[tuple[SearchImage, Tensor]], one: Block, problems: Problems
) -> Iterator[tuple[SearchImage, Any]]:
    """Probes with their features, without those that cannot be compared with a picture of the gallery."""
    try:
        embedded = matcher.embed((pixels for _, pixels in probes), role="probe")
        matcher.distances(embedded, Likeness(embedded[0])(one.tensors))
    except ValueError as error:
        if len(probes) == 1:
            problems.add(probes[0][0], f"{probes[0][0]}: cannot be matched: {error}")
            return
        for probe in probes:  # one of them spoils the others, which are still matched
            yield from _embed_chunk(matcher, [probe], one, problems)
        return
    yield from zip((image for image, _ in probes), embedded, strict=True)
