"""Distances in Parquet files: a row is a probe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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

KEY = b"reidops"  # of the gallery's labels in the schema's metadata


def write_parquet(path: Path, content: DistanceFile) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    labels = content.labels
    probes, gallery = len(labels.probe_pids), len(labels.gallery_pids)
    side = {name: values.tolist() for name, values in named_labels(labels).items() if name.startswith("gallery")}
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


def read_parquet(path: Path, sign: int) -> tuple[dict[str, DistanceTable], dict[str, Any]]:
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
