"""What is known exactly about a drawn image, and the file it is kept in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from reidops_models.data.keypoints import KEYPOINTS, KEYPOINTS_FILE, save_keypoints
from reidops_models.data.synthetic.occlusion import Box

__all__ = [
    "ANNOTATIONS_FILE",
    "FORMAT",
    "Annotation",
    "load_annotations",
    "read_header",
    "save_annotations",
    "write_keypoints",
]

ANNOTATIONS_FILE = "annotations.json"
FORMAT = "reidops synthetic 1"
DIGITS = 4


@dataclass(frozen=True)
class Annotation:
    """Where the person is in an image. All positions are fractions of the image's width and height.

    Attributes:
        person: the person frame, a box half as wide as high, centred on the body, from crown to soles. It may reach
            out of the image. Equal positions in the frames of two images are equal parts of the body, so that the
            part of a whole image that a partial probe shows is known across images.
        keypoints: COCO-17 (x, y, v) in the order of `KEYPOINTS`; v is 2 seen, 1 hidden by the body or an object, 0
            outside.
        crop: the part of the uncropped image that a partial probe shows, else None.
        occluder: what an object covers in an occluded probe, else None.
    """

    person: Box
    keypoints: tuple[tuple[float, float, int], ...]
    crop: Box | None = None
    occluder: Box | None = None

    def cropped(self, crop: Box) -> Annotation:
        """The annotation of the part of the image inside `crop`."""
        left, top, right, bottom = crop
        width, height = right - left, bottom - top
        x0, y0, x1, y1 = self.person
        points = [((x - left) / width, (y - top) / height, v) for x, y, v in self.keypoints]
        return Annotation(
            person=((x0 - left) / width, (y0 - top) / height, (x1 - left) / width, (y1 - top) / height),
            keypoints=tuple((x, y, v if _inside(x, y, (0, 0, 1, 1)) else 0) for x, y, v in points),
            crop=crop,
        )

    def occluded(self, occluder: Box) -> Annotation:
        """The annotation after an object was put before the person."""
        points = ((x, y, min(v, 1) if _inside(x, y, occluder) else v) for x, y, v in self.keypoints)
        return replace(self, keypoints=tuple(points), occluder=occluder)


def _inside(x: float, y: float, box: Box) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def load_annotations(root: str | os.PathLike[str]) -> dict[str, Annotation]:
    """The annotations of a synthetic benchmark (or of its `validation` folder), by `folder/file` below `root`."""
    content = json.loads((Path(root) / ANNOTATIONS_FILE).read_text())
    return {name: _from_json(entry) for name, entry in content["images"].items()}


def read_header(root: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What annotations.json says about the benchmark as a whole; None where there is no such file, or
    one of another format."""
    try:
        content = json.loads((Path(root) / ANNOTATIONS_FILE).read_text())
        header = {key: content[key] for key in ("format", "size", "seed", "plan", "split")}
        return header if header["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save_annotations(root: Path, header: Mapping[str, Any], images: Mapping[str, Annotation]) -> None:
    """Write annotations.json: the header, the names of the keypoints, and one line for each image."""
    head = json.dumps({**header, "keypoint_names": KEYPOINTS})[:-1]
    lines = (f"{json.dumps(name)}: {json.dumps(_to_json(images[name]))}" for name in sorted(images))
    (root / ANNOTATIONS_FILE).write_text(head + ', "images": {\n' + ",\n".join(lines) + "\n}}\n")


def write_keypoints(root: Path) -> None:
    """Write keypoints.json, the exact joints in the format of pose estimators, from annotations.json."""
    joints, sizes = {}, {}
    for name, annotation in load_annotations(root).items():
        with Image.open(root / name) as image:
            width, height = image.size
        sizes[name] = (height, width)
        joints[name] = torch.tensor(annotation.keypoints) * torch.tensor([width, height, 1.0])
    save_keypoints(root / KEYPOINTS_FILE, joints, sizes)


def _to_json(annotation: Annotation) -> dict[str, Any]:
    def rounded(value: Any) -> Any:
        return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else round(value, DIGITS)

    return {key: rounded(value) for key, value in asdict(annotation).items() if value is not None}


def _from_json(entry: Mapping[str, Any]) -> Annotation:
    boxes: dict[str, Any] = {key: tuple(entry[key]) for key in ("person", "crop", "occluder") if key in entry}
    return Annotation(keypoints=tuple((x, y, v) for x, y, v in entry["keypoints"]), **boxes)
