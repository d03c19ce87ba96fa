"""COCO keypoints files, in both layouts, written and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidops_models.data import KEYPOINTS, DatasetError, load_keypoints, save_keypoints, write_synthetic
from reidops_models.data.keypoints import mirrored_joints
from reidops_models.data.synthetic import load_annotations


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    joints = {f"{name}.jpg": (torch.rand(17, 3) * 100).round(decimals=2) for name in "ab"}
    save_keypoints(tmp_path / "k.json", joints, {"a.jpg": (128, 64), "b.jpg": (80, 40)})
    found = load_keypoints(tmp_path / "k.json")
    assert set(found) == set(joints)
    for name, one in found.items():
        torch.testing.assert_close(one, joints[name], atol=0.006, rtol=0)
    content = json.loads((tmp_path / "k.json").read_text())
    assert {image["file_name"]: (image["height"], image["width"]) for image in content["images"]} == {
        "a.jpg": (128, 64),
        "b.jpg": (80, 40),
    }
    assert content["categories"][0]["keypoints"] == list(KEYPOINTS)


def test_of_several_people_the_surest_is_taken(tmp_path: Path) -> None:
    people = [(0.2, 1), (0.9, 2), (0.5, 3)]
    results = [{"image_id": "a.jpg", "score": score, "keypoints": [number] * 51} for score, number in people]
    assert load_keypoints(write(tmp_path / "k.json", results))["a.jpg"][0, 0] == 2
    unscored = [{"image_id": "a.jpg", "keypoints": [number] * 51} for _, number in people]
    assert load_keypoints(write(tmp_path / "k.json", unscored))["a.jpg"][0, 0] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"image_id": "a.jpg", "keypoints": [1] * 50}], "a.jpg: expected 17 joints of 3 numbers, got 50 numbers"),
        ([{"keypoints": [1] * 51}], "not a COCO keypoints file: KeyError: 'image_id'"),
        ({"images": []}, "not a COCO keypoints file: KeyError: 'annotations'"),
        ({"images": [], "annotations": [{"image_id": 1, "keypoints": []}]}, "not a COCO keypoints file: KeyError: 1"),
        ([3], "not a COCO keypoints file: TypeError"),
        (None, "not a COCO keypoints file: TypeError"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_keypoints(write(tmp_path / "k.json", content))


def test_mirrored_twice_is_as_before() -> None:
    order = mirrored_joints()
    assert [order[index] for index in order] == list(range(17))
    assert order[0] == 0
    assert order[1] == 2


def test_the_drawn_benchmark_writes_exact_joints(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path / "people", "tiny", workers=1)
    for folder in (root, root / "validation"):
        joints = load_keypoints(folder / "keypoints.json")
        annotations = load_annotations(folder)
        assert set(joints) == set(annotations)
        name = next(iter(annotations))
        seen = [v for _, _, v in annotations[name].keypoints]
        assert joints[name][:, 2].tolist() == seen


def test_a_benchmark_from_before_there_were_joints_gets_them(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path / "people", "tiny", workers=1)
    before = (root / "keypoints.json").read_bytes()
    (root / "keypoints.json").unlink()
    write_synthetic(root, "tiny", workers=1)
    assert (root / "keypoints.json").read_bytes() == before
