"""Files of distances, with the labels they are scored by: written and read some rows at a time."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from reidops_models.data import ReidDataset
from reidops_models.files import replacing
from reidops_models.matching import DistanceTable
from reidops_models.retrieval.scores import Labels

ENDINGS = (".npz", ".npy", ".parquet")
PREFIX = "distances/"  # of a method's name, as the matrix is called
BLOCK = 64 << 20  # bytes of distances that are written at a time
KEY = b"reidops"  # of the gallery's labels in a Parquet file

_SIDES = {"probe": ("probe_", "query_", "q_"), "gallery": ("gallery_", "g_")}  # as others call them, too
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class DistanceFileError(ValueError):
    """A file of distances that cannot be read or written; the message is one line that names it."""


@dataclass(frozen=True)
class DistanceFile:
    """Distances of one or several methods, and whose they are.

    Attributes:
        tables: (P, G) distances of each method, by its name.
        labels: who is on the images.
        probe_names, gallery_names: what the images are called.
    """

    tables: Mapping[str, DistanceTable]
    labels: Labels
    probe_names: Sequence[str] = field(repr=False)
    gallery_names: Sequence[str] = field(repr=False)


class FileTable(DistanceTable):
    """A matrix in a file, read from its beginning.

    Args:
        shape: (P, G).
        read: opens it and gives blocks of so many rows at most, in order.
        sign: -1 turns similarities into distances.
    """

    def __init__(self, shape: tuple[int, int], read: Callable[[int], Iterator[np.ndarray]], sign: int = 1) -> None:
        self.shape = shape
        self._read, self._sign = read, sign

    def blocks(self, memory: int) -> Iterator[tuple[slice, Tensor]]:
        start = 0
        for block in self._read(max(1, memory // (8 * max(1, self.shape[1])))):
            yield slice(start, start + len(block)), torch.from_numpy(block if self._sign > 0 else -block)
            start += len(block)

    def rows(self, start: int, stop: int) -> Tensor:
        parts = [torch.empty(0, self.shape[1])]
        for at, block in self.blocks(BLOCK):
            if at.start >= stop:
                break
            parts.append(block[max(0, start - at.start) : stop - at.start])
        return torch.cat(parts)


def check_ending(path: str | Path, allowed: Sequence[str] = ENDINGS) -> Path:
    """The path, if it ends as such a file does.

    Raises:
        DistanceFileError: it does not.
    """
    path = Path(path)
    if path.suffix.lower() not in allowed:
        raise DistanceFileError(f"{path}: expected a file that ends in {', '.join(allowed)}")
    return path


def write_distances(path: str | Path, content: DistanceFile) -> Path:
    """Write distances and labels into an .npz or a .parquet file; returns its path.

    In the .npz, `distances/METHOD` are (P, G) float32, `probe_pids`, `gallery_pids`, `probe_camids` and
    `gallery_camids` whole numbers, -1 where a camera is not known, and `probe_names` and `gallery_names` texts. In the
    Parquet file a row is a probe: `probe`, `pid`, `camid`, and `distances/METHOD`, a list of G numbers; the gallery's
    labels are JSON in the schema's metadata, under `reidops`. The file appears when it is complete.

    Raises:
        DistanceFileError: another ending.
    """
    path = check_ending(path, (".npz", ".parquet"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        (_write_npz if path.suffix.lower() == ".npz" else _write_parquet)(unfinished, content)
    return path


def read_distances(
    path: str | Path, dataset: ReidDataset | None = None, probes: str = "query", *, similarities: bool = False
) -> DistanceFile:
    """Open a file of distances. The matrices are read when they are needed, some rows at a time.

    Args:
        path: what :func:`write_distances` wrote; an .npz of others with matrices (P, G) and the labels `q_pids`,
            `g_pids`, `q_camids`, `g_camids` (or `query_pids`, `probe_pids`, ...); an .npy or a Parquet file with
            matrices alone.
        dataset: whose images they are, where the file has no labels: rows are the probes, columns the gallery, in the
            order of the data set (of the lines of a CSV file, of the names of files).
        probes: the probe set.
        similarities: larger is more alike; they are turned into distances by their sign.

    Raises:
        DistanceFileError: the file is something else, or no labels are known, or they do not fit.
        OSError: it cannot be read.
    """
    path = check_ending(path)
    sign = -1 if similarities else 1
    readers = {".npz": _read_npz, ".npy": _read_npy, ".parquet": _read_parquet}
    try:
        tables, known = readers[path.suffix.lower()](path, sign)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DistanceFileError):
            raise
        raise DistanceFileError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not tables:
        raise DistanceFileError(f"{path}: expected a matrix of distances (P, G), found none")
    if dataset is not None:
        known = _labels_of(dataset, probes)
    if "probe_pids" not in known or "gallery_pids" not in known:
        raise DistanceFileError(f"{path}: does not say who is who; name its data set (--data)")
    sizes = len(known["probe_pids"]), len(known["gallery_pids"])
    for name, table in tables.items():
        if table.shape != sizes:
            expected = f"expected distances {sizes}, as many as there are labels"
            raise DistanceFileError(f"{path}: {name}: {expected}, got {table.shape}")
    numbers = {name: _numbers(path, name, known[name]) for name in LABELS if known.get(name) is not None}
    labels = Labels(**numbers, distractor=known.get("distractor"))
    names = [
        [str(name) for name in known.get(f"{side}_names", [f"{side}-{place}" for place in range(size)])]
        for side, size in zip(_SIDES, sizes, strict=True)
    ]
    return DistanceFile(tables, labels, *names)


LABELS = ("probe_pids", "gallery_pids", "probe_camids", "gallery_camids")


def _numbers(path: Path, name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DistanceFileError(f"{path}: {name}: expected whole numbers (N,), got {array.dtype} of {array.shape}")
    return array.astype(np.int64)


def _labels_of(dataset: ReidDataset, probes: str) -> dict[str, Any]:
    known: dict[str, Any] = {"distractor": dataset.distractor}
    for side, samples in (("probe", dataset.probes(probes)), ("gallery", dataset.gallery)):
        known[f"{side}_pids"] = np.array([sample.pid for sample in samples], np.int64)
        known[f"{side}_camids"] = np.array([sample.camid for sample in samples], np.int64)
        known[f"{side}_names"] = [sample.path.as_posix() for sample in samples]
    return known


def _named(labels: Labels) -> dict[str, np.ndarray]:
    return {name: values for name in LABELS if (values := getattr(labels, name)) is not None}


# --- NumPy -----------------------------------------------------------------------------------------------------------


def _write_npz(path: Path, content: DistanceFile) -> None:
    arrays = _named(content.labels)
    arrays |= {"probe_names": np.array(content.probe_names), "gallery_names": np.array(content.gallery_names)}
    if content.labels.distractor is not None:
        arrays["distractor"] = np.array(content.labels.distractor)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)
        for name, table in content.tables.items():
            with archive.open(f"{PREFIX}{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": tuple(table.shape)}
                np.lib.format.write_array_header_2_0(file, header)
                for _, block in table.blocks(BLOCK):
                    file.write(block.numpy().astype("<f4", copy=False).tobytes())


def _read_npz(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
    tables: dict[str, DistanceTable] = {}
    known: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            side = next((side for side, names in _SIDES.items() for name in names if key.startswith(name)), None)
            what = key.rpartition("_")[2]
            if side is not None and what in ("pids", "camids", "names"):
                known[f"{side}_{what}"] = archive[key]
            elif key == "distractor":
                known[key] = int(archive[key])

    def opened(key: str) -> Callable[[], IO[bytes]]:
        return lambda: zipfile.ZipFile(path).open(f"{key}.npy")

    for key in archive.files:
        with opened(key)() as file:
            shape, _, dtype = _header(file)
        if len(shape) == 2 and dtype.kind in "fiu":
            tables[key.removeprefix(PREFIX)] = _matrix(path, opened(key), sign)
    return tables, known


def _read_npy(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
    return {path.stem: _matrix(path, lambda: path.open("rb"), sign)}, {}


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"a NumPy file of format {version}")
    return _HEADERS[version](file)


def _matrix(path: Path, opened: Callable[[], IO[bytes]], sign: int) -> FileTable:
    with opened() as file:
        shape, by_columns, dtype = _header(file)
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise DistanceFileError(f"{path}: expected a matrix of numbers (P, G), got {dtype} of shape {shape}")
    if by_columns:
        raise DistanceFileError(f"{path}: stored by columns; write it as numpy.ascontiguousarray(matrix)")
    probes, gallery = shape

    def read(rows: int) -> Iterator[np.ndarray]:
        with opened() as file:
            _header(file)
            for start in range(0, probes, rows):
                count = min(rows, probes - start)
                piece = file.read(count * gallery * dtype.itemsize)
                if len(piece) < count * gallery * dtype.itemsize:
                    raise DistanceFileError(
                        f"{path}: cut short in row {start + len(piece) // (gallery * dtype.itemsize)}"
                    )
                yield np.frombuffer(piece, dtype).reshape(count, gallery).astype(dtype.newbyteorder("="))

    return FileTable((probes, gallery), read, sign)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _write_parquet(path: Path, content: DistanceFile) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    labels = content.labels
    probes, gallery = len(labels.probe_pids), len(labels.gallery_pids)
    side = {name: values.tolist() for name, values in _named(labels).items() if name.startswith("gallery")}
    side |= {"gallery_names": list(content.gallery_names), "distractor": labels.distractor}
    columns = [("probe", pa.string()), ("pid", pa.int64()), ("camid", pa.int64())]
    columns += [(f"{PREFIX}{name}", pa.list_(pa.float32(), gallery)) for name in content.tables]
    schema = pa.schema(columns, metadata={KEY: json.dumps(side)})
    step = max(1, BLOCK // max(1, 4 * gallery * len(content.tables)))
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, probes, step):
            stop = min(start + step, probes)
            camids = labels.probe_camids
            row: list[Any] = [
                pa.array(list(content.probe_names[start:stop]), pa.string()),
                pa.array(labels.probe_pids[start:stop]),
                pa.nulls(stop - start, pa.int64()) if camids is None else pa.array(camids[start:stop]),
            ]
            for table in content.tables.values():
                values = table[start:stop].numpy().astype(np.float32, copy=False).ravel()
                row.append(pa.FixedSizeListArray.from_arrays(pa.array(values), gallery))
            writer.write_batch(pa.record_batch(row, schema=schema))


def _read_parquet(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    schema, probes = file.schema_arrow, file.metadata.num_rows
    known: dict[str, Any] = json.loads((schema.metadata or {}).get(KEY, b"{}"))
    for name, column in (("probe_names", "probe"), ("probe_pids", "pid"), ("probe_camids", "camid")):
        if column in schema.names:
            values = file.read(columns=[column])[column]
            if not values.null_count:
                known[name] = values.to_pylist()

    def reader(column: str) -> Callable[[int], Iterator[np.ndarray]]:
        def read(rows: int) -> Iterator[np.ndarray]:
            for batch in parquet.ParquetFile(path).iter_batches(batch_size=rows, columns=[column]):
                values = batch.column(0).flatten().to_numpy(zero_copy_only=False)
                if values.size % batch.num_rows:
                    raise DistanceFileError(f"{path}: {column}: lists of different lengths")
                yield np.array(values.reshape(batch.num_rows, -1))

        return read

    tables: dict[str, DistanceTable] = {}
    for place, column in enumerate(schema.names):
        if pa.types.is_list(kind := schema.field(place).type) or pa.types.is_fixed_size_list(kind):
            first = next(reader(column)(1), np.empty((0, 0)))
            tables[column.removeprefix(PREFIX)] = FileTable((probes, first.shape[1]), reader(column), sign)
    return tables, known
