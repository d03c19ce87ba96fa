"""CUHK03, CUHK01 and VIPeR: small files in the very layouts that are downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from reidops_models.cli import main
from reidops_models.data import DatasetError, ReidDataset, describe, load_cuhk01, load_cuhk03, load_dataset, load_viper
from reidops_models.data.cuhk03 import TEST_SETS

PEOPLE_OF_PAIRS = (12, 8, 4, 3, 2)  # of CUHK03's five camera pairs


def save(path: Path, colour: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 8), (colour, colour, colour)).save(path)


def write_viper(root: Path, people: int = 9) -> Path:
    for camera, angle in (("cam_a", 0), ("cam_b", 90)):
        for person in range(people):
            save(root / camera / f"{person:03d}_{angle + 45 * (person % 2)}.bmp", person)
    return root


def write_cuhk01(root: Path, people: int = 971) -> Path:
    for person in range(1, people + 1):
        for image in range(1, 5):
            save(root / "campus" / f"{person:04d}{image:03d}.png", image)
    return root


def pixels(pair: int, person: int, number: int, height: int = 6) -> np.ndarray:
    """Higher than wide, a colour for each place, the rows differing."""
    image = np.zeros((height, 4, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10 * pair + person, number, np.arange(height)[:, None]
    return image


def write_cuhk03(root: Path) -> Path:
    """As MATLAB 7.3 writes it: arrays with reversed axes, cells as references."""
    root.mkdir(parents=True)
    with h5py.File(root / "cuhk-03.mat", "w") as mat:
        store = mat.create_group("#refs#")

        def refer(array: np.ndarray) -> Any:
            return store.create_dataset(f"r{len(store)}", data=array).ref

        def cell(rows: list[list[Any]]) -> np.ndarray:
            stored = np.empty((len(rows[0]), len(rows)), dtype=h5py.ref_dtype)  # reversed, like all arrays
            for i, row in enumerate(rows):
                for j, reference in enumerate(row):
                    stored[j, i] = reference
            return stored

        for boxes in ("detected", "labeled"):
            pairs = []
            for pair, people in enumerate(PEOPLE_OF_PAIRS, start=1):
                rows = []
                for person in range(1, people + 1):
                    row = []
                    for image in range(1, 11):
                        there = image not in (4, 10) and not (boxes == "detected" and image == 3)
                        row.append(refer(pixels(pair, person, image).T if there else np.zeros(2, np.uint64)))
                    rows.append(row)
                pairs.append(store.create_dataset(f"{boxes}{pair}", data=cell(rows), dtype=h5py.ref_dtype).ref)
            mat.create_dataset(boxes, data=cell([[one] for one in pairs]).reshape(1, -1), dtype=h5py.ref_dtype)
        tests = [refer(np.array([[1, 1 + k % 3], [2, 3], [3, 2]], float).T) for k in range(TEST_SETS)]
        mat.create_dataset("testsets", data=cell([[one] for one in tests]).reshape(1, -1), dtype=h5py.ref_dtype)
    names = [
        f"{pair}_{person:03d}_{view}_{number:02d}.png"
        for pair in (1, 2)
        for person in (1, 2)
        for view, number in ((1, 1), (1, 2), (2, 6))
    ]
    filelist = np.empty((len(names), 1), dtype=object)
    filelist[:, 0] = names
    config = {"filelist": filelist, "train_idx": [[1], [2], [3], [4], [5], [6]], "query_idx": [[7], [10]]}
    savemat(root / "cuhk03_new_protocol_config_labeled.mat", config | {"gallery_idx": [[8], [9], [11], [12]]})
    return root


@pytest.fixture(scope="module")
def cuhk03(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cuhk03(tmp_path_factory.mktemp("data") / "cuhk03_release")


@pytest.fixture(scope="module")
def cuhk01(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cuhk01(tmp_path_factory.mktemp("data") / "CUHK01")


def people(dataset: ReidDataset) -> list[set[int]]:
    return [{sample.pid for sample in side} for side in (dataset.train, dataset.query, dataset.gallery)]


def test_viper(tmp_path: Path) -> None:
    root = write_viper(tmp_path / "VIPeR")
    dataset = load_dataset(root, setting="3")
    train, query, gallery = people(dataset)
    assert (dataset.name, dataset.root, dataset.variant) == ("viper", root, "split 3 of 10, half of the people each")
    assert query == gallery
    assert len(train) == 5
    assert len(query) == 4
    assert not train & query
    assert {sample.path.parent.name for sample in dataset.query} == {"cam_a"}
    assert {sample.path.parent.name for sample in dataset.gallery} == {"cam_b"}
    assert load_viper(tmp_path, "3") == dataset  # one folder above, the same draw
    assert {frozenset(people(load_viper(root, str(split)))[1]) for split in range(10)} != {frozenset(query)}


def test_cuhk01(cuhk01: Path) -> None:
    dataset = load_dataset(cuhk01)
    train, query, gallery = people(dataset)
    assert (len(train), len(query), len(gallery)) == (871, 100, 100)
    assert not train & query
    assert len(dataset.train) == 4 * 871
    assert {sample.path.stem[-3:] for sample in dataset.query} == {"001", "002"}
    assert {sample.path.stem[-3:] for sample in dataset.gallery} == {"003", "004"}
    other = load_cuhk01(cuhk01, "485-1")
    assert [len(side) for side in people(other)] == [485, 486, 486]
    assert "variant: 871 people to train on, 100 to search for, draw 0" in describe(dataset)
    assert "wrong" not in describe(dataset)


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_cuhk03_old_protocol(cuhk03: Path, boxes: str) -> None:
    dataset = load_dataset(cuhk03, setting=f"{boxes}-old-1")
    train, query, gallery = people(dataset)
    assert query == gallery == {10_002, 20_003, 30_002}
    assert dataset.validation is not None
    chosen = people(dataset.validation)[1]
    assert len(chosen) == (12 + 8 + 4 - 3) // 2
    assert not train & (query | chosen)
    assert train | query | chosen == {10_000 * p + n for p in (1, 2, 3) for n in range(1, PEOPLE_OF_PAIRS[p - 1] + 1)}
    first, second = ({sample.path.stem.split("_")[2] for sample in side} for side in (dataset.query, dataset.gallery))
    assert (first, second) == ({"1"}, {"2"})
    assert len(dataset.query) == 3 * (4 if boxes == "labeled" else 3)
    assert len(dataset.gallery) == 3 * 4
    with Image.open(dataset.query[0].path) as image:
        found = np.asarray(image)
    pair, person, _, number = (int(part) for part in dataset.query[0].path.stem.split("_"))
    np.testing.assert_array_equal(found, pixels(pair, person, number))
    assert f"variant: {boxes} boxes, old protocol, test set 1 of 20" in describe(dataset)
    assert "wrong: query has 3 people, published 100" in describe(dataset)


def test_cuhk03_test_sets_differ(cuhk03: Path) -> None:
    one, other = (load_cuhk03(cuhk03, f"detected-old-{k}") for k in (0, 1))
    assert people(one)[1] != people(other)[1]
    assert load_cuhk03(cuhk03.parent, "detected-old-0") == one  # from one folder above


def test_cuhk03_new_protocol(cuhk03: Path) -> None:
    dataset = load_cuhk03(cuhk03, "labeled-new")
    assert [len(side) for side in (dataset.train, dataset.query, dataset.gallery)] == [6, 2, 4]
    assert people(dataset) == [{10_001, 10_002}, {20_001, 20_002}, {20_001, 20_002}]
    assert {sample.camid for sample in dataset.query} == {3}
    assert "wrong: train has 2 people, published 767" in describe(dataset)
    with pytest.raises(DatasetError, match=r"config_detected\.mat: no such file, which the new protocol needs"):
        load_dataset(cuhk03)  # detected-new


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("blue", "expected detected-new"),
        ("detected-new-1", "expected detected-new"),
        ("detected-old-20", "a number below 20"),
        ("labeled-old-x", "a number below 20"),
    ],
)
def test_cuhk03_settings_that_are_none(cuhk03: Path, setting: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_dataset(cuhk03, setting=setting)


def test_what_is_damaged_or_missing_is_named(tmp_path: Path, cuhk01: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "cuhk-03.mat").write_bytes(b"not HDF5")
    with pytest.raises(DatasetError, match=r"cuhk-03\.mat: cannot be read"):
        load_dataset(tmp_path / "a", setting="detected-old")
    assert not list((tmp_path / "a").glob("images_*[!t]"))  # nothing half written is taken for the images
    root = write_viper(tmp_path / "b")
    (root / "cam_b" / "004_90.bmp").unlink()
    with pytest.raises(DatasetError, match=r"the same people in both folders; in one only: \[4\]"):
        load_dataset(root)
    with pytest.raises(DatasetError, match="needs 971 people, there are 3"):
        load_dataset(write_cuhk01(tmp_path / "c", people=3))
    with pytest.raises(DatasetError, match="expected 871 or 485"):
        load_dataset(cuhk01, setting="500")
    with pytest.raises(DatasetError, match="a number below 10"):
        load_viper(write_viper(tmp_path / "d"), "10")
    (tmp_path / "e" / "query").mkdir(parents=True)
    with pytest.raises(DatasetError, match="only CUHK03, CUHK01 and VIPeR have settings"):
        load_dataset(tmp_path / "e", setting="0")


def test_the_doctor_takes_a_setting(cuhk03: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(cuhk03), "--setting", "detected-old-2"]) == 0
    assert "test set 2 of 20" in capsys.readouterr().out
