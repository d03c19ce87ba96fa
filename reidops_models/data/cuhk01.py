"""CUHK01: 971 people, two images of each by either of two cameras, all in the folder `campus`.

W. Li, R. Zhao, X. Wang, "Human Reidentification with Transferred Metric Learning", ACCV 2012.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from reidops_models.data.dataset import DatasetError, ReidDataset, Sample
from reidops_models.data.folders import find_folders
from reidops_models.data.images import list_images
from reidops_models.data.splits import draw_people, parse_number, two_camera_split

__all__ = ["is_cuhk01", "load_cuhk01"]

NAME = "cuhk01"
FOLDER = "campus"
PEOPLE = 971
SPLITS = {"871": (871, 100), "485": (485, 486)}  # people to train on, and to search for
NUMBERS = 100  # of either, as many as anybody draws
_NAME = re.compile(r"(?P<pid>[0-9]{4})(?P<image>[0-9]{3})")


def is_cuhk01(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has `campus` with images named as this set's."""
    folders = find_folders(root, [FOLDER])
    return folders is not None and any(_NAME.fullmatch(path.stem) for path in list_images(folders[FOLDER]))


def load_cuhk01(root: str | os.PathLike[str], setting: str = "871-0") -> ReidDataset:
    """Load CUHK01: `campus/0001001.png`, person 1 and image 1; images 1 and 2 are by the first camera.

    Args:
        root: the data set's folder, or one that holds nothing but it.
        setting: people to train on, "871" (100 to search for) or "485" (486), and which draw of them: "871-0".

    Raises:
        DatasetError: the folder is missing, a name is another, there are too few people, or no such setting.

    Example:
        >>> load_cuhk01("CUHK01", "485-2").variant  # doctest: +SKIP
        '485 people to train on, 486 to search for, draw 2'
    """
    folders = find_folders(root, [FOLDER])
    if folders is None:
        raise DatasetError(f"{root}: expected a folder {FOLDER}")
    size, _, number = setting.partition("-")
    if size not in SPLITS:
        raise DatasetError(f"{root}: setting {setting!r}: expected {' or '.join(SPLITS)}, and a number: 871-0")
    draw = parse_number(number or "0", Path(root), setting, NUMBERS)
    samples = []
    for path in list_images(folders[FOLDER]):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise DatasetError(f"{path}: expected a name of seven digits, such as 0001001.png")
        samples.append(Sample(path, int(match["pid"]), (int(match["image"]) - 1) // 2))
    people = sorted({sample.pid for sample in samples})
    counts = SPLITS[size]
    if len(people) < sum(counts):
        raise DatasetError(
            f"{folders[FOLDER]}: setting {setting!r} needs {sum(counts)} people, there are {len(people)}"
        )
    train, test = draw_people(people, counts, seed=draw)
    variant = f"{counts[0]} people to train on, {counts[1]} to search for, draw {draw}"
    root = folders[FOLDER].parent
    return two_camera_split(NAME, root, samples, train, test, first={0}, variant=variant, published=counts)
