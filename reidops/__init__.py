"""Operators for person re-identification, on CPU and CUDA."""

from __future__ import annotations

from . import library as library  # first: it loads the compiled operators that the others wrap
from .config import show_config
from .dsr import dsr_distance
from .sparse_reconstruct import SparseReconstruction, sparse_reconstruct
from .version import __version__

__all__ = ["SparseReconstruction", "__version__", "dsr_distance", "show_config", "sparse_reconstruct"]
