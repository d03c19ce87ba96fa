"""Occluded-REID: 200 people with five occluded and five whole images each.

J. Zhuo, Z. Chen, J. Lai, G. Wang, "Occluded Person Re-identification", ICME 2018.
"""

from __future__ import annotations

import os
from pathlib import Path

from reidops_models.data.dataset import DatasetError, ReidDataset
from reidops_models.data.folders import GALLERY_CAMERA, PROBE_CAMERA, find_folders, load_people, one_image_each

__all__ = ["is_occluded_reid", "load_occluded_reid"]

NAME = "occluded-reid"
LAYOUTS = (("occluded_body_images", "whole_body_images"), ("query", "gallery"))
OTHERS_PEOPLE = 60  # Partial-REID's, which has folders of the same names


def is_occluded_reid(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has one of the layouts, and is not Partial-REID or Partial-iLIDS, which share them.

    Partial-REID has a folder of partial images beside, or no more than 60 people, whose images lie in one folder.
    """
    folders = _folders(root)
    if folders is None or find_folders(folders[0].parent, ["partial_body_images"]) is not None:
        return False
    if folders[1].name.lower() == "gallery":
        return not one_image_each(folders[1]) and not any("_c" in path.name for path in folders[1].iterdir())
    if any(path.is_dir() for path in folders[1].iterdir()):
        return True
    return len({sample.pid for sample in load_people(folders[1], GALLERY_CAMERA)}) > OTHERS_PEOPLE


def load_occluded_reid(root: str | os.PathLike[str]) -> ReidDataset:
    """Load Occluded-REID: a folder for each person (`001/001_01.tif`), or all images in one.

    Args:
        root: the data set's folder, or one that holds nothing but it.

    Raises:
        DatasetError: a folder is missing or empty, or a name begins with no number; the message names it.
    """
    folders = _folders(root)
    if folders is None:
        raise DatasetError(f"{root}: expected folders {', or '.join(' and '.join(names) for names in LAYOUTS)}")
    probes, gallery = folders
    return ReidDataset(
        name=NAME,
        root=Path(probes.parent),
        train=[],
        query=load_people(probes, PROBE_CAMERA),
        gallery=load_people(gallery, GALLERY_CAMERA),
        variant=f"folders {probes.name} and {gallery.name}",
    )


def _folders(root: str | os.PathLike[str]) -> tuple[Path, Path] | None:
    for probes, gallery in LAYOUTS:
        found = find_folders(root, [probes, gallery])
        if found is not None:
            return found[probes], found[gallery]
    return None
