"""Partial-iLIDS: 119 people with one partial and one whole image each, cropped from the iLIDS set.

W.-S. Zheng, S. Gong, T. Xiang, "Person Re-identification by Probabilistic Relative Distance Comparison", CVPR 2011.
"""

from __future__ import annotations

import os
from pathlib import Path

from reidops_models.data.dataset import DatasetError, ReidDataset
from reidops_models.data.folders import GALLERY_CAMERA, PROBE_CAMERA, find_folders, load_people, one_image_each

__all__ = ["is_partial_ilids", "load_partial_ilids"]

NAME = "partial-ilids"
WHOLE = "whole_body_images"
LAYOUTS = (("Probe", "Gallery"), ("query", "gallery"), ("partial_body_images", WHOLE))
"""(probes, gallery) as the copies in circulation call them."""


def is_partial_ilids(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has one of the layouts, whatever follows the person's number in the names: 001.jpg, 001_1.jpg.

    Partial-REID's folders can be this set's as well: they are where a person has one whole image.
    """
    folders = _folders(root)
    if folders is None:
        return False
    return folders[1].name.lower() != WHOLE or one_image_each(folders[1])


def load_partial_ilids(root: str | os.PathLike[str]) -> ReidDataset:
    """Load Partial-iLIDS in any of its layouts: Probe and Gallery, query and gallery, or as Partial-REID has them.

    The probes are `query`, and `partial_query` too.

    Args:
        root: the data set's folder, or one that holds nothing but it.

    Raises:
        DatasetError: a folder is missing or empty, or a name begins with no number; the message names it.
    """
    folders = _folders(root)
    if folders is None:
        expected = ", or ".join(" and ".join(names) for names in LAYOUTS)
        raise DatasetError(f"{root}: expected folders {expected}")
    probes, gallery = folders
    query = load_people(probes, PROBE_CAMERA)
    return ReidDataset(
        name=NAME,
        root=Path(probes.parent),
        train=[],
        query=query,
        gallery=load_people(gallery, GALLERY_CAMERA),
        extra_probes={"partial_query": query},
        variant=f"folders {probes.name} and {gallery.name}",
    )


def _folders(root: str | os.PathLike[str]) -> tuple[Path, Path] | None:
    for probes, gallery in LAYOUTS:
        found = find_folders(root, [probes, gallery])
        if found is not None:
            return found[probes], found[gallery]
    return None
