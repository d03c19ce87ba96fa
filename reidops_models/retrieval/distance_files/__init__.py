"""Files of distances, with the labels they are scored by: written and read some rows at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reidops_models.data import ReidDataset
from reidops_models.files import replacing
from reidops_models.retrieval.distance_files.content import BLOCK, LABELS, DistanceFile, DistanceFileError
from reidops_models.retrieval.distance_files.numpy_files import SIDES, read_npy, read_npz, write_npz
from reidops_models.retrieval.distance_files.parquet_files import read_parquet, write_parquet
from reidops_models.retrieval.scores import Labels

__all__ = ["BLOCK", "DistanceFile", "DistanceFileError", "check_ending", "read_distances", "write_distances"]

ENDINGS = (".npz", ".npy", ".parquet")


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
        (write_npz if path.suffix.lower() == ".npz" else write_parquet)(unfinished, content)
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
    readers = {".npz": read_npz, ".npy": read_npy, ".parquet": read_parquet}
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
        for side, size in zip(SIDES, sizes, strict=True)
    ]
    return DistanceFile(tables, labels, *names)


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
