"""Distances in NumPy's files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from reidops_models.matching import DistanceTable
from reidops_models.retrieval.distance_files.content import (
    BLOCK,
    PREFIX,
    DistanceFile,
    DistanceFileError,
    FileTable,
    named_labels,
)

SIDES = {"probe": ("probe_", "query_", "q_"), "gallery": ("gallery_", "g_")}  # as others call them, too

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def write_npz(path: Path, content: DistanceFile) -> None:
    arrays = named_labels(content.labels)
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


def read_npz(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
    tables: dict[str, DistanceTable] = {}
    known: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as archive:
        for key in archive.files:
            side = next((side for side, names in SIDES.items() for name in names if key.startswith(name)), None)
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


def read_npy(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
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
