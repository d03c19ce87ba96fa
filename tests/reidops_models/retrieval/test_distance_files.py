"""Files of distances: they come back as they were, whoever wrote them, and are read some rows at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reidops_models.data import load_csv
from reidops_models.evaluation import evaluate_ranking
from reidops_models.matching import DistanceTable, StoredTable
from reidops_models.retrieval.distance_files import (
    DistanceFile,
    DistanceFileError,
    read_distances,
    write_distances,
)
from reidops_models.retrieval.evaluation import score_distances
from reidops_models.retrieval.scores import Labels
from reidops_models.retrieval.trec import write_trec


def stored(distances: torch.Tensor) -> DistanceTable:
    table = StoredTable(len(distances), memory=1 << 20)
    table.begin_block(distances.shape[1])
    table.write(0, distances)
    return table


def content(probes: int = 7, gallery: int = 5, cameras: bool = True) -> DistanceFile:
    rng = np.random.default_rng(0)
    sides = ((4, probes), (3, gallery)) + (((2, probes), (2, gallery)) if cameras else ())
    labels = Labels(*(rng.integers(0, high, size) for high, size in sides), distractor=0)  # type: ignore[misc]
    generator = torch.Generator().manual_seed(0)
    tables = {name: stored(torch.rand(probes, gallery, generator=generator)) for name in ("a method", "b")}
    names = [f"p {i}.jpg" for i in range(probes)], [f"g/{i} ä.jpg" for i in range(gallery)]
    return DistanceFile(tables, labels, *names)


@pytest.mark.parametrize("ending", ["npz", "parquet"])
@pytest.mark.parametrize("cameras", [True, False])
def test_what_is_written_comes_back(ending: str, cameras: bool, tmp_path: Path) -> None:
    given = content(cameras=cameras)
    path = write_distances(tmp_path / "new" / f"d.{ending}", given)
    found = read_distances(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert list(found.tables) == ["a method", "b"]
    for name, table in found.tables.items():
        assert torch.equal(table[:], given.tables[name][:])
        assert torch.equal(table[3], given.tables[name][3])
        blocks = list(table.blocks(memory=2 * 8 * 5))
        assert [rows for rows, _ in blocks] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
        assert torch.equal(torch.cat([block for _, block in blocks]), given.tables[name][:])
    for name in ("probe_pids", "gallery_pids", "probe_camids", "gallery_camids"):
        assert np.array_equal(getattr(found.labels, name), getattr(given.labels, name))
    assert found.labels.distractor == 0
    assert (list(found.probe_names), list(found.gallery_names)) == (given.probe_names, given.gallery_names)


def test_numpy_reads_the_npz(tmp_path: Path) -> None:
    given = content()
    with np.load(write_distances(tmp_path / "d.npz", given), allow_pickle=False) as archive:
        assert np.array_equal(archive["distances/a method"], np.asarray(given.tables["a method"]))
        assert archive["gallery_names"].tolist() == given.gallery_names


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, ">f4"])
def test_matrices_of_others(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.integers(0, 90, (6, 8)).astype(dtype)
    labels = {"q_pids": rng.integers(0, 3, 6), "g_pids": rng.integers(0, 3, 8)}
    cameras = {"q_camids": rng.integers(0, 3, 6), "g_camids": rng.integers(0, 3, 8)}
    np.savez_compressed(tmp_path / "theirs.npz", distmat=matrix, **labels, **cameras)
    found = score_distances(read_distances(tmp_path / "theirs.npz"), "theirs")["distmat"]
    expected = evaluate_ranking(matrix, *labels.values(), *cameras.values())
    assert np.array_equal(found.ranking.first_match, expected.first_match)
    likeness = read_distances(tmp_path / "theirs.npz", similarities=True)
    assert np.array_equal(likeness.tables["distmat"][:].numpy(), -matrix.astype(np.float64))


@pytest.mark.parametrize("ending", ["npy", "parquet"])
def test_a_matrix_alone_with_a_csv_file_of_labels(ending: str, tmp_path: Path) -> None:
    labels = "path,pid,split\nq1,7,query\nq2,8,query\ng1,8,gallery\ng2,7,gallery\ng3,9,gallery\n"
    (tmp_path / "labels.csv").write_text(labels)
    matrix = np.array([[0.5, 0.4, 0.3], [0.1, 0.2, 0.3]])
    path = tmp_path / f"matrix.{ending}"
    if ending == "npy":
        np.save(path, matrix)
    else:
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table({"far": matrix.tolist()}), path)
    found = read_distances(path, load_csv(tmp_path / "labels.csv"))
    (result,) = score_distances(found, "matrix")
    assert result.ranking.first_match.tolist() == [2, 1]
    with pytest.raises(DistanceFileError, match=r"does not say who is who; name its data set \(--data\)"):
        read_distances(path)


def test_bad_files_are_named(tmp_path: Path) -> None:
    def refused(name: str, message: str) -> None:
        with pytest.raises(DistanceFileError, match=message) as error:
            for _ in read_distances(tmp_path / name).tables["distances"].blocks(1 << 20):
                pass
        assert str(tmp_path / name) in str(error.value)
        assert "\n" not in str(error.value)

    labels = {"q_pids": np.arange(4), "g_pids": np.arange(3)}
    np.savez(tmp_path / "small.npz", distances=np.zeros((2, 3)), **labels)
    refused("small.npz", r"distances: expected distances \(4, 3\), as many as there are labels, got \(2, 3\)")
    np.savez(tmp_path / "none.npz", **labels)
    refused("none.npz", "found none")
    np.savez(tmp_path / "text.npz", distances=np.zeros((4, 3)), q_pids=np.zeros(4), g_pids=np.arange(3))
    refused("text.npz", "probe_pids: expected whole numbers")
    np.savez(tmp_path / "columns.npz", distances=np.zeros((4, 3), order="F"), **labels)
    refused("columns.npz", "stored by columns")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    refused("broken.npz", "cannot be read")
    whole = tmp_path / "distances.npy"
    np.save(whole, np.zeros((400, 300)))
    whole.write_bytes(whole.read_bytes()[:-800])
    (tmp_path / "labels.csv").write_text(
        "path,pid,split\n" + "".join(f"q{i},{i},query\n" for i in range(400)) + "g,1,gallery\n" * 300
    )
    with pytest.raises(DistanceFileError, match="cut short in row 399"):
        list(read_distances(whole, load_csv(tmp_path / "labels.csv")).tables["distances"].blocks(1 << 30))
    with pytest.raises(DistanceFileError, match=r"expected a file that ends in .npz, .npy, .parquet"):
        read_distances("distances.csv")
    with pytest.raises(DistanceFileError, match=r"expected a file that ends in .npz, .parquet"):
        write_distances(tmp_path / "d.npy", content())


def test_trec_files_rank_as_we_do(tmp_path: Path) -> None:
    given = content(probes=30, gallery=20)
    files = write_trec(tmp_path / "runs", given)
    assert [file.name for file in files] == ["qrels", "a-method.run", "b.run"]
    right: dict[str, set[str]] = {}
    for line in files[0].read_text().splitlines():
        probe, zero, image, relevance = line.split()
        assert (zero, relevance) == ("0", "1")
        right.setdefault(probe, set()).add(image)
    for name, file in zip(given.tables, files[1:], strict=True):
        runs: dict[str, list[tuple[float, str]]] = {}
        for line in file.read_text().splitlines():
            probe, _, image, _, score, _ = line.split()
            runs.setdefault(probe, []).append((float(score), image))
        precisions = []
        for probe, images in runs.items():
            hits = [image in right[probe] for _, image in sorted(images, reverse=True)]
            at = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
            precisions.append(sum(at) / len(right[probe]))
        labels = given.labels
        expected = evaluate_ranking(
            given.tables[name][:],
            labels.probe_pids,
            labels.gallery_pids,
            labels.probe_camids,
            labels.gallery_camids,
        )
        assert len(runs) == expected.valid.sum() < 30
        assert np.mean(precisions) == pytest.approx(expected.mAP)
