"""Operators for person re-identification, on CPU and CUDA."""

from __future__ import annotations

from . import library as library  # first: it loads the compiled operators that the others wrap
from .affine_sample import affine_sample, boxes_to_theta
from .config import show_config
from .depthwise_xcorr import depthwise_xcorr
from .dsr import dsr_distance
from .projected_xcorr import projected_xcorr
from .sparse_reconstruct import SparseReconstruction, sparse_reconstruct
from .version import __version__

__all__ = [
    "SparseReconstruction",
    "__version__",
    "affine_sample",
    "boxes_to_theta",
    "depthwise_xcorr",
    "dsr_distance",
    "projected_xcorr",
    "show_config",
    "sparse_reconstruct",
]
