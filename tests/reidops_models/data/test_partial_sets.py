"""Partial-REID and Partial-iLIDS, on small trees in every layout in which they are in circulation."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from reidops_models.cli import main
from reidops_models.data import (
    DatasetError,
    describe,
    load_dataset,
    load_partial_ilids,
    load_partial_reid,
    write_synthetic,
)

REID = ("partial_body_images", "occluded_body_images", "whole_body_images")
ILIDS = (
    ("Probe", "Gallery"),
    ("probe", "gallery"),
    ("query", "gallery"),
    ("partial_body_images", "whole_body_images"),
)


def save(path: Path, size: tuple[int, int] = (4, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write_reid(root: Path, folders: tuple[str, ...] = REID, people: int = 3, suffix: str = "jpg") -> Path:
    for folder in folders:
        for pid in range(1, people + 1):
            for number in range(1, 6):
                save(root / folder / f"{pid:03d}_{number:03d}.{suffix}")
    return root


def write_ilids(root: Path, folders: tuple[str, str], people: int = 4, ending: str = "") -> Path:
    for folder in folders:
        for pid in range(1, people + 1):
            save(root / folder / f"{pid:03d}{ending}.jpg", (30 + pid, 80))
    return root


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_partial_reid(tmp_path: Path, suffix: str) -> None:
    root = write_reid(tmp_path / "Partial-REID", suffix=suffix)
    dataset = load_dataset(root)
    assert (dataset.name, dataset.root, dataset.train) == ("partial-reid", root, [])
    assert dataset.probe_sets == ("query", "partial_query", "occluded_query")
    assert [len(dataset.probes(name)) for name in dataset.probe_sets] == [15, 15, 15]
    assert {sample.path.parent.name for sample in dataset.query} == {"partial_body_images"}
    assert {sample.path.parent.name for sample in dataset.gallery} == {"whole_body_images"}
    assert [sample.pid for sample in dataset.query] == [1] * 5 + [2] * 5 + [3] * 5
    assert {sample.camid for sample in dataset.query} == {0}
    assert {sample.camid for sample in dataset.gallery} == {1}


def test_the_query_folder_is_a_choice(tmp_path: Path) -> None:
    root = write_reid(tmp_path)
    occluded = load_dataset(root, query="occluded")
    assert list(occluded.query) == list(occluded.probes("occluded_query"))
    assert {sample.path.parent.name for sample in occluded.query} == {"occluded_body_images"}
    assert "  variant: query: occluded_body_images" in describe(occluded)
    assert "  variant: query: partial_body_images" in describe(load_partial_reid(root))
    with pytest.raises(DatasetError, match="query must be partial or occluded, got 'whole'"):
        load_dataset(root, query="whole")
    with pytest.raises(DatasetError, match="only Partial-REID has a choice of query, got query 'occluded'"):
        load_dataset(write_ilids(tmp_path / "ilids", ILIDS[0]), query="occluded")


def test_partial_reid_with_one_kind_of_probe(tmp_path: Path) -> None:
    root = write_reid(tmp_path / "archive" / "Partial_REID", ("partial_body_images", "whole_body_images"))
    dataset = load_dataset(tmp_path / "archive")  # which holds nothing but the set
    assert dataset.root == root
    assert dataset.probe_sets == ("query", "partial_query")
    assert "  not there: occluded images" in describe(dataset)
    with pytest.raises(DatasetError, match="expected folders whole_body_images and occluded_body_images"):
        load_dataset(root, query="occluded")


def test_folders_for_each_person(tmp_path: Path) -> None:
    for folder in REID:
        for pid in (2, 11):
            save(tmp_path / folder / f"{pid:03d}" / f"{pid:03d}_01.jpg")
    assert [sample.pid for sample in load_dataset(tmp_path).gallery] == [2, 11]


@pytest.mark.parametrize("ending", ["", "_1"])  # 001_1.jpg in the data that DSR's code came with
@pytest.mark.parametrize("folders", ILIDS, ids="-".join)
def test_partial_ilids(tmp_path: Path, folders: tuple[str, str], ending: str) -> None:
    root = write_ilids(tmp_path / "P-iLIDS", folders, ending=ending)
    dataset = load_dataset(root)
    assert dataset.name == "partial-ilids"
    assert dataset.probe_sets == ("query", "partial_query")
    assert [(s.pid, s.camid, s.path.parent.name) for s in dataset.query] == [(i, 0, folders[0]) for i in (1, 2, 3, 4)]
    assert [(s.pid, s.camid, s.path.parent.name) for s in dataset.gallery] == [(i, 1, folders[1]) for i in (1, 2, 3, 4)]
    text = describe(dataset)
    assert f"  variant: folders {folders[0]} and {folders[1]}" in text
    assert "  wrong: query has 4, published 119" in text
    assert "query 80x31 to 80x34 and gallery 80x31 to 80x34" in text


def test_published_counts_are_no_complaint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reid, ilids = write_reid(tmp_path / "reid", people=60), write_ilids(tmp_path / "ilids", ILIDS[0], people=119)
    assert main(["data", "check", str(reid), str(ilids)]) == 0
    text = capsys.readouterr().out
    assert "wrong" not in text
    assert "  gallery: 300 images, 60 identities, 1 camera" in text
    assert "  gallery: 119 images, 119 identities, 1 camera" in text


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="expected folders Probe and Gallery, or query and gallery, or"):
        load_partial_ilids(tmp_path)
    root = write_reid(tmp_path / "reid")
    save(root / "whole_body_images" / "holiday.jpg")
    with pytest.raises(DatasetError, match=r"holiday.jpg: expected a name that begins with the person's number"):
        load_dataset(root)
    empty = tmp_path / "empty"
    for folder in ILIDS[0]:
        (empty / folder).mkdir(parents=True)
    with pytest.raises(DatasetError, match="Probe: no image files in this folder"):
        load_dataset(empty)


def test_a_image_out_of_place_does_not_hide_the_data_set(tmp_path: Path) -> None:
    save(write_ilids(tmp_path, ("query", "gallery")) / "query" / "holiday.jpg")
    with pytest.raises(DatasetError, match=r"holiday.jpg: expected a name that begins with the person's number"):
        load_dataset(tmp_path)


def test_what_archives_leave_behind_is_no_folder_of_the_set(tmp_path: Path) -> None:
    root = write_ilids(tmp_path / "P-iLIDS", ("query", "gallery"), ending="_1")
    save(tmp_path / "__MACOSX" / "P-iLIDS" / "._001_1.jpg")
    assert load_dataset(tmp_path).root == root


def test_an_unknown_layout_is_told_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match=r"(?s)Market-1501.*Partial-REID.*Partial-iLIDS.*folders in it: images"):
        load_dataset(tmp_path)


def test_market_layout_is_still_known(tmp_path: Path) -> None:
    assert load_dataset(write_synthetic(tmp_path / "people", "tiny", workers=1)).name == "synthetic"
