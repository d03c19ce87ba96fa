"""Pictures in, labelled samples out: readers, Market-1501 layout, and a benchmark of drawn people."""

from __future__ import annotations

from .csv_table import load_csv
from .cuhk01 import load_cuhk01
from .cuhk03 import load_cuhk03
from .dataset import DISTRACTOR, UNKNOWN, DatasetError, ReidDataset, Sample
from .doctor import describe
from .dukemtmc import load_dukemtmc
from .images import ImageError, list_images, read_image, resize_image
from .keypoints import KEYPOINTS, KEYPOINTS_FILE, load_keypoints, save_keypoints
from .load import load_dataset
from .market1501 import load_folder, load_market1501, parse_market1501_name
from .msmt17 import load_msmt17
from .occluded_reid import load_occluded_reid
from .partial_ilids import load_partial_ilids
from .partial_reid import load_partial_reid
from .synthetic import write_synthetic
from .viper import load_viper

__all__ = [
    "DISTRACTOR",
    "KEYPOINTS",
    "KEYPOINTS_FILE",
    "UNKNOWN",
    "DatasetError",
    "ImageError",
    "ReidDataset",
    "Sample",
    "describe",
    "list_images",
    "load_csv",
    "load_cuhk01",
    "load_cuhk03",
    "load_dataset",
    "load_dukemtmc",
    "load_folder",
    "load_keypoints",
    "load_market1501",
    "load_msmt17",
    "load_occluded_reid",
    "load_partial_ilids",
    "load_partial_reid",
    "load_viper",
    "parse_market1501_name",
    "read_image",
    "resize_image",
    "save_keypoints",
    "write_synthetic",
]
