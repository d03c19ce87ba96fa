"""A binary built on one machine runs on another: only the kernels chosen at run time hold wide instructions.

The danger is not in the kernels' own code, but in an inline function or a template of a header that the copies of a
kernel share: compiled for AVX-512 in one of them, it may be the copy that the linker keeps for all.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from reidops import _library as library

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="wide instruction sets are told apart on x86-64 only"),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump"),
]

AVX = re.compile(r"^\s*[0-9a-f]+:\s+v[a-z0-9]+\s")  # AVX and later: their names, and theirs alone, begin with v
ZMM = re.compile(r"%zmm|%k[0-7]")


@pytest.fixture(scope="module")
def functions() -> dict[str, list[str]]:
    """The instructions of every function of the library, by its mangled name."""
    command = ["objdump", "--disassemble", "--no-show-raw-insn", str(library.CPU_LIBRARY)]
    listing = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    found: dict[str, list[str]] = defaultdict(list)
    name = ""
    for line in listing.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
        if header:
            name = header.group(1)
        else:
            found[name].append(line)
    return found


@pytest.mark.parametrize(("isa", "wide"), [("avx2", AVX), ("avx512", ZMM)])
def test_kernels_use_their_instruction_set(functions: dict[str, list[str]], isa: str, wide: re.Pattern[str]) -> None:
    kernels = [line for name, lines in functions.items() if isa in name for line in lines]
    assert sum(bool(wide.search(line)) for line in kernels) > 100


def test_all_else_is_baseline_code(functions: dict[str, list[str]]) -> None:
    wide = {
        name
        for name, lines in functions.items()
        if "avx2" not in name and "avx512" not in name and any(AVX.match(line) for line in lines)
    }
    assert not wide


def test_narrower_kernels_hold_no_wider_instructions(functions: dict[str, list[str]]) -> None:
    assert not {
        name for name, lines in functions.items() if "avx512" not in name and any(ZMM.search(line) for line in lines)
    }
