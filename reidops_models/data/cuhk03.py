"""CUHK03: 1467 people, each seen by one of five pairs of cameras; all images in one MATLAB file.

W. Li, R. Zhao, T. Xiao, X. Wang, "DeepReID: Deep Filter Pairing Neural Network for Person Re-identification", CVPR
2014. The new protocol: Z. Zhong, L. Zheng, D. Cao, S. Li, "Re-ranking Person Re-identification with k-reciprocal
Encoding", CVPR 2017.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reidops_models.data.dataset import DatasetError, ReidDataset, Sample
from reidops_models.data.images import list_images
from reidops_models.data.splits import draw_people, parse_number, two_camera_split

__all__ = ["is_cuhk03", "load_cuhk03"]

NAME = "cuhk03"
MAT = "cuhk-03.mat"
NEW_PROTOCOL = "cuhk03_new_protocol_config_{}.mat"
UNPACKED = "cuhk03_release"
BOXES = ("detected", "labeled")
TEST_SETS = 20  # of 100 people each, of the old protocol
VALIDATION = 100  # people left out of the old protocol's training, to choose parameters on
OLD_PAIRS = 3  # pairs of cameras that the old protocol is of: 1360 people
OLD_PEOPLE = (1160, 100)  # to train on, to search for
NEW_PEOPLE = {"train": 767, "query": 700, "gallery": 700}
_PICTURE = re.compile(r"(?P<pair>\d)_(?P<person>\d{3,4})_(?P<view>[12])_(?P<number>\d{2})")


def is_cuhk03(root: str | os.PathLike[str]) -> bool:
    """Whether the MATLAB file is here, or in the folder that it is unpacked to."""
    return _release(Path(root)) is not None


def load_cuhk03(root: str | os.PathLike[str], setting: str = "detected-new") -> ReidDataset:
    """Load CUHK03, by either protocol, with detected or hand-drawn boxes: four settings whose results differ.

    The first call writes the file's images into `images_detected` or `images_labeled` beside it, as PNG files that
    are named by camera pair, person in it, view and number (`1_001_2_06.png`), as other toolboxes do.

    Args:
        root: the folder with `cuhk-03.mat`, or with `cuhk03_release` that holds it.
        setting: boxes and protocol. "detected-new", "labeled-new": 767 people to train on, 700 to search for, by the
            configuration file, which must be beside the MATLAB file. "detected-old-3", "labeled-old-3": the test set
            of that number, 0 to 19: 100 people; another 100, drawn by the number, are the validation, and the
            other 1160 of the first three pairs of cameras are trained on. One view is searched for in the other.

    Raises:
        DatasetError: a file is missing or cannot be read, h5py is not installed, or there is no such setting.

    Example:
        >>> load_cuhk03("cuhk03_release", "labeled-old-0").variant  # doctest: +SKIP
        'labeled boxes, old protocol, test set 0 of 20'
    """
    root = Path(root)
    boxes, _, rest = setting.partition("-")
    protocol, _, number = rest.partition("-")
    if boxes not in BOXES or protocol not in ("new", "old") or (protocol == "new" and number):
        expected = "detected-new, labeled-new, detected-old-0 or labeled-old-0"
        raise DatasetError(f"{root}: setting {setting!r}: expected {expected}")
    release = _release(root)
    if release is None:
        raise DatasetError(f"{root}: expected the file {MAT}")
    if protocol == "new":
        return _new_protocol(release, boxes, _images(release, boxes))
    test_set = parse_number(number or "0", root, setting, TEST_SETS)
    return _old_protocol(release, boxes, _images(release, boxes), test_set)


def _release(root: Path) -> Path | None:
    return next((folder for folder in (root, root / UNPACKED) if (folder / MAT).is_file()), None)


def _sample(path: Path) -> Sample:
    """Person 10000 pair + number in the pair; cameras 2 pair - 1 and 2 pair."""
    match = _PICTURE.fullmatch(path.stem)
    if match is None:
        raise DatasetError(f"{path}: expected a name such as 1_001_2_06.png")
    pair = int(match["pair"])
    return Sample(path, 10_000 * pair + int(match["person"]), 2 * (pair - 1) + int(match["view"]))


def _old_protocol(release: Path, boxes: str, samples: list[Sample], test_set: int) -> ReidDataset:
    with _opened(release) as mat:
        listed = np.asarray(mat[mat["testsets"][0, test_set]]).T.astype(int)
    test = {10_000 * pair + person for pair, person in listed.tolist()}
    others = {sample.pid for sample in samples if sample.pid < 10_000 * (OLD_PAIRS + 1)} - test
    (chosen,) = draw_people(sorted(others), (min(VALIDATION, len(others) // 2),), seed=test_set)
    first = {1, 3, 5, 7, 9}
    variant = f"{boxes} boxes, old protocol, test set {test_set} of {TEST_SETS}"
    validation = two_camera_split(
        NAME, release, samples, set(), chosen, first=first, variant=f"{variant}, validation", published=(0, VALIDATION)
    )
    whole = two_camera_split(
        NAME, release, samples, others - chosen, test, first=first, variant=variant, published=OLD_PEOPLE
    )
    return replace(whole, validation=validation)


def _new_protocol(release: Path, boxes: str, samples: list[Sample]) -> ReidDataset:
    from scipy.io import loadmat

    path = release / NEW_PROTOCOL.format(boxes)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file, which the new protocol needs")
    try:
        values = loadmat(path)
        names = [str(name[0]) for name in values["filelist"].ravel()]
        indices = {split: values[f"{split}_idx"].ravel().astype(int) - 1 for split in ("train", "query", "gallery")}
    except Exception as error:  # scipy raises ValueError, TypeError, NotImplementedError, zlib.error, ...
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    known = {sample.path.stem: sample for sample in samples}
    missing = [name for name in names if Path(name).stem not in known]
    if missing:
        raise DatasetError(f"{path}: names {len(missing)} images that {MAT} has not, {missing[0]} first")
    listed = {split: [known[Path(names[i]).stem] for i in where] for split, where in indices.items()}
    train, query, gallery = (listed[split] for split in ("train", "query", "gallery"))
    variant = f"{boxes} boxes, new protocol"
    return ReidDataset(NAME, release, train, query, gallery, variant=variant, people=NEW_PEOPLE)


def _images(release: Path, boxes: str) -> list[Sample]:
    """All images, written first where they are not there."""
    folder = release / f"images_{boxes}"
    if not folder.is_dir():
        unfinished = folder.with_name(folder.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir()
            with _opened(release) as mat:
                for name, pixels in _stored(mat, boxes):
                    Image.fromarray(pixels).save(unfinished / name)
            unfinished.replace(folder)
        except OSError as error:
            raise DatasetError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return [_sample(path) for path in list_images(folder)]


def _stored(mat: Any, boxes: str) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels (H, W, 3) of every image; MATLAB's arrays come with their axes reversed."""
    if boxes not in mat:
        raise DatasetError(f"{mat.filename}: has no {boxes!r}")
    for pair, of_pair in enumerate(mat[boxes][0], start=1):
        people = np.asarray(mat[of_pair]).T
        for person, images in enumerate(people, start=1):
            for number, reference in enumerate(images, start=1):
                pixels = np.asarray(mat[reference]).T
                if pixels.ndim == 3 and pixels.size:  # a place without an image holds an empty array
                    view = 1 if number <= 5 else 2
                    yield f"{pair}_{person:03d}_{view}_{number:02d}.png", np.ascontiguousarray(pixels)


@contextmanager
def _opened(release: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError:
        raise DatasetError(f"{release / MAT}: reading it needs h5py (pip install h5py)") from None
    try:
        with h5py.File(release / MAT, "r") as mat:
            yield mat
    except (OSError, KeyError, ValueError, IndexError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{release / MAT}: cannot be read: {' '.join(str(error).split())}") from error
