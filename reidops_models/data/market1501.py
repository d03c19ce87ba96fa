"""Folders in Market-1501 layout: the real data set, the synthetic one, and anybody's own.

L. Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from reidops_models.data.dataset import DISTRACTOR, UNKNOWN, DatasetError, ReidDataset, Sample
from reidops_models.data.images import list_images
from reidops_models.data.synthetic.annotations import ANNOTATIONS_FILE

__all__ = ["MARKET1501_FOLDER", "load_folder", "load_market1501", "parse_market1501_name"]

MARKET1501_FOLDER = "Market-1501-v15.09.15"
"""What the official archive unpacks to."""

# 0002_c1s1_000451_03.jpg: identity, camera, sequence, frame, detection. DukeMTMC-reID's 0001_c2_f0046182.jpg fits as
# well. Labels of 18 digits fit into 64 bits.
_NAME = re.compile(r"(?P<pid>-1|[0-9]{1,18})_c(?P<camid>[0-9]{1,18})(s[0-9]+)?(_.*)?")


def parse_market1501_name(name: str) -> tuple[int, int] | None:
    """Identity and camera of a file name, or None if it is not in Market-1501's form.

    Example:
        >>> parse_market1501_name("0002_c1s1_000451_03.jpg")
        (2, 1)
        >>> parse_market1501_name("holiday.jpg") is None
        True
    """
    match = _NAME.fullmatch(Path(name).stem)
    return (int(match["pid"]), int(match["camid"])) if match else None


def load_folder(folder: str | os.PathLike[str], recursive: bool = False) -> list[Sample]:
    """Every image file of a folder, whatever its name.

    Files named as in Market-1501 get identity and camera from the name; all others have both unknown (-1).

    Raises:
        DatasetError: the folder is missing or holds no image files.
    """
    paths = _list_split(Path(folder), recursive)
    return [Sample(path, *(parse_market1501_name(path.name) or (UNKNOWN, UNKNOWN))) for path in paths]


def load_market1501(root: str | os.PathLike[str]) -> ReidDataset:
    """Load a data set in Market-1501 layout.

    `query` and `bounding_box_test` must be there; without `bounding_box_train` the set serves evaluation only. Every
    other folder whose name ends in `_query` and that holds images is an extra probe set, and a folder `validation`,
    itself in this layout, becomes `validation`. Junk (identity -1) is left out. Identity 0 are distractors, which are
    kept; where images to train on or probes have it (own data, numbered from 0), it is a person like any other.
    Images may lie in folders inside these, such as one folder per person; names decide, not folders.

    Args:
        root: the data set's folder, or the one that holds `Market-1501-v15.09.15`.

    Raises:
        DatasetError: a folder is missing or empty, or a file name is not in Market-1501's form; the message names it.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder")
    if (root / MARKET1501_FOLDER / "query").is_dir():
        root = root / MARKET1501_FOLDER
    gallery = _load_split(root / "bounding_box_test")
    kept = [sample for sample in gallery if sample.pid != UNKNOWN]
    train = _without_junk(root / "bounding_box_train") if (root / "bounding_box_train").is_dir() else []
    query = _without_junk(root / "query")
    extra_probes = {folder.name: _without_junk(folder) for folder in _extra_probe_folders(root)}
    people = {sample.pid for samples in (train, query, *extra_probes.values()) for sample in samples}
    return ReidDataset(
        name="synthetic" if (root / ANNOTATIONS_FILE).is_file() else "market1501",
        root=root,
        train=train,
        query=query,
        gallery=kept,
        extra_probes=extra_probes,
        validation=load_market1501(root / "validation") if (root / "validation" / "query").is_dir() else None,
        junk=len(gallery) - len(kept),
        distractor=None if DISTRACTOR in people else DISTRACTOR,
    )


def _list_split(folder: Path, recursive: bool = False) -> list[Path]:
    try:
        paths = list_images(folder, recursive)
    except OSError as error:
        raise DatasetError(str(error)) from error
    if not paths:
        raise DatasetError(f"{folder}: no image files in this folder")
    return paths


def _load_split(folder: Path) -> list[Sample]:
    samples = []
    for path in _list_split(folder, recursive=True):  # some arrange each person's images in a folder
        parsed = parse_market1501_name(path.name)
        if parsed is None:
            raise DatasetError(f"{path}: expected a name such as 0002_c1s1_000451_03.jpg (identity_camera_...)")
        samples.append(Sample(path, *parsed))
    return samples


def _without_junk(folder: Path) -> list[Sample]:
    return [sample for sample in _load_split(folder) if sample.pid != UNKNOWN]


def _extra_probe_folders(root: Path) -> list[Path]:
    # The official `gt_query` holds .mat files only, and so is passed over.
    return sorted(folder for folder in root.glob("*_query") if folder.is_dir() and list_images(folder, recursive=True))
