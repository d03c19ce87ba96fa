"""Joints of images: found beside them, batched with them, and moved with them when they are augmented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from reidops_models.data import Sample, load_keypoints
from reidops_models.data.keypoints import mirrored_joints
from reidops_models.mgre.recipe import MgreRecipe
from reidops_models.recipe import Images
from reidops_models.training.augment import augment, draw_affine
from reidops_models.training.data import ReidDataModule, TrainingError, TrainingImages

LEVELS_UP = 3  # folders above an image in which a keypoints file is looked for


def read_poses(samples: Sequence[Sample], keypoints: str = "keypoints.json") -> Tensor:
    """(N, 17, 3) joints of images, x and y as shares of the image, and v.

    An image that the file does not name has no joints: v is 0 for all of them, and its regions are masked.

    Args:
        samples: images.
        keypoints: a COCO keypoints file, absolute or below a folder that holds the images. Its names are paths below
            its own folder, or names of files alone.

    Raises:
        TrainingError: no such file, or it names none of the images.
        DatasetError: it cannot be read.
    """
    known: dict[Path, dict[str, Tensor]] = {}
    found, missing = [], 0
    for sample in samples:
        path = _find(sample.path, keypoints)
        if path not in known:
            known[path] = load_keypoints(path)
        joints = _joints_of(sample.path, path, known[path])
        if joints is None:
            missing += 1
            joints = torch.zeros(17, 3, dtype=torch.float32)
        else:
            with Image.open(sample.path) as image:
                joints = joints / torch.tensor([image.width, image.height, 1.0], dtype=torch.float32)
        found.append(joints)
    if samples and missing == len(samples):
        raise TrainingError(f"keypoints: {_find(samples[0].path, keypoints)} names none of the {missing} images")
    return torch.stack(found) if found else torch.zeros(0, 17, 3, dtype=torch.float32)


def move_poses(poses: Tensor, affine: Tensor) -> Tensor:
    """Joints where augmentation has moved them; those that left the image have v = 0.

    Args:
        poses: (B, 17, 3) as :func:`read_poses` gives them.
        affine: (B, 2, 3) of :func:`reidops_models.training.augment.draw_affine`, from output to input, in [-1, 1].

    Returns:
        (B, 17, 3). In a mirrored image a left joint is a right one.

    Example:
        >>> poses = torch.tensor([[[0.25, 0.5, 2.0]] * 17])
        >>> mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> move_poses(poses, mirror)[0, 0]
        tensor([0.7500, 0.5000, 2.0000])
    """
    scale = torch.stack((affine[:, 0, 0], affine[:, 1, 1]), dim=1)[:, None]
    shift = affine[:, None, :, 2]
    points = ((2 * poses[..., :2] - 1 - shift) / scale + 1) / 2
    inside = ((points >= 0) & (points <= 1)).all(dim=2)
    moved = torch.cat((points, (poses[..., 2] * inside)[..., None]), dim=2)
    return torch.where((affine[:, 0, 0] < 0)[:, None, None], moved[:, mirrored_joints()], moved)


class PosedImages(Dataset[tuple[Tensor, ...]]):
    """Training images with labels and joints."""

    def __init__(self, images: TrainingImages, poses: Tensor) -> None:
        self.images = images
        self.poses = poses

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return (*self.images[index], self.poses[index])

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        return (*self.images.__getitems__(indices), self.poses[indices])


class PoseDataModule(ReidDataModule):
    """Batches of images, labels, and the joints (B, 17, 3) of the images as they are after augmentation.

    Raises:
        TrainingError: there are no joints.
    """

    def __init__(self, images: TrainingImages, recipe: MgreRecipe) -> None:
        super().__init__(images, recipe)
        self.examples = PosedImages(images, read_poses(images.samples, recipe.keypoints))

    def prepare(self, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        images, labels, poses = batch
        varied, moved = augment_with_poses(images.to(torch.float32) / 255, poses, self.recipe.images)
        return varied.contiguous(memory_format=torch.channels_last), labels, moved


def augment_with_poses(images: Tensor, poses: Tensor, options: Images) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) varied, and their joints (B, 17, 3) where they are then."""
    affine = draw_affine(images, options)
    return augment(images, options, affine), move_poses(poses, affine)


def _find(image: Path, keypoints: str) -> Path:
    given = Path(keypoints)
    if given.is_absolute():
        if not given.is_file():
            raise TrainingError(f"keypoints: {given}: no such file")
        return given
    for folder in list(image.parents)[:LEVELS_UP]:
        if (folder / given).is_file():
            return folder / given
    raise TrainingError(
        f"keypoints: no {given} above {image}; a pose estimator writes one (reidops pose), and keypoints: names it"
    )


def _joints_of(image: Path, file: Path, known: dict[str, Tensor]) -> Tensor | None:
    names = [image.name]
    if image.is_relative_to(file.parent):
        names.insert(0, image.relative_to(file.parent).as_posix())
    return next((known[name] for name in names if name in known), None)
