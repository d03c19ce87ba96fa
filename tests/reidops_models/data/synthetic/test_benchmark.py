from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidops_models.cli import main
from reidops_models.data import describe, load_market1501, parse_market1501_name
from reidops_models.data.synthetic import SIZES, BenchmarkSize, load_annotations, write_synthetic
from reidops_models.data.synthetic.people import GROUP_SIZE
from reidops_models.data.synthetic.sheet import draw_sheet

MEAN_COLORS = {
    "bounding_box_train": [135.1, 132.9, 115.7],
    "query": [128.9, 126.5, 111.9],
    "partial_query": [129.7, 128.3, 113.9],
    "occluded_query": [134.5, 126.8, 119.1],
    "bounding_box_test": [126.9, 124.1, 105.7],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_synthetic(tmp_path_factory.mktemp("drawn") / "people", "tiny", seed=5, workers=1)


def fingerprint(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


def test_same_seed_same_bytes_whatever_the_workers(root, tmp_path):
    assert fingerprint(write_synthetic(tmp_path / "again", "tiny", seed=5, workers=3)) == fingerprint(root)


def test_another_seed_is_another_benchmark(root, tmp_path):
    other = fingerprint(write_synthetic(tmp_path / "other", "tiny", seed=6, workers=1))
    assert not set(other.values()) & set(fingerprint(root).values())


def test_the_images_stay_what_they_are(root):
    """Decoded images, averaged: results on the benchmark can be compared only as long as these hold.

    Averages leave room for another libjpeg, or another processor's last digit.
    """
    for name, expected in MEAN_COLORS.items():
        images = [np.asarray(Image.open(path), np.float64) for path in sorted((root / name).iterdir())]
        found = np.mean([image.mean((0, 1)) for image in images], axis=0)
        np.testing.assert_allclose(found, expected, atol=0.3, err_msg=name)


def test_more_gallery_images_change_no_other(root, tmp_path):
    plan = replace(SIZES["tiny"], gallery_images=3)
    more = write_synthetic(tmp_path / "more", plan, seed=5, workers=1)
    one, three = ({k: v for k, v in fingerprint(where).items() if k.endswith(".jpg")} for where in (root, more))
    assert one.items() <= three.items()
    added = load_market1501(more)
    assert set(three) - set(one) == {
        str(sample.path.relative_to(more))
        for split in (added, added.validation)
        for sample in split.gallery
        if sample.path.name.split("_")[2] in ("000004", "000005") and sample.pid
    }
    assert len(added.gallery) == plan.counts()["gallery"] == 3 * 8 + 4
    cameras = {}
    for sample in added.gallery:
        cameras.setdefault(sample.pid, set()).add(sample.camid)
    assert all(len(seen) == 1 for pid, seen in cameras.items() if pid)
    with pytest.raises(ValueError, match="gallery_images must be at least 1, got 0"):
        replace(plan, gallery_images=0)


def test_a_benchmark_from_before_the_choice_is_known(root, tmp_path):
    old = shutil.copytree(root, tmp_path / "old")
    path = old / "annotations.json"
    path.write_text(path.read_text().replace(', "gallery_images": 1', ""))
    before = fingerprint(old)
    assert write_synthetic(old, "tiny", seed=5, workers=1) == old
    assert fingerprint(old) == before != fingerprint(root)


def test_groups_are_never_split():
    with pytest.raises(ValueError, match=f"test_people must be a multiple of {GROUP_SIZE}, got 6"):
        replace(SIZES["tiny"], test_people=6)


def test_layout(root):
    dataset, plan = load_market1501(root), SIZES["tiny"]
    counts = {"train": len(dataset.train), "gallery": len(dataset.gallery)}
    counts |= {name: len(dataset.probes(name)) for name in dataset.probe_sets}
    assert counts == plan.counts()
    assert dataset.name == "synthetic"
    held_out = dataset.validation
    counts = {"train": len(held_out.train), "gallery": len(held_out.gallery)}
    assert counts | {name: len(held_out.probes(name)) for name in held_out.probe_sets} == plan.counts(validation=True)
    assert sum(sample.pid == 0 for sample in dataset.gallery) == plan.distractors


def test_no_identity_is_in_two_splits(root):
    dataset = load_market1501(root)
    train, test, held_out = ({s.pid for s in part} for part in (dataset.train, dataset.query, dataset.validation.query))
    assert not train & test | train & held_out | test & held_out
    assert test == {s.pid for s in dataset.gallery} - {0}


def test_probes_and_gallery_are_from_different_cameras(root):
    for dataset in (load_market1501(root), load_market1501(root).validation):
        camera = {sample.pid: sample.camid for sample in dataset.gallery}
        for name in dataset.probe_sets:
            assert all(sample.camid != camera[sample.pid] for sample in dataset.probes(name))


def test_partial_probes_are_parts_of_the_query_images(root):
    annotations = load_annotations(root)
    parts = []
    for path in sorted((root / "partial_query").iterdir()):
        left, top, right, bottom = annotations[f"partial_query/{path.name}"].crop
        part, whole = (np.asarray(Image.open(p), np.float64) for p in (path, root / "query" / path.name))
        height, width = whole.shape[:2]
        cut = whole[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
        assert part.shape == cut.shape
        assert np.abs(part - cut).mean() < 12  # written as JPEG each on its own
        parts.append((right - left) * (bottom - top))
    assert min(parts) >= 0.38
    assert max(parts) <= 0.82


def test_every_image_is_annotated(root):
    for split in (root, root / "validation"):
        annotations = load_annotations(split)
        folders = [f for f in split.iterdir() if f.is_dir() and f.name != "validation"]
        assert set(annotations) == {f"{f.name}/{p.name}" for f in folders for p in f.iterdir()}
        assert all((a.crop is not None) == name.startswith("partial") for name, a in annotations.items())
        assert all((a.occluder is not None) == name.startswith("occluded") for name, a in annotations.items())
        assert all(parse_market1501_name(Path(name).name) for name in annotations)
    assert json.loads((root / "annotations.json").read_text())["keypoint_names"][0] == "nose"


def test_a_complete_benchmark_is_kept(root):
    before = (root / "annotations.json").stat().st_mtime_ns
    assert write_synthetic(root, "tiny", seed=5) == root
    assert (root / "annotations.json").stat().st_mtime_ns == before


def test_anything_else_is_not_overwritten(root, tmp_path):
    with pytest.raises(FileExistsError, match=r"holds something other than this benchmark \(size tiny, seed 6\)"):
        write_synthetic(root, "tiny", seed=6)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="choose another folder"):
        write_synthetic(tmp_path, "tiny")


def test_an_interrupted_run_leaves_no_folder(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("reidops_models.data.synthetic.benchmark.save_annotations", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_synthetic(tmp_path / "people", "tiny", workers=1)
    assert not (tmp_path / "people").exists()
    write_synthetic(tmp_path / "people", "tiny", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["people"]


def test_a_size_of_ones_own(tmp_path):
    size = BenchmarkSize(32, 16, 4, 4, 4, distractors=0, train_images=1, probe_images=1)
    dataset = load_market1501(write_synthetic(tmp_path / "own", size, workers=1, progress=True))
    assert (len(dataset.train), len(dataset.query)) == (4, 4)
    assert Image.open(dataset.query[0].path).size == (16, 32)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="size must be one of tiny, small, medium, got 'huge'"):
        write_synthetic(tmp_path / "a", "huge")
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        write_synthetic(tmp_path / "a", "tiny", seed=-1)


def test_command_line(tmp_path, capsys):
    assert (
        main(
            [
                "synth",
                str(tmp_path / "people"),
                "--size",
                "tiny",
                "--workers",
                "1",
                "--sheet",
                str(tmp_path / "new" / "sheet.png"),
            ]
        )
        == 0
    )
    assert load_market1501(tmp_path / "people").query
    assert (tmp_path / "new" / "sheet.png").stat().st_size < 300_000
    assert main(["synth", str(tmp_path)]) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_the_sheet_has_a_row_for_each_of_two_look_alikes():
    one, two = draw_sheet(groups=1), draw_sheet(groups=2)
    assert one.width == two.width
    assert two.height - one.height == 2 * 134


def test_strangers_have_probes_and_no_gallery_image_and_change_no_other(root, tmp_path):
    crowd = write_synthetic(tmp_path / "crowd", "tiny", seed=5, strangers=4, workers=1)
    before, after = (
        {name: value for name, value in fingerprint(folder).items() if name.endswith(".jpg")}
        for folder in (root, crowd)
    )
    assert before.items() < after.items()
    assert write_synthetic(crowd, "tiny", seed=5, strangers=4) == crowd  # this very benchmark
    for split in (crowd, crowd / "validation"):
        of = {
            folder: {path.name.partition("_")[0] for path in (split / folder).iterdir()}
            for folder in ("query", "partial_query", "occluded_query", "bounding_box_test")
        }
        assert of["query"] == of["partial_query"] == of["occluded_query"]
        assert len(of["query"] - of["bounding_box_test"]) == 4
    assert "wrong" not in describe(load_market1501(crowd))
    with pytest.raises(ValueError, match="strangers must be a multiple of 4, got 6"):
        write_synthetic(tmp_path / "other", "tiny", strangers=6)
    with pytest.raises(FileExistsError):
        write_synthetic(crowd, "tiny", seed=5)
