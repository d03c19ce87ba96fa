"""What of reidops is built, what is loaded, and if something is not, why."""

from __future__ import annotations

import platform

import torch

from . import _library as library
from ._version import __version__


def configuration() -> dict[str, str]:
    """Names and values of what :func:`show_config` prints."""
    rows = {
        "reidops": __version__,
        "torch": str(torch.__version__),
        "Python": platform.python_version(),
        "CPU kernels": f"loaded from {library.CPU_LIBRARY}",
        "CPU instruction set": torch.ops.reidops.cpu_isa(),
        "threads": str(torch.get_num_threads()),
    }
    rows["CUDA kernels"] = library.CUDA_MISSING or f"loaded from {library.CUDA_LIBRARY}"
    rows["with a CUDA kernel"] = ", ".join(library.KERNELS)
    for index in range(torch.cuda.device_count()):
        rows[f"cuda:{index}"] = torch.cuda.get_device_name(index)
    return rows


def show_config() -> None:
    """Prints versions, what is built, what is loaded, the CPU instruction set in use, and why CUDA is not there.

    ``python -m reidops`` prints the same. The environment variable ``REIDOPS_CPU_ISA`` (``baseline``, ``avx2``,
    ``avx512``, ``amx``), read when the first kernel runs, chooses an instruction set below the machine's widest.

    Example:
        >>> import reidops
        >>> reidops.show_config()  # doctest: +ELLIPSIS
        reidops              ...
    """
    rows = configuration()
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")
