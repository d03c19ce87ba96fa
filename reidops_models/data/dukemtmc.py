"""DukeMTMC-reID and Occluded-Duke: Market-1501's folders, other names.

E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", ECCV workshops 2016;
J. Miao et al., "Pose-Guided Feature Alignment for Occluded Person Re-identification", ICCV 2019. The images were
withdrawn by those who made them, for the privacy of the people in them: this reads a copy that somebody has, and says
so.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import replace

from reidops_models.data.dataset import DatasetError, ReidDataset
from reidops_models.data.folders import find_folders
from reidops_models.data.images import list_images
from reidops_models.data.market1501 import load_market1501

__all__ = ["is_dukemtmc", "load_dukemtmc"]

NAME, OCCLUDED_NAME = "dukemtmc-reid", "occluded-duke"
FOLDERS = ("query", "bounding_box_test")
_NAME = re.compile(r"\d{4}_c\d_f\d{7}.*")  # 0001_c2_f0046182.jpg: identity, camera, frame


def is_dukemtmc(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has Market-1501's layout with this set's names."""
    folders = find_folders(root, FOLDERS)
    if folders is None:
        return False
    first = next(iter(list_images(folders["query"], recursive=True)), None)
    return first is not None and _NAME.fullmatch(first.stem) is not None


def load_dukemtmc(root: str | os.PathLike[str]) -> ReidDataset:
    """Load DukeMTMC-reID or Occluded-Duke, told apart by whether the folder's name says "occluded".

    Args:
        root: the folder with `bounding_box_train`, `query` and `bounding_box_test`, or one that holds nothing but it.

    Raises:
        DatasetError: a folder is missing or empty, or a file name is in another form; the message names it.

    Warns:
        UserWarning: the set was withdrawn.
    """
    folders = find_folders(root, FOLDERS)
    if folders is None:
        raise DatasetError(f"{root}: expected the folders {' and '.join(FOLDERS)}")
    top = folders["query"].parent
    name = OCCLUDED_NAME if "occlu" in top.resolve().name.lower() else NAME
    warnings.warn(f"{top}: {name} was withdrawn by its authors for privacy", UserWarning, stacklevel=2)
    return replace(load_market1501(top), name=name, variant=top.resolve().name)
