"""DukeMTMC-reID, Occluded-Duke, MSMT17, Occluded-REID, and a CSV file: small trees in the layouts of downloads."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from reidops_models.data import DatasetError, describe, load_csv, load_dataset


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 8)).save(path)


@pytest.mark.parametrize(("folder", "name"), [("DukeMTMC-reID", "dukemtmc-reid"), ("Occluded_Duke", "occluded-duke")])
def test_dukemtmc(tmp_path: Path, folder: str, name: str) -> None:
    root = tmp_path / folder
    for split, pids in (("bounding_box_train", (1, 2)), ("query", (3,)), ("bounding_box_test", (3, 4, 5))):
        for pid in pids:
            for camid in (2, 8):
                save(root / split / f"{pid:04d}_c{camid}_f0046{pid}82.jpg")
    for place in (root, tmp_path):
        with pytest.warns(UserWarning, match="withdrawn by its authors for privacy"):
            dataset = load_dataset(place)
        assert (dataset.name, dataset.variant) == (name, folder)
        assert [len(side) for side in (dataset.train, dataset.query, dataset.gallery)] == [4, 2, 6]
        assert {sample.camid for sample in dataset.query} == {2, 8}
    assert "wrong: query has 2, published 2" in describe(dataset)


@pytest.mark.parametrize(
    ("version", "train", "test"), [("MSMT17_V1", "train", "test"), ("MSMT17_V2", "mask_train_v2", "mask_test_v2")]
)
def test_msmt17(tmp_path: Path, version: str, train: str, test: str) -> None:
    root = tmp_path / version
    for split, folder, pids in (
        ("train", train, (0, 1)),
        ("val", train, (1,)),
        ("query", test, (0,)),
        ("gallery", test, (0, 2)),
    ):
        names = [f"{pid:04d}/{pid:04d}_{split}_{pid + 3:02d}_0303morning_0008_{pid}.jpg" for pid in pids]
        for name in names:
            save(root / folder / name)
        lines = [f"{name} {pid}\n" for name, pid in zip(names, pids, strict=True)]
        (root / f"list_{split}.txt").write_text("".join(lines))
    for place in (root, tmp_path):
        dataset = load_dataset(place)
        assert (dataset.name, dataset.variant) == ("msmt17", version)
        assert [len(side) for side in (dataset.train, dataset.query, dataset.gallery)] == [3, 1, 2]
        assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(0, 3), (2, 5)]
        assert all(sample.path.is_file() for sample in (*dataset.train, *dataset.query, *dataset.gallery))
    (root / "list_query.txt").write_text("0000/0000_000.jpg\n")
    with pytest.raises(DatasetError, match=r"list_query\.txt, line 1: expected a path and an identity"):
        load_dataset(root)
    (root / "list_query.txt").unlink()
    with pytest.raises(DatasetError, match=r"list_query\.txt: cannot be read"):
        load_dataset(root)


@pytest.mark.parametrize("layout", ["a folder each", "flat", "query and gallery"])
def test_occluded_reid(tmp_path: Path, layout: str) -> None:
    root = tmp_path / "OccludedREID"
    folders = ("query", "gallery") if layout == "query and gallery" else ("occluded_body_images", "whole_body_images")
    people = 61 if layout == "flat" else 3  # Partial-REID's flat folders have 60
    for folder in folders:
        for pid in range(1, people + 1):
            for number in (1, 2):
                place = root / folder / (f"{pid:03d}" if layout == "a folder each" else ".")
                save(place / f"{pid:03d}_{number:02d}.{'tif' if layout == 'a folder each' else 'jpg'}")
    dataset = load_dataset(root)
    assert dataset.name == "occluded-reid"
    assert len(dataset.query) == len(dataset.gallery) == 2 * people
    assert {sample.pid for sample in dataset.query} == set(range(1, people + 1))
    assert {sample.camid for sample in dataset.query} == {0}
    assert {sample.camid for sample in dataset.gallery} == {1}
    assert "published 1000" in describe(dataset)


def test_partial_reid_without_partial_images_is_still_partial_reid(tmp_path: Path) -> None:
    for folder in ("occluded_body_images", "whole_body_images"):
        for pid in range(1, 61):
            save(tmp_path / folder / f"{pid:03d}_001.jpg")
    assert load_dataset(tmp_path, query="occluded").name == "partial-reid"
    save(tmp_path / "partial_body_images" / "061_001.jpg")
    save(tmp_path / "whole_body_images" / "061_001.jpg")
    assert load_dataset(tmp_path).name == "partial-reid"


def test_a_csv_file(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("path,pid,camid,split,note\na/1.jpg,7,2,train,x\nb/2.jpg,8,1,query,\nb/3.jpg,8,3,gallery,\n")
    dataset = load_dataset(table)
    assert (dataset.name, dataset.root) == ("mine", tmp_path)
    assert [(s.path, s.pid, s.camid) for s in dataset.gallery] == [(tmp_path / "b/3.jpg", 8, 3)]
    assert [len(side) for side in (dataset.train, dataset.query, dataset.gallery)] == [1, 1, 1]
    assert "listed in a CSV file" in describe(dataset)


def test_a_csv_file_without_cameras(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("split,path,pid\nquery,b/2.jpg,8\ngallery,b/3.jpg,8\n")
    dataset = load_csv(table)
    assert [sample.camid for sample in (*dataset.query, *dataset.gallery)] == [-1, -1]
    assert "query: 1 image, 1 identity, 0 cameras" in describe(dataset)


def test_a_csv_file_with_some_cameras_and_people_from_0(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("split,path,pid,camid\nquery,a.jpg,8,1\ngallery,b.jpg,8,\ngallery,c.jpg,0,2\n")
    dataset = load_csv(table)
    assert [sample.camid for sample in (*dataset.query, *dataset.gallery)] == [1, -1, 2]
    assert dataset.distractor is None
    assert "distractor" not in describe(dataset)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,pid\na,1\n", "missing: split"),
        ("", "missing: path, pid, split"),
        ("path,pid,split\na,one,query\n", "line 2: pid: expected a whole number, got 'one'"),
        ("path,pid,split\na,1,query\nb,1,probe\n", "line 3: split: expected train, query, gallery, got 'probe'"),
        ("path,pid,camid,split\na,1,x,query\n", "line 2: camid: expected a whole number, got 'x'"),
    ],
)
def test_csv_files_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_csv(table)
    with pytest.raises(DatasetError, match="cannot be read"):
        load_csv(tmp_path / "none.csv")
