"""What kernels issue, for the gpu_*_issue commands: their machine code is run on a CPU (tests/machine_code)."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parent.parent

Issued = list[tuple[Any, Counter[int], Any]]  # a launch, how often each instruction was issued, the kernel's listing


def emulated(binding: str) -> ModuleType:
    """The emulated kernels of tests/emulator/bind_`binding`.cpp."""
    sys.path.append(str(ROOT))
    return importlib.import_module("tests.emulator.conftest").load(binding, "plain")


def issued(
    module: ModuleType, source: str, call: Callable[..., T], *arguments: Any, blocks: int | None = None, **options: Any
) -> tuple[Issued, T]:
    """The launches of call(*arguments, **options), of each the first `blocks` blocks, and what the call returns.

    `source` is the file of csrc that has the module's kernels.
    """
    library = importlib.import_module("tests.machine_code.library")
    try:
        compiled = library.compiled(source)
    except library.NoCompilerError as error:
        sys.exit(f"nothing read: {error}")
    with library.on(module, compiled, blocks):
        result = call(*arguments, **options)
    return [(launch, counts, compiled.kernels[launch.kernel]) for launch, counts in compiled.issued], result


def multiply_adds(found: Issued) -> int:
    """How many of all that is issued are multiply-adds."""
    total = 0
    for _, counts, kernel in found:
        total += sum(count for place, count in counts.items() if kernel.instructions[place].multiplies)
    return total


def by_file(found: Issued) -> Counter[str]:
    """How much is issued from each source file."""
    files: Counter[str] = Counter()
    for _, counts, kernel in found:
        for place, count in counts.items():
            files[kernel.instructions[place].place.partition(":")[0] or "elsewhere"] += count
    return files


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """A header and rows, in columns; the first to the left."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        print(row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))
