"""Is a gallery whole, and is it tidy?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from lance.fragment import LanceFragment
from tqdm.auto import tqdm

from reidops_models.gallery.entries import CHECKSUM, NUMBER
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.store import Store, is_local, one_line, plain
from reidops_models.retrieval.images import Problem

FILE_BYTES = 1 << 30  # of a file that `compact` makes, about
BATCH_BYTES = 32 << 20  # in memory at a time, about


class Compacted(NamedTuple):
    """What a compaction did.

    Attributes:
        files_before, files: of data.
        bytes_freed: on the disk, by what was removed.
        versions: earlier ones, which were removed.
    """

    files_before: int
    files: int
    bytes_freed: int
    versions: int


def check_store(store: Store, progress: bool = False) -> list[Problem]:
    """What is damaged in a gallery."""
    problems = []
    ids: Counter[str] = Counter()
    numbers: Counter[int] = Counter()
    with tqdm(total=len(store), unit="image", disable=not progress, leave=False) as bar:
        for fragment in store.dataset.get_fragments():
            files = [_place(store, file.path) for file in fragment.metadata.files]
            try:
                with one_line(store.path):
                    for wrong in _damaged_rows(store, fragment, ids, numbers, bar):
                        problems.append(Problem(files[0], f"{files[0]}: damaged: the features of {wrong}"))
            except GalleryError as error:
                lost = [file for file in files if is_local(file) and not Path(file).exists()]
                reason = "no such file" if lost else f"damaged: {plain(error).removeprefix(f'{store.path}: ')}"
                problems.append(Problem((lost or files)[0], f"{(lost or files)[0]}: {reason}"))
    for what, found in (("id", ids), ("number", numbers)):
        twice = [value for value, count in found.items() if count > 1]
        problems += [Problem(str(value), f"{store.path}: several pictures have the {what} {value}") for value in twice]
    return problems


def _damaged_rows(
    store: Store, fragment: LanceFragment, ids: Counter[str], numbers: Counter[int], bar: tqdm[Any]
) -> Iterator[str]:
    """The ids of the rows whose features are not those that were written; every id and number is counted."""
    layout = store.facts.layout
    names = [field.name for field in layout.fields]
    rows = max(1, BATCH_BYTES // layout.bytes_per_picture)
    for batch in fragment.to_batches(columns=["id", NUMBER, CHECKSUM.name, *names], batch_size=rows):
        own = batch.column("id").to_pylist()
        found = layout.checksums({name: batch.column(name) for name in names})
        ids.update(own)
        numbers.update(batch.column(NUMBER).to_pylist())
        for name, kept, now in zip(own, batch.column(CHECKSUM.name).to_pylist(), found.to_pylist(), strict=True):
            if kept != now:
                yield name
        bar.update(len(batch))


def compact_store(store: Store) -> Compacted:
    """Join small files, drop what was removed or replaced, and forget earlier versions."""
    store.refresh()
    size = max(1, store.facts.layout.bytes_per_picture)
    before = len(store.dataset.get_fragments())
    with one_line(store.path):
        store.dataset.optimize.compact_files(
            target_rows_per_fragment=max(1, FILE_BYTES // size),
            materialize_deletions_threshold=0.0,  # also of a file with one removed picture, because removed is removed
            batch_size=max(1, BATCH_BYTES // size),
            num_threads=1,
        )
        done = store.dataset.cleanup_old_versions(older_than=timedelta(0))
    store.refresh()
    return Compacted(before, len(store.dataset.get_fragments()), done.bytes_removed, done.old_versions)


def _place(store: Store, file: str) -> str:
    return f"{store.path}/data/{file}"
