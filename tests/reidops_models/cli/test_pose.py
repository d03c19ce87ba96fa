"""`reidops pose` with a stand-in for the pose package, and without any."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from reidops_models.data import list_images, load_keypoints, load_market1501
from reidops_models.mgre.poses import read_poses

from .conftest import Run


class RTMPose:
    """Answers as rtmlib's does: joints of one person, (1, 17, 2) in pixels, and scores (1, 17)."""

    devices: ClassVar[list[str]] = []

    def __init__(self, onnx_model: str, model_input_size: tuple[int, int], device: str) -> None:
        self.devices.append(device)
        if "missing" in onnx_model:
            raise FileNotFoundError(f"{onnx_model} is not there")
        assert model_input_size == (192, 256)

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert image.dtype == np.uint8
        height, width = image.shape[:2]
        points = np.tile([[width / 2, height / 4]], (17, 1))[None]
        scores = np.full((1, 17), 0.9)
        scores[0, 0] = 0.1  # not sure of the nose
        return points, scores


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("rtmlib")
    module.RTMPose = RTMPose
    monkeypatch.setitem(sys.modules, "rtmlib", module)
    runtime: Any = ModuleType("onnxruntime")
    runtime.get_available_providers = lambda: ["CPUExecutionProvider"]
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)


@pytest.mark.usefixtures("package")
def test_writes_what_training_reads(run: Run, people: Path, tmp_path: Path) -> None:
    out = tmp_path / "keypoints.json"
    code, printed, complaints = run("pose", "--images", people / "query", "--out", out, "--weights", "w.onnx")
    assert (code, complaints) == (0, [])
    count = len(list_images(people / "query"))
    assert f"({count} images, 0 of them without a joint)" in printed
    joints = load_keypoints(out)
    assert len(joints) == count
    poses = read_poses(load_market1501(people).query, str(out))
    assert poses[:, 0].abs().sum() == 0
    assert poses[0, 1].tolist() == pytest.approx([0.5, 0.25, 2.0], abs=0.01)


@pytest.mark.usefixtures("package")
def test_the_file_lies_in_the_data_sets_folder(run: Run, people: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "train").mkdir(parents=True)
    source = list_images(people / "query")[0]
    (folder / "train" / source.name).write_bytes(source.read_bytes())
    (folder / "train" / "broken.jpg").write_bytes(b"no image")
    code, _, complaints = run("pose", "--images", folder / "train")
    assert code == 1
    assert "broken.jpg" in complaints[0]
    assert list(load_keypoints(folder / "keypoints.json")) == [f"train/{source.name}"]


@pytest.mark.usefixtures("package")
def test_missing_weights_are_one_line(run: Run, people: Path, tmp_path: Path) -> None:
    code, _, complaints = run(
        "pose", "--images", people / "query", "--out", tmp_path / "k.json", "--weights", "missing"
    )
    assert code == 2
    assert complaints == ["reidops: missing: no weights of a pose estimator there: missing is not there"]


@pytest.mark.usefixtures("package")
def test_the_device_is_where_the_runtime_computes(
    run: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("pose", "--images", people / "query", "--out", tmp_path / "k.json")
    code, _, complaints = run(*arguments, "--device", "cuda")
    assert code == 2
    assert complaints == [
        "reidops: --device: no cuda for the pose package: ONNX Runtime has CPUExecutionProvider (onnxruntime-gpu)"
    ]
    assert run(*arguments, "--device", "cuda:1")[2] == [
        "reidops: --device: expected auto, cpu or cuda for the pose package, got 'cuda:1'"
    ]
    assert run(*arguments)[0] == 0
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(sys.modules["onnxruntime"], "get_available_providers", lambda: both)
    for words in ([], ["--device", "cuda"], ["--device", "cpu"]):
        assert run(*arguments, *words)[0] == 0
    assert RTMPose.devices[-4:] == ["cpu", "cuda", "cuda", "cpu"]


def test_a_missing_package_is_one_line(run: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    code, _, complaints = run("pose", "--images", people / "query", "--out", tmp_path / "k.json")
    assert code == 2
    assert len(complaints) == 1
    assert complaints[0].startswith("reidops: the pose package rtmlib is missing")
    assert complaints[0].endswith("pip install 'reidops[pose]'")
