"""Partial-REID: 60 people with five whole, five partial and five occluded images each.

W.-S. Zheng et al., "Partial Person Re-identification", ICCV 2015.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from reidops_models.data.dataset import DatasetError, ReidDataset
from reidops_models.data.folders import GALLERY_CAMERA, PROBE_CAMERA, find_folders, load_people, one_image_each

__all__ = ["is_partial_reid", "load_partial_reid"]

NAME = "partial-reid"
WHOLE, PARTIAL, OCCLUDED = "whole_body_images", "partial_body_images", "occluded_body_images"

Query = Literal["partial", "occluded"]


def is_partial_reid(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has this layout. Without the occluded images it is that of a copy of Partial-iLIDS too,
    which has one whole image a person where this set has five."""
    if find_folders(root, [WHOLE, OCCLUDED]) is not None:
        return True
    folders = find_folders(root, [WHOLE, PARTIAL])
    return folders is not None and not one_image_each(folders[WHOLE])


def load_partial_reid(root: str | os.PathLike[str], query: Query = "partial") -> ReidDataset:
    """Load Partial-REID as it is downloaded.

    The gallery is `whole_body_images`. Which folder is the query differs: DSR and the papers after it take
    `partial_body_images`, others `occluded_body_images`. Both are probe sets, `partial_query` and `occluded_query`,
    where they are there; one of them is `query` too.

    Args:
        root: the data set's folder, or one that holds nothing but it.
        query: which of the two is `query`.

    Raises:
        DatasetError: a folder is missing or empty, or a name begins with no number; the message names it.
    """
    chosen = {"partial": PARTIAL, "occluded": OCCLUDED}.get(query)
    if chosen is None:
        raise DatasetError(f"{root}: query must be partial or occluded, got {query!r}")
    folders = find_folders(root, [WHOLE, chosen])
    if folders is None:
        raise DatasetError(f"{root}: expected folders {WHOLE} and {chosen}, the query that was asked for")
    top = folders[WHOLE].parent
    probes = {}
    for name, folder in (("partial_query", PARTIAL), ("occluded_query", OCCLUDED)):
        found = find_folders(top, [folder])
        if found is not None:
            probes[name] = load_people(found[folder], PROBE_CAMERA)
    return ReidDataset(
        name=NAME,
        root=Path(top),
        train=[],
        query=probes[f"{query}_query"],
        gallery=load_people(folders[WHOLE], GALLERY_CAMERA),
        extra_probes=probes,
        variant=f"query: {folders[chosen].name}",
    )
