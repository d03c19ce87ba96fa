"""Reads the CUDA library that was built, and prints what its kernels take on each architecture.

    python csrc/check_spills.py [LIBRARY]

One row per kernel and architecture: registers a thread, shared memory a block that no launch asks for, bytes of local
memory a thread. Local memory is where registers are spilled to, and arrays that are indexed by a variable: an error,
unless the kernel's name is in ``COLD``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cuda_toolchain
from listing import demangled

ROOT = Path(__file__).parent

#: Kernels that may use local memory, being no part of any inner loop.
COLD: tuple[str, ...] = ()

_CODE = re.compile(r"^Fatbin elf code:.*?^arch = (sm_\w+)$(.*?)(?=^Fatbin|\Z)", re.M | re.S)
_KERNEL = re.compile(r"^ Function (\w+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)", re.M)


@dataclass(frozen=True)
class Usage:
    """What one kernel takes on one architecture."""

    kernel: str
    architecture: str
    registers: int
    shared: int
    local: int

    @property
    def bad(self) -> bool:
        return self.local > 0 and not any(name in self.kernel for name in COLD)


def usages(report: str) -> Iterator[Usage]:
    """Reads what ``cuobjdump --dump-resource-usage`` prints: for each object and architecture its kernels."""
    for architecture, kernels in _CODE.findall(report):
        for name, registers, stack, shared, local in _KERNEL.findall(kernels):
            yield Usage(demangled(name), architecture, int(registers), int(shared), int(stack) + int(local))


def order(usage: Usage) -> tuple[str, int]:
    """By kernel, then by architecture: sm_90 before sm_100."""
    return usage.kernel, int(usage.architecture.removeprefix("sm_").rstrip("af"))


def built_library() -> Path | None:
    return next(iter((ROOT.parent / "reidops").glob("_C_cuda*.so")), None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "library", nargs="?", type=Path, default=built_library(), help="default: the one that was built"
    )
    library = parser.parse_args().library
    toolchain, reason = cuda_toolchain.decide()
    if toolchain is None:
        print(f"check_spills: nothing read: {reason}")
        return 0
    if library is None:
        print("check_spills: there is no reidops/_C_cuda*.so: make install builds it")
        return 1
    cuobjdump = toolchain.find("cuobjdump")
    if cuobjdump is None:
        print("check_spills: there is no cuobjdump: pip install nvidia-cuda-cuobjdump")
        return 1

    report = cuda_toolchain.output_of(str(cuobjdump), "--dump-resource-usage", str(library))
    rows = sorted(usages(report), key=order)
    width = max([len(usage.kernel) for usage in rows], default=6)
    print(f"{library.name}, {len(rows)} kernels")
    print(f"{'kernel':<{width}}  {'arch':<7} {'registers':>9} {'shared':>7} {'local':>7}")
    for usage in rows:
        mark = "  <- spills" if usage.bad else ""
        print(
            f"{usage.kernel:<{width}}  {usage.architecture:<7} {usage.registers:>9} {usage.shared:>7} "
            f"{usage.local:>7}{mark}"
        )
    return int(not rows or any(usage.bad for usage in rows))


if __name__ == "__main__":
    sys.exit(main())
