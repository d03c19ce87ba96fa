"""A gallery's Lance dataset: what is written into it and read from it. Nothing else here knows Lance.

Versions, atomic commits, deletion and random access are Lance's. An adding is one `merge_insert` on the numbers of the
pictures, which are its primary key. So two writers that number their pictures alike conflict, one of them is told, and
counts again from what the other has committed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
from lance import LanceDataset

from reidops_models.gallery.entries import CHECKSUM, COLUMNS, NUMBER, GalleryEntry, read_entries, write_entries
from reidops_models.gallery.errors import GalleryError, NoGalleryError
from reidops_models.gallery.facts import Facts, read_facts

PROBE_SIZES, CALIBRATION = "reidops.probe_sizes", "reidops.calibration"  # keys of the dataset's configuration
TAKEN = 1000  # entries that one query looks up


class Store:
    """A gallery's dataset, at one version. Use :meth:`create` or :meth:`open`.

    Attributes:
        path: where it is: a folder, or the address of an object store.
        facts: what holds of all of it.
        dataset: the dataset, at the version that is read.
    """

    def __init__(self, path: str, dataset: LanceDataset) -> None:
        self.path = path
        self.dataset = dataset
        self.facts = read_facts(dataset.schema, path)

    @staticmethod
    def create(path: str, facts: Facts) -> Store:
        """A new gallery without pictures.

        Raises:
            GalleryError: something is there already, or it cannot be written.
        """
        with one_line(path):
            return Store(path, lance.write_dataset(facts.schema.empty_table(), path, enable_stable_row_ids=True))

    @staticmethod
    def open(path: str) -> Store:
        """The gallery at its latest version.

        Raises:
            GalleryError: there is none.
        """
        try:
            return Store(path, lance.dataset(path))
        except (ValueError, OSError) as error:
            if isinstance(error, GalleryError):
                raise
            absent = "not found" in str(error).lower()
            if absent and not (is_local(path) and Path(path).exists()):
                raise NoGalleryError(f"{path}: no such gallery") from error
            if absent:
                raise GalleryError(f"{path}: not a gallery") from error
            raise GalleryError(f"{path}: cannot be opened: {plain(error)}") from error

    def __len__(self) -> int:
        return self.dataset.count_rows()

    def refresh(self) -> None:
        """Go on to the latest version."""
        with one_line(self.path):
            self.dataset.checkout_latest()

    # --- reading ------------------------------------------------------------------------------------------------------

    def known(self) -> dict[str, tuple[int, str]]:
        """The number and the fingerprint of each picture, by its id."""
        with one_line(self.path):
            table = self.dataset.to_table(columns=["id", NUMBER, "fingerprint"])
        ids, numbers, prints = (table.column(name).to_pylist() for name in table.column_names)
        return dict(zip(ids, zip(numbers, prints, strict=True), strict=True))

    def entries(self) -> Iterator[GalleryEntry]:
        """All entries, in the gallery's order."""
        with one_line(self.path):
            for batch in self.dataset.scanner(columns=COLUMNS, order_by=[NUMBER]).to_batches():
                yield from read_entries(batch)

    def take(self, numbers: Sequence[int]) -> dict[int, GalleryEntry]:
        """Some entries, by their numbers."""
        found = {}
        with one_line(self.path):
            for start in range(0, len(numbers), TAKEN):
                wanted = ", ".join(map(str, numbers[start : start + TAKEN]))
                table = self.dataset.to_table(columns=COLUMNS, filter=f"{NUMBER} IN ({wanted})")
                found.update({entry.number: entry for entry in read_entries(table)})
        return found

    def people(self, pids: Collection[int]) -> set[int]:
        """Those of some identities that the gallery has pictures of."""
        if not pids:
            return set()
        with one_line(self.path):
            table = self.dataset.to_table(columns=["pid"], filter=f"pid IN ({', '.join(map(str, pids))})")
        return set(table.column("pid").to_pylist())

    def count_people(self) -> int:
        """How many identities its pictures show, of those that are known."""
        with one_line(self.path):
            return len(set(self.dataset.to_table(columns=["pid"], filter="pid >= 0").column("pid").to_pylist()))

    @property
    def files(self) -> int:
        """Of data."""
        return sum(len(fragment.metadata.files) for fragment in self.dataset.get_fragments())

    @property
    def bytes(self) -> int:
        """Of these files."""
        fragments = self.dataset.get_fragments()
        return sum(file.file_size_bytes or 0 for fragment in fragments for file in fragment.metadata.files)

    def sizes(self) -> Counter[tuple[int, int]]:
        """How many pictures have which (height, width)."""
        found: Counter[tuple[int, int]] = Counter()
        with one_line(self.path):
            for batch in self.dataset.to_batches(columns=["height", "width"]):
                found.update(zip(*(batch.column(name).to_pylist() for name in batch.schema.names), strict=True))
        return found

    def setting(self, key: str) -> Any:
        """A value that was set for the whole gallery; None without one."""
        text = self.dataset.config().get(key)
        return None if text is None else json.loads(text)

    # --- writing ------------------------------------------------------------------------------------------------------

    def set(self, key: str, value: Any) -> None:
        """Set a value for the whole gallery; None removes it."""
        with one_line(self.path):
            self.dataset.update_config({key: None if value is None else json.dumps(value)})

    def table(self, entries: Sequence[GalleryEntry], features: Sequence[Any]) -> pa.Table:
        """Rows, as they are committed."""
        columns = {**write_entries(entries), **self.facts.layout.write(features)}
        columns[CHECKSUM.name] = self.facts.layout.checksums(columns)
        return pa.table(columns, schema=self.facts.schema)

    def commit(self, rows: pa.Table) -> bool:
        """Add rows, and replace those that have the same numbers: all of them or none.

        Returns:
            Whether that was done. It was not if another writer has changed the gallery since, in a way that does not go
            together with this; :meth:`refresh` then shows what there is.

        Raises:
            GalleryError: it cannot be written. What was committed before stays.
        """
        merge = self.dataset.merge_insert(NUMBER).when_matched_update_all().when_not_matched_insert_all()
        with one_line(self.path):
            try:
                merge.conflict_retries(0).execute(rows)
            except OSError as error:
                if "concurrent" in str(error) or "conflict" in str(error):
                    return False
                raise
        return True

    def remove(self, numbers: Sequence[int]) -> None:
        """Remove pictures: all of them or none."""
        with one_line(self.path):
            self.dataset.delete(f"{NUMBER} IN ({', '.join(map(str, numbers))})")


def is_local(path: str) -> bool:
    """Whether a path is one of this machine's files, not the address of an object store."""
    return "://" not in path


@contextmanager
def one_line(path: str) -> Iterator[None]:
    """Lance's errors as one line that names the gallery."""
    try:
        yield
    except GalleryError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise GalleryError(f"{path}: {plain(error)}") from error


def plain(error: Exception) -> str:
    """What an error of Lance says, without the places in its source."""
    text = re.sub(r",? *(\(| at )?/?[\w./-]*\.rs:\d+(:\d+)?\)?", "", str(error))
    text = re.sub(r"^(External error: |LanceError\(\w+\): |Generic LocalFileSystem error: )+", "", text)
    return " ".join(text.split()) or type(error).__name__
