"""Loads the compiled libraries: ``_C`` (schemas and CPU kernels) always, ``_C_cuda`` (CUDA kernels) where it can."""

from __future__ import annotations

from pathlib import Path

import torch

FOLDER = Path(__file__).parent

try:
    torch.ops.load_library(FOLDER / "_C.abi3.so")
except OSError as error:
    raise ImportError(
        f"reidops: its compiled library cannot be loaded ({error}); build it with `pip install .`"
    ) from error
