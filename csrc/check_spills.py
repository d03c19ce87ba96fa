"""Compiles every CUDA source for Ampere, Hopper and the newest architecture nvcc knows, and prints what ptxas says.

    python csrc/check_spills.py

One row per kernel and architecture: registers a thread, static shared memory a block, bytes spilled to local memory. A
spill is an error, unless the kernel's name is in ``COLD``.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cuda_toolchain
from listing import demangled
from torch.utils.cpp_extension import include_paths

ROOT = Path(__file__).parent

#: Kernels that may spill, being no part of any inner loop.
COLD: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """What one kernel takes on one architecture."""

    kernel: str
    architecture: str
    registers: int
    shared: int
    spilled: int

    @property
    def bad(self) -> bool:
        return self.spilled > 0 and not any(name in self.kernel for name in COLD)


def compile_verbosely(toolchain: cuda_toolchain.Toolchain, source: Path, architecture: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(toolchain.nvcc),
            *cuda_toolchain.NVCC_FLAGS,
            *cuda_toolchain.gencode_flags(architecture),
            *(f"-I{path}" for path in include_paths()),
            "-DTORCH_TARGET_VERSION=0x020a000000000000",
            "-Xptxas=-v",
            "-c",
            str(source),
            "-o",
            str(Path(folder) / "object.o"),
        ]
        return cuda_toolchain.output_of(*command)


def usages(ptxas: str) -> Iterator[Usage]:
    """Reads the report of ``ptxas -v``: four lines a kernel, the first naming it and its architecture."""
    for block in re.split(r"(?=ptxas info\s+: Compiling entry function)", ptxas)[1:]:
        name, machine = re.findall(r"entry function '(\w+)' for '(\w+)'", block)[0]
        yield Usage(
            kernel=demangled(name),
            architecture=machine,
            registers=number(r"Used (\d+) registers", block),
            shared=number(r"(\d+) bytes smem", block),
            spilled=number(r"(\d+) bytes spill stores", block) + number(r"(\d+) bytes spill loads", block),
        )


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    toolchain, reason = cuda_toolchain.decide()
    if toolchain is None:
        print(f"check_spills: nothing compiled: {reason}")
        return 0
    sources = sorted(ROOT.glob("*/*_cuda.cu"))
    newest = cuda_toolchain.newest_architecture(str(toolchain.nvcc))
    jobs = [(source, architecture) for source in sources for architecture in ("8.0", "9.0", newest)]
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda job: compile_verbosely(toolchain, *job), jobs))

    rows = sorted((usage for report in reports for usage in usages(report)), key=lambda u: (u.kernel, u.architecture))
    width = max([len(usage.kernel) for usage in rows], default=6)
    print(f"CUDA {toolchain.version}, {len(sources)} source(s)")
    print(f"{'kernel':<{width}}  {'arch':<7} {'registers':>9} {'shared':>7} {'spilled':>7}")
    for usage in rows:
        mark = "  <- spills" if usage.bad else ""
        print(
            f"{usage.kernel:<{width}}  {usage.architecture:<7} {usage.registers:>9} {usage.shared:>7} "
            f"{usage.spilled:>7}{mark}"
        )
    return int(any(usage.bad for usage in rows))


if __name__ == "__main__":
    sys.exit(main())
