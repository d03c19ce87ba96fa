"""Pictures in, labelled samples out: readers, Market-1501 layout, augmentation, and a benchmark of drawn people."""

from __future__ import annotations

from .dataset import DISTRACTOR, UNKNOWN, DatasetError, ReidDataset, Sample
from .images import ImageError, list_images, read_image, resize_image
from .market1501 import load_folder, load_market1501, parse_market1501_name
from .synthetic import write_synthetic

__all__ = [
    "DISTRACTOR",
    "UNKNOWN",
    "DatasetError",
    "ImageError",
    "ReidDataset",
    "Sample",
    "list_images",
    "load_folder",
    "load_market1501",
    "parse_market1501_name",
    "read_image",
    "resize_image",
    "write_synthetic",
]
