"""Data sets without cameras: a folder of probes, a folder of gallery images, and identities in the file names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from reidops_models.data.dataset import DatasetError, Sample
from reidops_models.data.images import list_images

__all__ = ["GALLERY_CAMERA", "PROBE_CAMERA", "find_folders", "load_people", "one_image_each"]

PROBE_CAMERA, GALLERY_CAMERA = 0, 1
"""Toolboxes give these to sets that name no cameras, so that no protocol leaves a gallery image out."""

_DEPTH = 3  # folders that hold nothing but the next one
_LEFT_BY_ARCHIVES = "__macosx"


def find_folders(root: str | os.PathLike[str], names: Sequence[str]) -> dict[str, Path] | None:
    """The folders of these names in `root`, or in the only folder in `root`, which an archive may have unpacked to.

    Upper and lower case are alike. None if one is not there.
    """
    root = Path(root)
    for _ in range(_DEPTH):
        found = {path.name.lower(): path for path in sorted(root.glob("[!.]*")) if path.is_dir()}
        found.pop(_LEFT_BY_ARCHIVES, None)
        if all(name.lower() in found for name in names):
            return {name: found[name.lower()] for name in names}
        if len(found) != 1:
            break
        [root] = found.values()
    return None


def one_image_each(folder: Path) -> bool:
    """Whether no number begins the names of two images; a name without a number says nothing."""
    numbers = [int(number[0]) for path in list_images(folder, recursive=True) if (number := _number(path))]
    return len(numbers) == len(set(numbers))


def load_people(folder: Path, camid: int) -> list[Sample]:
    """Every image of a folder, and of folders in it; the number that its name begins with is the identity.

    Raises:
        DatasetError: there are no images, or a name begins with no number.

    Example:
        >>> load_people(Path("Partial-REID/whole_body_images"), GALLERY_CAMERA)  # doctest: +SKIP
        [Sample(path=PosixPath('Partial-REID/whole_body_images/001_001.jpg'), pid=1, camid=1), ...]
    """
    paths = list_images(folder, recursive=True)
    if not paths:
        raise DatasetError(f"{folder}: no image files in this folder")
    samples = []
    for path in paths:
        number = _number(path)
        if number is None:
            raise DatasetError(f"{path}: expected a name that begins with the person's number, such as 001_001.jpg")
        samples.append(Sample(path, int(number[0]), camid))
    return samples


def _number(path: Path) -> re.Match[str] | None:
    return re.match(r"[0-9]{1,18}", path.name)
