"""Lance fragments that workers write and one process commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lance
import pyarrow as pa
from lance.commit import CommitConflictError
from lance.fragment import FragmentMetadata

from reidops_models.gallery.entries import NUMBER
from reidops_models.gallery.store import Store, one_line


def write_fragments(store: Store, rows: pa.Table) -> list[FragmentMetadata]:
    """Write rows beside a gallery's dataset. Nobody reads them until they are committed.

    Raises:
        GalleryError: they cannot be written.
    """
    from lance_ray.fragment import write_fragment

    with one_line(store.path):
        written = write_fragment([rows], store.path, schema=store.facts.schema, enable_stable_row_ids=True)
    return [fragment for fragment, _ in written]


def commit_fragments(store: Store, fragments: Sequence[FragmentMetadata], replaced: Sequence[int] = ()) -> bool:
    """Make fragments part of a gallery, and remove the rows that they replace: all of it or nothing.

    Lance would let an append go through beside any other, so two writers could add one picture twice. A commit of the
    dataset's whole list of fragments, which Lance calls a merge, conflicts with every other change of rows.

    Args:
        store: the gallery, at the version that `fragments` were made for.
        fragments: what :func:`write_fragments` wrote.
        replaced: the numbers of rows that are in the gallery and in `fragments`.

    Returns:
        Whether that was done. It was not if another writer has changed the gallery since; `store.refresh()` shows what
        there is.

    Raises:
        GalleryError: it cannot be written. What was committed before stays.
    """
    dataset = store.dataset
    with one_line(store.path):
        kept = _without(dataset, replaced)
        operation = lance.LanceOperation.Merge([*kept, *fragments], dataset.lance_schema)
        try:
            lance.LanceDataset.commit(dataset, operation, read_version=dataset.version, max_retries=0)
        except (CommitConflictError, OSError) as error:
            if isinstance(error, CommitConflictError) or "conflict" in str(error):
                return False
            raise
    store.refresh()
    return True


def _without(dataset: Any, numbers: Sequence[int]) -> list[FragmentMetadata]:
    """A dataset's fragments without some rows. Fragments that lose all their rows are left out."""
    fragments = {one.fragment_id: one for one in dataset.get_fragments()}
    kept: dict[int, FragmentMetadata | None] = {key: one.metadata for key, one in fragments.items()}
    if numbers:
        chosen = f"{NUMBER} IN ({', '.join(map(str, numbers))})"
        found = dataset.scanner(columns=[NUMBER], filter=chosen, with_row_address=True).to_table()
        for key in sorted({address >> 32 for address in found.column("_rowaddr").to_pylist()}):
            kept[key] = fragments[key].delete(chosen)
    return [one for one in kept.values() if one is not None]
