"""Images in, labelled samples out: readers, Market-1501 layout, and a benchmark of drawn people."""

from __future__ import annotations

from reidops_models.data.csv_table import load_csv
from reidops_models.data.cuhk01 import load_cuhk01
from reidops_models.data.cuhk03 import load_cuhk03
from reidops_models.data.dataset import DISTRACTOR, UNKNOWN, DatasetError, ReidDataset, Sample
from reidops_models.data.doctor import describe
from reidops_models.data.dukemtmc import load_dukemtmc
from reidops_models.data.images import (
    UPLOAD_FORMATS,
    ImageError,
    ImageSizeError,
    decode_upload,
    image_size,
    list_files,
    list_images,
    read_image,
    resize_image,
)
from reidops_models.data.keypoints import KEYPOINTS, KEYPOINTS_FILE, load_keypoints, save_keypoints
from reidops_models.data.load import load_dataset
from reidops_models.data.market1501 import load_folder, load_market1501, parse_market1501_name
from reidops_models.data.msmt17 import load_msmt17
from reidops_models.data.occluded_reid import load_occluded_reid
from reidops_models.data.partial_ilids import load_partial_ilids
from reidops_models.data.partial_reid import load_partial_reid
from reidops_models.data.reading import read_images
from reidops_models.data.synthetic import write_synthetic
from reidops_models.data.viper import load_viper

__all__ = [
    "DISTRACTOR",
    "KEYPOINTS",
    "KEYPOINTS_FILE",
    "UNKNOWN",
    "UPLOAD_FORMATS",
    "DatasetError",
    "ImageError",
    "ImageSizeError",
    "ReidDataset",
    "Sample",
    "decode_upload",
    "describe",
    "image_size",
    "list_files",
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
    "read_images",
    "resize_image",
    "save_keypoints",
    "write_synthetic",
]
