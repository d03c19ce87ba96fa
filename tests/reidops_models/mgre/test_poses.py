"""Joints: found beside the images, and moved with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from reidops_models.data import DatasetError, ReidDataset, Sample
from reidops_models.data.synthetic import load_annotations
from reidops_models.mgre.poses import augment_with_poses, move_poses, read_poses
from reidops_models.recipe import Images
from reidops_models.training.data import TrainingError


def test_the_drawn_benchmarks_joints_are_the_annotated_ones(dataset: ReidDataset) -> None:
    annotations = load_annotations(dataset.root)
    samples = [*dataset.train[:5], *dataset.probes("partial_query")[:5]]
    poses = read_poses(samples)
    for sample, pose in zip(samples, poses, strict=True):
        expected = torch.tensor(annotations[sample.path.relative_to(dataset.root).as_posix()].keypoints)
        torch.testing.assert_close(pose, expected, atol=1e-3, rtol=0)


def sample_at(path: Path) -> Sample:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 40)).save(path)
    return Sample(path, 1, 1)


def test_files_are_found_above_the_image_and_by_name(tmp_path: Path) -> None:
    one, other = sample_at(tmp_path / "train" / "a.jpg"), sample_at(tmp_path / "train" / "b.jpg")
    results = [{"image_id": "a.jpg", "keypoints": [10, 10, 0.5] * 17}]
    (tmp_path / "keypoints.json").write_text(json.dumps(results))
    poses = read_poses([one, other])
    assert poses[0, 0].tolist() == [0.5, 0.25, 0.5]
    assert poses[1].abs().sum() == 0  # not in the file: masked
    absolute = tmp_path / "elsewhere.json"
    absolute.write_text(json.dumps([{"image_id": "train/b.jpg", "keypoints": [20, 40, 1] * 17}]))
    assert read_poses([other], str(absolute))[0, 0].tolist() == [1, 1, 1]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    sample = sample_at(tmp_path / "train" / "a.jpg")
    with pytest.raises(
        TrainingError, match=r"keypoints: no keypoints\.json above .*a\.jpg; a pose estimator writes one"
    ):
        read_poses([sample])
    with pytest.raises(TrainingError, match=r"keypoints: /nowhere/k\.json: no such file"):
        read_poses([sample], "/nowhere/k.json")
    (tmp_path / "keypoints.json").write_text(json.dumps([{"image_id": "other.jpg", "keypoints": [0] * 51}]))
    with pytest.raises(TrainingError, match="names none of the 1 images"):
        read_poses([sample])
    (tmp_path / "keypoints.json").write_text("{")
    with pytest.raises(DatasetError, match="not JSON"):
        read_poses([sample])


def spots(poses: Tensor, size: tuple[int, int]) -> Tensor:
    """Images with one bright blob at the first joint."""
    height, width = size
    y = (torch.arange(height) + 0.5).view(-1, 1) / height
    x = (torch.arange(width) + 0.5) / width
    far = (x - poses[:, :1, 0, None]) ** 2 + ((y - poses[:, :1, 1, None]) * height / width) ** 2
    return torch.exp(-far / 0.01)[:, None].expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    "options", [{"flip": 0.0}, {"flip": 1.0}, {"shift": 0.1}, {"partial": 1.0}, {"flip": 0.5, "shift": 0.1}]
)
def test_joints_go_where_the_image_goes(options: dict[str, float]) -> None:
    torch.manual_seed(0)
    poses = torch.cat((0.3 + 0.4 * torch.rand(32, 17, 2), torch.ones(32, 17, 1)), dim=2)
    poses[:, 1:] = poses[:, :1]
    size = (64, 32)
    varied, moved = augment_with_poses(spots(poses, size), poses, Images(size=size, **{"flip": 0.0, **options}))
    for image, pose in zip(varied, moved, strict=True):
        if pose[0, 2] > 0 and 0.1 < float(pose[0, 0]) < 0.9 and 0.1 < float(pose[0, 1]) < 0.9:
            row, column = divmod(int(image[0].argmax()), size[1])
            assert (column + 0.5) / size[1] == pytest.approx(float(pose[0, 0]), abs=1.6 / size[1])
            assert (row + 0.5) / size[0] == pytest.approx(float(pose[0, 1]), abs=2.6 / size[0])


def test_a_mirrored_left_hand_is_a_right_one() -> None:
    poses = torch.zeros(1, 17, 3)
    poses[0, 9] = torch.tensor([0.2, 0.5, 2.0])  # the left wrist
    mirror = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]]])
    moved = move_poses(poses, mirror)
    assert moved[0, 10].tolist() == pytest.approx([0.8, 0.5, 2.0])
    assert moved[0, 9, 2] == 0
    torch.testing.assert_close(move_poses(moved, mirror), poses)


def test_joints_that_leave_the_image_are_not_there() -> None:
    poses = torch.tensor([[0.1, 0.5, 2.0]]).expand(1, 17, 3).clone()
    crop = torch.tensor([[[0.5, 0, 0.5], [0, 1, 0]]])  # the right half
    moved = move_poses(poses, crop)
    assert moved[0, :, 2].abs().sum() == 0
    assert float(moved[0, 0, 0]) == pytest.approx(-0.8)
