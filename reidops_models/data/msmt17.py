"""MSMT17, versions 1 and 2, whose images are different ones.

L. Wei, S. Zhang, W. Gao, Q. Tian, "Person Transfer GAN to Bridge Domain Gap for Person Re-identification", CVPR 2018.
"""

from __future__ import annotations

import os
from pathlib import Path

from reidops_models.data.dataset import DatasetError, ReidDataset, Sample

__all__ = ["is_msmt17", "load_msmt17"]

NAME = "msmt17"
VERSIONS = {"MSMT17_V1": ("train", "test"), "MSMT17_V2": ("mask_train_v2", "mask_test_v2")}
LISTS = ("train", "val", "query", "gallery")


def is_msmt17(root: str | os.PathLike[str]) -> bool:
    """Whether a folder has the lists and a version's images."""
    return _find(Path(root)) is not None


def load_msmt17(root: str | os.PathLike[str]) -> ReidDataset:
    """Load MSMT17 by its lists, whose lines are `relative/path.jpg identity`; the camera is in the name.

    `list_train.txt` and `list_val.txt`, which show the same people, are `train` together.

    Args:
        root: the folder with the lists, or the one that holds `MSMT17_V1` or `MSMT17_V2`.

    Raises:
        DatasetError: a list is missing, or a line of it is in another form; the message names it.
    """
    found = _find(Path(root))
    if found is None:
        expected = ", or ".join(" and ".join(folders) for folders in VERSIONS.values())
        raise DatasetError(f"{root}: expected list_train.txt and the folders {expected}")
    top, version = found
    train, test = (top / name for name in VERSIONS[version])
    of = {name: _read(top / f"list_{name}.txt", train if name in ("train", "val") else test) for name in LISTS}
    return ReidDataset(NAME, top, of["train"] + of["val"], of["query"], of["gallery"], variant=version)


def _find(root: Path) -> tuple[Path, str] | None:
    for version, folders in VERSIONS.items():
        for top in (root, root / version):
            if (top / "list_train.txt").is_file() and all((top / folder).is_dir() for folder in folders):
                return top, version
    return None


def _read(path: Path, folder: Path) -> list[Sample]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    samples = []
    for number, line in enumerate(lines, start=1):
        name, _, pid = line.strip().rpartition(" ")
        fields = Path(name).stem.split("_")  # 0000_000_01_0303morning_0008_0
        if not name or not pid.isdecimal() or len(fields) < 3 or not fields[2].isdecimal():
            raise DatasetError(f"{path}, line {number}: expected a path and an identity, got {line.strip()[:80]!r}")
        samples.append(Sample(folder / name, int(pid), int(fields[2])))
    return samples
