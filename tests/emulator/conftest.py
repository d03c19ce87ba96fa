"""Builds emulated kernels and gives them to the tests: ``emulated("my_op", "race")`` is the module of bind_my_op.cpp.

A library is built once, into build/emulator, and again only when something that goes into it has changed.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.machine_code import library as machine_code

EMULATOR = Path(__file__).parent
ROOT = EMULATOR.parent.parent
KERNELS = ROOT / "csrc"
LIBRARIES = ROOT / "build" / "emulator"

Change = tuple[str, str, str]  # file, what it holds once, what is to stand there

# -O1: a kernel is run on small data a few times, and compiled each time it changes.  -g1: lines, for messages.
COMPILE = ["g++", "-std=c++20", "-O1", "-g1", "-fPIC", "-fvisibility=hidden", "-c"]
COMPILE += ["-Wall", "-Wextra", "-Wno-unknown-pragmas"]
# What the race build adds; to the compiler alone, race_hooks.h says why.
CHECKS = "thread,bounds-strict,alignment,signed-integer-overflow,integer-divide-by-zero,shift"
BUILDS = {"plain": [], "race": [f"-fsanitize={CHECKS}"]}
# The plain build's launches run nvcc's machine code (tests/machine_code) in place of g++'s.
ON_MACHINE_CODE = os.environ.get("REIDOPS_MACHINE_CODE") == "1"
# What nvcc does, and g++ elsewhere not: a * b + c in one rounding.
CONTRACTION = ["-mfma", "-ffp-contract=fast"]


def _what_is_missing() -> str | None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"the emulator runs on Linux x86-64, not on {sys.platform} {platform.machine()}"
    if shutil.which("g++") is None:
        return "the emulator needs g++"
    if importlib.util.find_spec("pybind11") is None:
        return "the emulator needs pybind11"
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "the emulator needs Python's headers"
    return None


def _compile_command(build: str, kernels: Path) -> list[str]:
    import pybind11

    includes = [kernels, EMULATOR, sysconfig.get_path("include")]
    rounding = CONTRACTION if os.environ.get("REIDOPS_EMULATED_CONTRACTION") == "1" else []
    # pybind11's headers are not ours to warn about.
    return [
        *COMPILE,
        *BUILDS[build],
        *rounding,
        *(f"-I{path}" for path in includes),
        "-isystem",
        pybind11.get_include(),
    ]


def _fingerprint(command: list[str], source: Path, kernels: Path) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    digest.update(subprocess.run(["g++", "--version"], check=True, capture_output=True).stdout)
    headers = [path for folder in (kernels, EMULATOR) for path in folder.rglob("*") if path.suffix in {".h", ".cuh"}]
    for path in sorted([*headers, source]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stderr}", pytrace=False)


def _library(source: Path, build: str, kernels: Path) -> Path:
    command = _compile_command(build, kernels)
    library = LIBRARIES / f"{source.stem}-{build}-{_fingerprint(command, source, kernels)}.so"
    LIBRARIES.mkdir(parents=True, exist_ok=True)
    with library.with_suffix(".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not library.exists():
            unfinished = library.with_suffix(".o"), library.with_suffix(".tmp")
            _run([*command, str(source), "-o", str(unfinished[0])])
            _run(["g++", "-shared", str(unfinished[0]), "-o", str(unfinished[1])])
            unfinished[0].unlink()
            unfinished[1].rename(library)
    return library


def _changed_kernels(op: str, changes: tuple[Change, ...]) -> Path:
    """A copy of csrc's headers with those changes made; tests may ask for the same one in several processes."""
    headers = {path: path.read_text() for path in sorted(KERNELS.rglob("*")) if path.suffix in {".h", ".cuh"}}
    for file, old, new in changes:
        text = headers[KERNELS / file]
        assert text.count(old) == 1, f"{file} has {text.count(old)} of {old!r}"
        headers[KERNELS / file] = text.replace(old, new)
    digest = hashlib.sha256(repr([(str(path.relative_to(KERNELS)), text) for path, text in headers.items()]).encode())
    folder = LIBRARIES / f"changed-{op}-{digest.hexdigest()[:16]}"
    LIBRARIES.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".tmp")
            for path, text in headers.items():
                copy = unfinished / path.relative_to(KERNELS)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(text)
            unfinished.rename(folder)
    return folder


@functools.cache
def load(op: str, build: str, *changes: Change) -> ModuleType:
    source = EMULATOR / f"bind_{op}.cpp"
    library = _library(source, build, _changed_kernels(op, changes) if changes else KERNELS)
    # pybind11 knows a module by its full name, so that every library needs one of its own.
    name = f"emulated.{library.stem.replace('.', '_')}.{source.stem}"
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if build == "plain" and not changes and ON_MACHINE_CODE:
        machine_code.attach(module, machine_code.compiled(machine_code.source_of(op)))
    return module


@pytest.fixture(scope="session")
def emulated() -> Callable[..., ModuleType]:
    """``emulated(op, build)``, where build is "plain" or "race"; skips where the emulator cannot run.

    ``emulated(op, build, (file, old, new), ...)`` builds from a copy of the kernels in which ``old``, that ``file`` of
    csrc holds once, is ``new``: a bug planted for the emulator to catch.
    """
    missing = _what_is_missing()
    if missing is not None:
        pytest.skip(missing)
    return load


@pytest.fixture(scope="module")
def plain(request: pytest.FixtureRequest, emulated: Callable[..., ModuleType]) -> ModuleType:
    """The plain build of the kernels that a test file is about, which it names in OP."""
    return emulated(request.module.OP, "plain")


@pytest.fixture(scope="module")
def race(request: pytest.FixtureRequest, emulated: Callable[..., ModuleType]) -> ModuleType:
    """Their race build."""
    return emulated(request.module.OP, "race")
