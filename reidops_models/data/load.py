"""Any data set, told by its folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reidops_models.data.csv_table import load_csv
from reidops_models.data.cuhk01 import is_cuhk01, load_cuhk01
from reidops_models.data.cuhk03 import is_cuhk03, load_cuhk03
from reidops_models.data.dataset import DatasetError, ReidDataset
from reidops_models.data.dukemtmc import is_dukemtmc, load_dukemtmc
from reidops_models.data.market1501 import MARKET1501_FOLDER, load_market1501
from reidops_models.data.msmt17 import is_msmt17, load_msmt17
from reidops_models.data.occluded_reid import is_occluded_reid, load_occluded_reid
from reidops_models.data.partial_ilids import is_partial_ilids, load_partial_ilids
from reidops_models.data.partial_reid import is_partial_reid, load_partial_reid
from reidops_models.data.viper import is_viper, load_viper

__all__ = ["load_dataset"]


def _is_market1501(root: Path) -> bool:
    # One of the folders is enough, so that the loader says which other one is missing.
    return any((top / name).is_dir() for top in (root, root / MARKET1501_FOLDER) for name in ("query", _MARKET_GALLERY))


_MARKET_GALLERY = "bounding_box_test"
_LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path], ReidDataset]], ...] = (
    (is_msmt17, load_msmt17),
    (is_dukemtmc, load_dukemtmc),
    (is_occluded_reid, load_occluded_reid),
    (is_partial_reid, load_partial_reid),
    (is_partial_ilids, load_partial_ilids),
    (_is_market1501, load_market1501),
)
"""Told first to last."""

_SETTINGS: tuple[tuple[Callable[[Path], bool], Callable[..., ReidDataset]], ...] = (
    (is_cuhk03, load_cuhk03),
    (is_viper, load_viper),
    (is_cuhk01, load_cuhk01),
)
"""Those that are read in several settings, a text each."""

_EXPECTED = (
    f"query and {_MARKET_GALLERY} (Market-1501's layout, own data), whole_body_images with partial_body_images or "
    "occluded_body_images (Partial-REID), Probe and Gallery, or query and gallery (Partial-iLIDS), cam_a and cam_b "
    "(VIPeR), campus (CUHK01), or the files cuhk-03.mat or list_train.txt (MSMT17)"
)


def load_dataset(root: str | os.PathLike[str], query: str | None = None, *, setting: str | None = None) -> ReidDataset:
    """Load a data set in the layout that its folders show: Market-1501's, DukeMTMC-reID's and Occluded-Duke's,
    MSMT17's, Partial-REID's, Occluded-REID's, Partial-iLIDS's, CUHK03's, CUHK01's or VIPeR's; or one's own images.

    Args:
        root: the data set's folder, as it is unpacked, or a CSV file (:func:`load_csv`).
        query: which folder the probes are, `partial` or `occluded`, where a data set leaves the choice
            (:func:`load_partial_reid`).
        setting: boxes, protocol and split, where a data set has several: "labeled-old-3" (:func:`load_cuhk03`),
            "871-0" (:func:`load_cuhk01`), "3" (:func:`load_viper`). None: the loader's own default.

    Raises:
        DatasetError: there is no such folder, something in it is missing, or there is no such choice.

    Example:
        >>> load_dataset("Partial-REID", query="occluded").name  # doctest: +SKIP
        'partial-reid'
    """
    root = Path(root)
    if root.suffix.lower() == ".csv":
        return load_csv(root)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder")
    if query is not None:
        if not is_partial_reid(root):
            raise DatasetError(f"{root}: only Partial-REID has a choice of query, got query {query!r}")
        return load_partial_reid(root, query)  # type: ignore[arg-type]  # which refuses what it does not know
    for fits, load_setting in _SETTINGS:
        if fits(root):
            return load_setting(root) if setting is None else load_setting(root, setting)
    if setting is not None:
        raise DatasetError(f"{root}: only CUHK03, CUHK01 and VIPeR have settings, got setting {setting!r}")
    for fits, load in _LAYOUTS:
        if fits(root):
            return load(root)
    found = ", ".join(sorted(path.name for path in root.iterdir() if path.is_dir())) or "none"
    raise DatasetError(f"{root}: expected the folders {_EXPECTED}; the folders in it: {found}")
