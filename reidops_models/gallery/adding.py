"""Pictures into a gallery: which are new or have changed, and a commit for every few hundred of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from tqdm.auto import tqdm

from reidops_models.data import ImageError, read_images
from reidops_models.gallery.entries import GalleryEntry, default_id, fingerprint, new_entry
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.store import Store
from reidops_models.matching import Matcher
from reidops_models.retrieval.images import ImageTensor, NamedFile, Problem, Problems

COMMIT = 512  # pictures in a commit at most: as many as `embed_in_batches` has in its hands
COMMIT_MEMORY = 64 << 20  # bytes of their features, about
BATCH = 64  # a commit is whole batches, so that pictures pass the network in the same company as in one long call
ATTEMPTS = 100  # at a commit, while other writers commit

Source = NamedFile | ImageTensor


@dataclass(frozen=True)
class Added:
    """What an adding did.

    Attributes:
        new: pictures that were not in the gallery.
        updated: pictures that were there and have changed.
        unchanged: pictures that were there.
        problems: the pictures that were left out, and why.
        notes: what else was passed over, files that are no images by their names.
    """

    new: int
    updated: int
    unchanged: int
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


class Picture(NamedTuple):
    """A picture that was read."""

    entry: GalleryEntry
    pixels: Tensor


@dataclass
class Adding:
    """One adding to a gallery.

    Args:
        store: the gallery.
        matcher: makes the features.
        problems: takes the pictures that cannot be read; they are left out.
        rows: pictures in a commit at most; None: as many as fit into `COMMIT` and `COMMIT_MEMORY`.
        always: embed pictures anew that have not changed.
        workers: threads that read, as of `read_images`.
        counted: is called with the number of pictures that are done.
    """

    store: Store
    matcher: Matcher
    problems: Problems
    rows: int | None = None
    always: bool = False
    workers: int | None = None
    counted: Callable[[int], object] = lambda _: None
    new: int = field(default=0, init=False)
    updated: int = field(default=0, init=False)
    unchanged: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.store.refresh()
        self._known = self.store.known()

    def run(self, sources: Sequence[Source], ids: Sequence[str] | None = None) -> Added:
        """Add pictures. Each commit is final: what is done stays, whatever happens later.

        Args:
            sources: files and pictures in memory; a file is read when its turn comes.
            ids: one for each; None: as :func:`default_id` makes them.

        Raises:
            GalleryError: the gallery cannot be written, or `always` and a picture is not there.
        """
        named = dict(zip(ids or map(default_id, sources), sources, strict=True))
        self._pass_over(len(sources) - len(named))
        if self.always and (unknown := [identifier for identifier in named if identifier not in self._known]):
            raise GalleryError(f"{self.store.path}: no picture {unknown[0]}")
        size = self.rows or rows_of_a_commit(self.store.facts.layout.bytes_per_picture)
        pictures = self._read(named)
        while self._add(islice(pictures, size)):
            pass
        return Added(self.new, self.updated, self.unchanged, tuple(self.problems), tuple(self.problems.notes))

    def _add(self, pictures: Iterator[Picture]) -> int:
        """Embed pictures, which are drawn one by one and not held, and commit them. Returns how many there were."""
        entries: list[GalleryEntry] = []

        def pixels() -> Iterator[Tensor]:
            for entry, image in pictures:
                entries.append(entry)
                yield image

        features = self.matcher.embed(pixels(), role="gallery")
        if entries:
            self._commit(list(zip(entries, features, strict=True)))
        return len(entries)

    def _read(self, named: Mapping[str, Source]) -> Iterator[Picture]:
        """The pictures that are new or have changed, read ahead by threads. What has not changed is not opened."""
        coming: deque[tuple[str, Source, str]] = deque()

        def wanted() -> Iterator[Path | Tensor]:
            for identifier, source in named.items():
                try:
                    mark = fingerprint(source)  # first: a file that changes while it is read has changed next time
                except OSError as error:
                    self._leave_out(source, f"{source}: {error.strerror}")
                    continue
                if not self.always and self._known.get(identifier, (0, ""))[1] == mark:
                    self._pass_over(1)
                    continue
                coming.append((identifier, source, mark))
                yield source.pixels if isinstance(source, ImageTensor) else source.path

        for found in read_images(wanted(), self.workers):
            identifier, source, mark = coming.popleft()
            if isinstance(found, ImageError):
                self._leave_out(source, str(found))
                continue
            image = source if isinstance(source, ImageTensor) else source.sized(found.shape[1], found.shape[2])
            yield Picture(new_entry(image, identifier, mark), found)

    def _leave_out(self, source: Source, message: str) -> None:
        self.problems.add(source.path if isinstance(source, NamedFile) else source, message)
        self.counted(1)

    def _pass_over(self, count: int) -> None:
        self.unchanged += count
        self.counted(count)

    def _commit(self, rows: Sequence[tuple[GalleryEntry, Any]]) -> None:
        for _ in range(ATTEMPTS):
            fresh = [(entry, feature) for entry, feature in rows if self.always or self._differs(entry)]
            new = sum(entry.id not in self._known for entry, _ in fresh)
            entries = self._numbered([entry for entry, _ in fresh])
            if not fresh or self.store.commit(self.store.table(entries, [feature for _, feature in fresh])):
                self.new += new
                self.updated += len(fresh) - new
                self.unchanged += len(rows) - len(fresh)
                self._known.update({entry.id: (entry.number, entry.fingerprint) for entry in entries})
                self.counted(len(rows))
                return
            self.store.refresh()
            self._known = self.store.known()
        raise GalleryError(f"{self.store.path}: other writers were first {ATTEMPTS} times: try again later")

    def _differs(self, entry: GalleryEntry) -> bool:
        return self._known.get(entry.id, (0, ""))[1] != entry.fingerprint

    def _numbered(self, entries: Sequence[GalleryEntry]) -> list[GalleryEntry]:
        """An entry that is there keeps its number; the others count on from the highest."""
        highest = max((number for number, _ in self._known.values()), default=-1)
        numbered = []
        for entry in entries:
            number = self._known[entry.id][0] if entry.id in self._known else (highest := highest + 1)
            numbered.append(replace(entry, number=number))
        return numbered


def rows_of_a_commit(bytes_per_picture: int) -> int:
    """Whole batches, and one at least."""
    fitting = COMMIT_MEMORY // max(1, bytes_per_picture) // BATCH * BATCH
    return max(BATCH, min(COMMIT, fitting))


def progress_bar(total: int, progress: bool) -> tqdm[None]:
    """A bar over pictures; hidden without `progress`."""
    return tqdm(total=total, unit="image", disable=not progress, leave=False)
