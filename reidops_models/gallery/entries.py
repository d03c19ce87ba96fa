"""What a gallery knows of a picture, beside its features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

import pyarrow as pa
from torch import Tensor

from reidops_models.data import ImageError, read_image
from reidops_models.retrieval.images import ImageFile, ImageTensor, NamedFile, SearchImage

NUMBER = "number"
KEY = {"lance-schema:unenforced-primary-key": "true"}  # two commits that add one number conflict, so one is refused

FIELDS = (
    pa.field(NUMBER, pa.int64(), nullable=False, metadata=KEY),
    pa.field("id", pa.string(), nullable=False),
    pa.field("name", pa.string(), nullable=False),
    pa.field("source", pa.string()),
    pa.field("pid", pa.int64()),
    pa.field("camid", pa.int64()),
    pa.field("time", pa.timestamp("us", tz="UTC")),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("fingerprint", pa.string(), nullable=False),
)
CHECKSUM = pa.field("checksum", pa.uint32(), nullable=False)  # of the features, `Layout.checksums`
COLUMNS = [field.name for field in FIELDS]


@dataclass(frozen=True)
class GalleryEntry:
    """A picture in a gallery.

    Attributes:
        number: its place in the gallery's order. It stays when the picture is updated or others are removed.
        id: what it is called when it is updated or removed: the absolute path of its file, unless the caller gave
            another. No two entries have the same.
        name: what results call it: its path below the folder that was named.
        source: the absolute path of its file; None where it was added from memory.
        pid, camid: the identity and the camera; None where they are not known.
        time: when its file was last modified; None where it was added from memory.
        size: (height, width) in pixels.
        fingerprint: changes when the picture does: the file's size and time, or a SHA-256 of the pixels.
    """

    number: int
    id: str
    name: str
    source: str | None
    pid: int | None
    camid: int | None
    time: datetime | None
    size: tuple[int, int]
    fingerprint: str

    def read(self) -> Tensor:
        """(3, H, W), RGB in [0, 1], from the file it was added from.

        Raises:
            ImageError: the file is not there any more, cannot be read, or there was none.
        """
        if self.source is None:
            raise ImageError(f"{self.name}: was added from memory, so its pixels cannot be read again")
        return read_image(self.source)

    def __str__(self) -> str:
        return self.source or self.name


def new_entry(image: SearchImage, identifier: str, mark: str) -> GalleryEntry:
    """The entry of a picture that is not in a gallery yet; its number is -1. `mark` is its fingerprint."""
    source = time = None
    if isinstance(image, ImageFile):
        source = str(image.path.absolute())
        time = datetime.fromtimestamp(int(mark.rpartition("-")[2]) // 1000 / 1e6, timezone.utc)
    return GalleryEntry(-1, identifier, image.name, source, image.pid, image.camid, time, image.size, mark)


def default_id(image: NamedFile | SearchImage) -> str:
    """The absolute path of a file; the fingerprint of a picture in memory."""
    return fingerprint(image) if isinstance(image, ImageTensor) else str(image.path.absolute())


def fingerprint(image: NamedFile | SearchImage) -> str:
    """What changes when a picture does. A file is not opened.

    Of a file it is its size in bytes and the time of its last modification in nanoseconds; of a picture in memory, a
    SHA-256 of its shape and pixels.

    Raises:
        OSError: there is no file, or it cannot be looked at.
    """
    if not isinstance(image, ImageTensor):
        found = image.path.stat()
        return f"{found.st_size}-{found.st_mtime_ns}"
    values = image.pixels.detach().cpu().contiguous()
    return "sha256:" + sha256(str(tuple(values.shape)).encode() + values.numpy().tobytes()).hexdigest()


def write_entries(entries: Sequence[GalleryEntry]) -> dict[str, pa.Array]:
    """The columns of some entries."""
    rows = [_row(entry) for entry in entries]
    return {field.name: pa.array([row[field.name] for row in rows], field.type) for field in FIELDS}


def read_entries(table: pa.Table | pa.RecordBatch) -> Iterator[GalleryEntry]:
    """The entries of some rows."""
    for row in table.select(COLUMNS).to_pylist():
        size = row.pop("height"), row.pop("width")
        yield GalleryEntry(**row, size=size)


def _row(entry: GalleryEntry) -> Mapping[str, Any]:
    return {**vars(entry), "height": entry.size[0], "width": entry.size[1]}
