"""The stages of the pipeline, which run on the workers: files are read, and become a fragment of the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from lance.fragment import FragmentMetadata

from reidops_models.data import ImageError
from reidops_models.distributed.cluster import arrived
from reidops_models.distributed.fragments import write_fragments
from reidops_models.gallery.adding import Picture
from reidops_models.gallery.entries import new_entry
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.store import Store
from reidops_models.retrieval.images import NamedFile, Problem

COLUMN = "value"  # a stage's objects, one a row


class Planned(NamedTuple):
    """A file that is to be added.

    Attributes:
        number: what it will have in the gallery.
        id, fingerprint: as of `GalleryEntry`.
        path: of the file.
        name: what results will call it.
    """

    number: int
    id: str
    fingerprint: str
    path: str
    name: str


class Written(NamedTuple):
    """What became of some planned files.

    Attributes:
        ids: of the pictures that were written.
        fragments: with these pictures, not committed.
        problems: the id of each file that could not be read, and why.
        failure: why nothing could be written, in one line; empty if it could.
    """

    ids: tuple[str, ...]
    fragments: tuple[FragmentMetadata, ...]
    problems: tuple[tuple[str, Problem], ...]
    failure: str = ""


def plan_table(files: Sequence[Planned]) -> pa.Table:
    """Files as a block of the pipeline."""
    return pa.table(
        {name: list(values) for name, values in zip(Planned._fields, zip(*files, strict=True), strict=True)}
    )


def read_files(block: pa.Table) -> dict[str, np.ndarray]:
    """The first stage: of each file its picture, or (id, problem)."""
    return objects([_read(Planned(**row)) for row in block.to_pylist()])


def _read(file: Planned) -> Picture | tuple[str, Problem]:
    try:
        image, pixels = NamedFile(Path(file.path), file.name).read()
        entry = replace(new_entry(image, file.id, file.fingerprint), number=file.number)
    except (ImageError, OSError) as error:
        return file.id, Problem(file.path, " ".join(str(error).split()))
    return Picture(entry, pixels)


class FragmentWriter:
    """The second stage, an actor: pictures pass the network, and their features become a fragment.

    Args:
        path: of the gallery.
        checkpoint: makes the features, as of :func:`arrived`.
    """

    def __init__(self, path: str, checkpoint: Sequence[Any]) -> None:
        self.store = Store.open(path)
        self.matcher = arrived(checkpoint).methods().main

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A block of what :func:`read_files` gives -> one :class:`Written`."""
        pictures = [one for one in block[COLUMN] if isinstance(one, Picture)]
        problems = tuple(one for one in block[COLUMN] if not isinstance(one, Picture))
        if not pictures:
            return objects([Written((), (), problems)])
        features = self.matcher.embed((one.pixels for one in pictures), role="gallery")
        try:
            fragments = write_fragments(self.store, self.store.table([one.entry for one in pictures], features))
        except GalleryError as error:
            return objects([Written((), (), problems, str(error))])
        return objects([Written(tuple(one.entry.id for one in pictures), tuple(fragments), problems)])


def objects(values: Sequence[Any]) -> dict[str, np.ndarray]:
    """A block of objects of any kind."""
    column = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):  # at once NumPy would look into tuples
        column[i] = value
    return {COLUMN: column}
