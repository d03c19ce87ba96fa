"""What is in the wheel and in the source archive, and that the package works from anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import csrc.cuda_toolchain as cuda_toolchain
import reidops
from reidops import _library as library

ROOT = Path(__file__).parents[2]


def run(code: str, folder: Path, **environ: str) -> str:
    """Runs a line of Python in another folder. The sources are not on its path: the package must be installed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env={**clean, **environ}, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def test_import_from_another_folder(tmp_path: Path) -> None:
    assert run("import reidops; print(reidops.__version__)", tmp_path).strip() == reidops.__version__


def test_module_prints_the_configuration(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "reidops"], cwd=tmp_path, check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    assert printed.splitlines() == [line for line in printed.splitlines() if line.strip()]
    assert {line.split("  ")[0] for line in printed.splitlines()} >= {
        "CPU kernels",
        "CPU instruction set",
        "CUDA kernels",
    }


def build(what: str, folder: Path) -> Path:
    code = f"from setuptools import build_meta; build_meta.build_{what}({str(folder)!r})"
    run(code, ROOT, FORCE_CUDA="0")
    return next(folder.iterdir())


def test_wheel(tmp_path: Path) -> None:
    wheel = build("wheel", tmp_path)
    assert "-cp310-abi3-linux_" in wheel.name  # one for every Python
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"reidops/_C.abi3.so", "reidops/py.typed", "reidops_models/py.typed"} <= names
    assert any(name.startswith("reidops_models/dsr/recipes/") and name.endswith(".yaml") for name in names)
    for folder in ("recipes/*.yaml", "checkpoints/*.safetensors", "checkpoints/*.json"):
        present = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(f"reidops_models/*/{folder}")}
        assert present <= names
    for folder in ("report/templates", "serve/page"):
        found = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(f"reidops_models/{folder}/*")}
        assert found
        assert found <= names
    assert not [name for name in names if name.startswith(("tests", "csrc", "benchmarks"))]


def test_source_archive_can_be_built_from(tmp_path: Path) -> None:
    archive = build("sdist", tmp_path)
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "csrc").rglob("*.*") if path.suffix != ".pyc"}
    assert sources
    assert sources <= names
    assert {
        "setup.py",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "CMakeLists.txt",
        "tests/cpp/kernel_test.cpp",
        "tests/cpp/example/problems.h",
    } <= names


@pytest.mark.skipif(not library.CUDA_LIBRARY.exists(), reason="built without CUDA kernels")
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_cuda_library_registers_its_kernels(tmp_path: Path) -> None:
    """Beside a stub of libtorch_cuda.so it loads into a torch without CUDA, and the dispatcher shows its kernels."""
    stub = cuda_toolchain.link_stub(tmp_path)
    code = (
        "import torch; from reidops import _library as library; torch.ops.load_library(library.CUDA_LIBRARY); "
        "print(*(torch._C._dispatch_dump(f'reidops::{name}') for name in library.KERNELS))"
    )
    dump = run(code, tmp_path, LD_LIBRARY_PATH=str(stub.parent))
    registered = [line for line in dump.splitlines() if line.startswith("CUDA: registered at")]
    assert len(registered) == len(library.KERNELS)
    assert all("_cuda.cu" in line for line in registered)
