"""The kernels can be had without torch: what CMake compiles for them does not look at it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import csrc.cuda_toolchain as cuda_toolchain

ROOT = Path(__file__).parents[2]
PYTHON_WITHOUT_TORCH = '#!/bin/sh\nexec python3 -S -s -E "$@"\n'  # no site-packages

pytestmark = pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("ninja") is None, reason="needs cmake and ninja"
)


def commands(folder: Path, *options: str) -> dict[str, str]:
    """How each file would be compiled, by its path in the project."""
    python = folder / "python"
    python.write_text(PYTHON_WITHOUT_TORCH)
    python.chmod(0o755)
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    found = subprocess.run(
        [*configure, f"-DPython_EXECUTABLE={python}", *options],
        env={**os.environ, "REIDOPS_CUDA_ARCHS": "9.0"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    entries = json.loads((folder / "compile_commands.json").read_text())
    return {Path(entry["file"]).relative_to(ROOT).as_posix(): entry["command"] for entry in entries}


def test_kernels_and_their_example_need_no_torch(tmp_path: Path) -> None:
    cuda = cuda_toolchain.decide()[0] is not None
    found = commands(tmp_path, "-DREIDOPS_TORCH=OFF", f"-DREIDOPS_CUDA={'ON' if cuda else 'OFF'}")
    kernels = {path.relative_to(ROOT).as_posix() for path in (ROOT / "csrc").glob("*/*_cpu_*.cpp")}
    assert kernels | {"tests/cpp/example/on_cpu.cpp"} <= found.keys()
    assert ("tests/cpp/example/on_gpu.cu" in found) == cuda
    assert not [command for command in found.values() if "torch" in command.replace(str(ROOT), "")]


def test_operators_need_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        commands(tmp_path)
