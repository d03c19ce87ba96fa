"""The machine code of an operator, in place of its emulated kernels.

with on(load("projected_xcorr", "plain"), compiled("projected_xcorr/projected_xcorr_cuda.cu")): ...
"""

from __future__ import annotations

import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from csrc.listing import Kernel, demangled
from tests.machine_code.block import Launch, run
from tests.machine_code.program import Program, prepare

CSRC = Path(__file__).parents[2] / "csrc"


@dataclass
class Library:
    """Kernels by their names, made ready when they are first launched; `issued` has what the last launches issued."""

    kernels: dict[str, Kernel]
    programs: dict[str, Program] = field(default_factory=dict)
    issued: list[tuple[Launch, Counter[int]]] = field(default_factory=list)

    def program(self, name: str) -> Program:
        if name not in self.programs:
            self.programs[name] = prepare(self.kernels[name])
        return self.programs[name]


class NoCompilerError(Exception):
    """There is no compiler of machine code, or nothing that lists it."""


@functools.cache
def compiled(source: str) -> Library:
    """The kernels of a file of csrc, such as ``projected_xcorr/projected_xcorr_cuda.cu``, or of any other.

    Raises:
        NoCompilerError: there is no nvcc or no nvdisasm.
    """
    if str(CSRC) not in sys.path:
        sys.path.append(str(CSRC))
    import check_machine_code
    import cuda_toolchain

    toolchain, reason = cuda_toolchain.decide()
    if toolchain is None:
        raise NoCompilerError(reason)
    nvdisasm = toolchain.find("nvdisasm")
    if nvdisasm is None:
        raise NoCompilerError("there is no nvdisasm")
    found = check_machine_code.compiled(toolchain, nvdisasm, CSRC / source)
    return Library({kernel.name: kernel for kernel in found})


def attach(module: ModuleType, library: Library, blocks: int | None = None) -> None:
    """From now on runs the launches of an emulated module on machine code, or the first `blocks` of each."""
    names = _names(str(module.__file__))

    def launch(kernel: int, grid: Any, block: Any, shared: int, parameters: bytes, ranges: Any) -> None:
        asked = Launch(names[kernel], grid, block, shared, parameters, ranges)
        shared_by_all = library.kernels[asked.kernel].shared
        counts = run(library.program(asked.kernel), asked, shared_by_all, blocks=blocks)
        library.issued.append((asked, counts))

    module.run_by(launch)


@contextmanager
def on(module: ModuleType, library: Library, blocks: int | None = None) -> Iterator[Library]:
    """Runs the launches of an emulated module on machine code for a while; `library.issued` has their counts."""
    library.issued.clear()
    attach(module, library, blocks)
    try:
        yield library
    finally:
        module.run_by(None)


def source_of(binding: str) -> str:
    """The file of csrc whose kernels a binding launches: affine_sample_in_half has affine_sample's."""
    op = max((path.name for path in CSRC.iterdir() if path.is_dir() and binding.startswith(path.name)), key=len)
    return f"{op}/{op}_cuda.cu"


@functools.cache
def _names(path: str) -> dict[int, str]:
    """Functions of a library by where they are in it."""
    listed = subprocess.run(["nm", "--defined-only", path], check=True, text=True, capture_output=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(row[0], 16): demangled(row[2]) for row in rows if len(row) == 3 and "kernel" in row[2]}
