"""VIPeR: 632 people, an image of each by either of two cameras.

D. Gray, S. Brennan, H. Tao, "Evaluating Appearance Models for Recognition, Reacquisition, and Tracking", PETS 2007.
"""

from __future__ import annotations

import os
from pathlib import Path

from reidops_models.data.dataset import DatasetError, ReidDataset, Sample
from reidops_models.data.folders import find_folders
from reidops_models.data.images import list_images
from reidops_models.data.splits import draw_people, parse_number, two_camera_split

__all__ = ["is_viper", "load_viper"]

NAME = "viper"
FOLDERS = ("cam_a", "cam_b")
PEOPLE = 632
SPLITS = 10


def is_viper(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has VIPeR's two."""
    return find_folders(root, FOLDERS) is not None


def load_viper(root: str | os.PathLike[str], setting: str = "0") -> ReidDataset:
    """Load VIPeR: half of the people to train on, half to search for, cam_a's images in cam_b's.

    Images are paired by the number that begins their names (`003_45.bmp`), which both folders must have.

    Args:
        root: the data set's folder, or one that holds nothing but it.
        setting: which of ten splits, "0" to "9"; each is drawn by its number.

    Raises:
        DatasetError: a folder is missing, a person has an image by one camera only, or there is no such split.

    Example:
        >>> load_viper("VIPeR", "3").variant  # doctest: +SKIP
        'split 3 of 10, half of the people each'
    """
    folders = find_folders(root, FOLDERS)
    if folders is None:
        raise DatasetError(f"{root}: expected the folders {' and '.join(FOLDERS)}")
    split = parse_number(setting, Path(root), setting, SPLITS)
    samples, numbers = [], []
    for camid, name in enumerate(FOLDERS):
        found: dict[int, Path] = {}
        for path in list_images(folders[name]):
            number = path.name.partition("_")[0]
            if not number.isdecimal() or int(number) in found:
                raise DatasetError(f"{path}: expected one image of each person, named NUMBER_angle.bmp")
            found[int(number)] = path
        samples += [Sample(path, pid, camid) for pid, path in found.items()]
        numbers.append(set(found))
    if numbers[0] != numbers[1] or not numbers[0]:
        odd = sorted(numbers[0] ^ numbers[1])
        raise DatasetError(
            f"{root}: expected the same people in both folders; in one only: {odd[:5] or 'nobody at all'}"
        )
    people = sorted(numbers[0])
    half = len(people) // 2
    train, test = draw_people(people, (len(people) - half, half), seed=split)
    variant = f"split {split} of {SPLITS}, half of the people each"
    root, published = folders["cam_a"].parent, (PEOPLE // 2, PEOPLE // 2)
    return two_camera_split(NAME, root, samples, train, test, first={0}, variant=variant, published=published)
