"""Operators for person re-identification, on CPU and CUDA."""

from __future__ import annotations

from . import library as library  # first: it loads the compiled operators that the others wrap
from .config import show_config
from .version import __version__

__all__ = ["__version__", "show_config"]
