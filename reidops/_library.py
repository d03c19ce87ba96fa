"""Loads the compiled libraries: ``_C`` (schemas and CPU kernels) always, ``_C_cuda`` (CUDA kernels) where it can.

Where ``_C_cuda`` cannot be loaded the reason is kept, and CUDA tensors are served by the kernels' pure-torch twins in
:mod:`reidops.reference`, on their own device.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import torch
from packaging.version import Version

from . import reference

#: The operators that have a CUDA kernel in ``_C_cuda`` and a function of the same name and signature in ``reference``.
KERNELS = ("affine_sample", "affine_sample_backward", "depthwise_xcorr", "sparse_reconstruct_gram")

#: The oldest torch whose stable ABI has all that the libraries use; they are compiled for this one.
OLDEST_TORCH = Version("2.10")

FOLDER = Path(__file__).parent
CPU_LIBRARY = FOLDER / "_C.abi3.so"
CUDA_LIBRARY = FOLDER / "_C_cuda.abi3.so"


def load_cpu(path: Path = CPU_LIBRARY) -> None:
    if Version(torch.__version__).release < OLDEST_TORCH.release:
        raise ImportError(f"reidops needs torch >= {OLDEST_TORCH}, and this is torch {torch.__version__}")
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise ImportError(f"reidops: {_why_not(path, error)}") from error


def _why_not(path: Path, error: OSError) -> str:
    if path.exists():
        return f"{path.name} cannot be loaded: {error.__cause__ or error}. Build it again with `pip install .`"
    if installed := _installed_elsewhere(path):
        return (
            f"the sources in {path.parent} hide the installed package in {installed}. Start Python in another folder, "
            f"or build the sources with `pip install --editable .`"
        )
    return f"no {path.name} in {path.parent}. Build it with `pip install .` in the folder of the sources"


def _installed_elsewhere(missing: Path) -> Path | None:
    """The folder of another `reidops` that is installed, with the library that is missing here."""
    for distribution in importlib.metadata.distributions(name="reidops"):
        found = [Path(str(file.locate())) for file in distribution.files or [] if file.name == missing.name]
        url = urlsplit(json.loads(distribution.read_text("direct_url.json") or "{}").get("url", ""))
        if url.scheme == "file":  # installed to be edited: there the library lies with the sources
            found.append(Path(url2pathname(url.path), "reidops", missing.name))
        for library in found:
            if library.exists() and library.resolve() != missing.resolve():
                return library.parent
    return None


def load_cuda(path: Path = CUDA_LIBRARY) -> str | None:
    """Loads the CUDA kernels. Returns None, or the reason why they are not there."""
    if not path.exists():
        return "not built; install reidops where nvcc is to have them"
    if torch.version.cuda is None:
        return f"built, but this torch, {torch.__version__}, has no CUDA"
    try:
        torch.ops.load_library(path)
    except OSError as error:
        return f"built, but {path.name} cannot be loaded: {error.__cause__ or error}"
    return None


def fallback(name: str, reason: str) -> Callable[..., Any]:
    """The pure-torch twin of operator ``name``, which says at its first call why it stands in for the kernel."""

    @functools.cache
    def warn_once() -> None:
        warnings.warn(
            f"reidops.{name} runs without its CUDA kernel, slowly. CUDA kernels: {reason}", RuntimeWarning, stacklevel=3
        )

    def stand_in(*arguments: Any) -> Any:
        warn_once()
        return getattr(reference, name)(*arguments)

    return stand_in


load_cpu()

#: Why the CUDA kernels are not there; None where they are.
CUDA_MISSING = load_cuda()

if CUDA_MISSING is not None:
    _registrations = torch.library.Library("reidops", "IMPL")  # they last as long as this object does
    for _name in KERNELS:
        _registrations.impl(_name, fallback(_name, CUDA_MISSING), "CUDA")
