"""Body joints of images, from a COCO keypoints file: the format that every pose estimator writes.

Two layouts are read: a data set ({"images": [...], "annotations": [...]}, images by their `file_name`), and a list of
results ([{"image_id": "a.jpg", "keypoints": [...]}, ...], images by their `image_id`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reidops_models.data.dataset import DatasetError

__all__ = ["KEYPOINTS", "KEYPOINTS_FILE", "load_keypoints", "mirrored_joints", "save_keypoints"]

KEYPOINTS_FILE = "keypoints.json"
KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
"""COCO's 17 joints in COCO's order."""


def load_keypoints(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Joints by image.

    Of several people in an image the one with the highest `score` is taken, or, without scores, the first.

    Args:
        path: a COCO keypoints file.

    Returns:
        By the image's name, as the file has it: (17, 3) float32, x and y in pixels, and v: above 0 where a joint is
        there. COCO's v is 0, 1 (hidden) or 2 (seen); pose estimators write how sure they are.

    Raises:
        DatasetError: the file cannot be read, is in neither layout, or has other than 17 joints.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "keypoints.json")
        ...     _ = file.write_text(json.dumps([{"image_id": "a.jpg", "keypoints": [4, 6, 0.9] * 17}]))
        ...     load_keypoints(file)["a.jpg"][0]
        tensor([4.0000, 6.0000, 0.9000])
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DatasetError(f"{path}: not JSON: {error}") from error
    try:
        if isinstance(content, dict):
            names = {image["id"]: str(image["file_name"]) for image in content["images"]}
            people = [(names[one["image_id"]], one) for one in content["annotations"]]
        else:
            people = [(str(one["image_id"]), one) for one in content]
        return _best(path, people)
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: not a COCO keypoints file: {type(error).__name__}: {error}") from error


def save_keypoints(path: str | os.PathLike[str], joints: Mapping[str, Tensor], sizes: Mapping[str, Any]) -> None:
    """Write a COCO keypoints file, as a data set.

    Args:
        path: of the file.
        joints: by image, as :func:`load_keypoints` gives them.
        sizes: (height, width) of each image, in pixels.

    Raises:
        KeyError: an image without a size.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "keypoints.json")
        ...     save_keypoints(file, {"a.jpg": torch.full((17, 3), 2.0)}, {"a.jpg": (128, 64)})
        ...     load_keypoints(file)["a.jpg"].shape
        torch.Size([17, 3])
    """
    numbers = {name: number for number, name in enumerate(sorted(joints), start=1)}
    images = [
        {"id": number, "file_name": name, "height": int(sizes[name][0]), "width": int(sizes[name][1])}
        for name, number in numbers.items()
    ]
    annotations = [
        {
            "id": number,
            "image_id": number,
            "category_id": 1,
            "num_keypoints": int((joints[name][:, 2] > 0).sum()),
            "keypoints": [round(value, 2) for value in joints[name].flatten().tolist()],
        }
        for name, number in numbers.items()
    ]
    category = {"id": 1, "name": "person", "keypoints": list(KEYPOINTS)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    Path(path).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def mirrored_joints() -> list[int]:
    """Where each joint is found in a mirrored image: left and right change places.

    Example:
        >>> [KEYPOINTS[index] for index in mirrored_joints()][5:7]
        ['right_shoulder', 'left_shoulder']
    """
    turned = {"left": "right", "right": "left"}
    names = [side.partition("_") for side in KEYPOINTS]
    return [KEYPOINTS.index(f"{turned.get(first, first)}{joint}{rest}") for first, joint, rest in names]


def _best(path: str | os.PathLike[str], people: list[tuple[str, Mapping[str, Any]]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    scores: dict[str, float] = {}
    for name, person in people:
        values = person["keypoints"]
        if len(values) != 3 * len(KEYPOINTS):
            raise DatasetError(f"{path}: {name}: expected 17 joints of 3 numbers, got {len(values)} numbers")
        score = float(person.get("score", -math.inf))
        if name not in found or score > scores[name]:
            found[name] = torch.tensor(values, dtype=torch.float32).view(len(KEYPOINTS), 3)
            scores[name] = score
    return found
