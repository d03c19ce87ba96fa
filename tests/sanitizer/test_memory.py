"""The CPU kernels under sanitizers: memory.cpp, and one file of calls for each operator.

The program is built for each instruction set of this machine.  Objects are compiled once, into build/sanitizer, and
again only when something that goes into one has changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
KERNELS = ROOT / "csrc"
OBJECTS = ROOT / "build" / "sanitizer"

# The checks of `undefined` that are about numbers.  Its others are about pointers, which AddressSanitizer watches, and
# make a kernel of many instances take three times as long to compile.
CHECKS = "address,signed-integer-overflow,integer-divide-by-zero,shift,bounds-strict,float-cast-overflow"
COMPILE = ["g++", "-std=c++20", "-O1", "-g1", "-Wno-psabi", f"-fsanitize={CHECKS}", "-fno-sanitize-recover=all"]

ISAS = {"baseline": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}


def _flags_of_this_machine() -> set[str]:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^flags\s*:(.*)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return set(found.group(1).split()) if found else set()


def _what_is_missing(folder: Path) -> str | None:
    if shutil.which("g++") is None:
        return "needs g++"
    source = folder / "empty.cpp"
    source.write_text("int main() {}\n")
    for step in ([*COMPILE, str(source), "-o", str(folder / "empty")], [str(folder / "empty")]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"g++ has no sanitizers here: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    return None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stderr}", pytrace=False)


def _object(kernels: Path, isa: str, source: Path) -> Path:
    """The object file of a source; one of the same command and the same contents is never compiled twice."""
    command = [*COMPILE, f"-DREIDOPS_TESTED={isa}", f"-I{kernels}"]
    listing = subprocess.run([*command, "-MM", str(source)], check=True, capture_output=True, text=True).stdout
    digest = hashlib.sha256(" ".join(command[:-1]).encode())
    digest.update(subprocess.run(["g++", "--version"], check=True, capture_output=True).stdout)
    for file in listing.replace("\\\n", " ").split()[1:]:
        digest.update(Path(file).read_bytes())
    object_file = OBJECTS / f"{source.stem}-{isa}-{digest.hexdigest()[:16]}.o"
    with object_file.with_suffix(".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not object_file.exists():
            unfinished = object_file.with_suffix(".tmp")
            _run([*command, "-c", str(source), "-o", str(unfinished)])
            unfinished.rename(object_file)
    return object_file


def run_program(kernels: Path, isa: str, folder: Path) -> subprocess.CompletedProcess[str]:
    OBJECTS.mkdir(parents=True, exist_ok=True)
    matrix_unit = sorted(kernels.glob("*/*_cpu_avx512_amx.cpp"))  # run beside any other, where there is one
    of_isa = sorted(kernels.glob(f"*/*_cpu_{isa}.cpp"))
    sources = [*of_isa, *matrix_unit, kernels / "common" / "isa.cpp", *sorted(HERE.glob("*.cpp"))]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        objects = list(threads.map(lambda source: _object(kernels, isa, source), sources))
    program = folder / f"memory-{isa}"
    _run([*COMPILE, *map(str, objects), "-o", str(program)])
    return subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> None:
    missing = _what_is_missing(tmp_path_factory.mktemp("sanitizer"))
    if missing is not None:
        pytest.skip(missing)


@pytest.mark.usefixtures("sanitizers")
@pytest.mark.parametrize("isa", ISAS)
def test_kernels_stay_within_their_memory(isa: str, tmp_path: Path) -> None:
    if not ISAS[isa] <= _flags_of_this_machine():
        pytest.skip(f"this machine has no {isa}")
    done = run_program(KERNELS, isa, tmp_path)
    assert done.returncode == 0, done.stderr[:6000]
    calls = re.fullmatch(r"(\d+) calls, 0 failures\n", done.stdout)
    assert calls is not None, done.stdout
    assert int(calls.group(1)) > 2000


# What the program is there to catch, put back into a copy of the kernels: (file, what stands there once, what is to).
NO_SLACK = ("affine_sample/region.h", "const T slack = 16 *", "const T slack = 0 *")
OF_THE_PICTURE = (
    "affine_sample/taps.h",
    "const I there = inside(row, rows) & inside(column, columns);",
    "const I there = inside(row + Int(region.y), I{} + Int(p_.H)) & inside(column + Int(region.x), I{} + Int(p_.W));",
)
WINDOW = (
    "affine_sample/taps.h",
    "const Int start = least < Int(p_.W) - kWidth ? least : Int(p_.W) - kWidth;",
    "const Int start = least;",
)
FOURS = (
    "affine_sample/forward.h",
    "(p_.W - 2) * p_.column_stride + p_.C - 4;",
    "(p_.W - 2) * p_.column_stride + p_.C;",
)
WHOLE_STRIPS = (
    "affine_sample/strips.h",
    "const Numbering numbering{{first, 0, last - first, p_.W}",
    "const Numbering numbering{{first, 0, p_.H - first, p_.W}",
)
SHORT_RESIDUAL = ("sparse_reconstruct/residual.h", "memory_.reserve(atoms)", "memory_.reserve(atoms / 2)")
SHORT_LISTS = ("channel_product/weighted_sums.h", "reserve(kRows * maps * J_)", "reserve(kRows * maps * J_ / 2)")
PLANTED = {  # the bug, and what is said of it
    "pixels of the image, not of the region": ([OF_THE_PICTURE, NO_SLACK], "AddressSanitizer"),
    "a region without slack": ([NO_SLACK], "a sum of gradients"),  # forward lays no such region out
    "a window that begins anywhere": ([WINDOW], "AddressSanitizer"),
    "four numbers of the last pixel of three": ([FOURS], "AddressSanitizer"),
    "strips that overlap": ([WHOLE_STRIPS], "gradient"),
    "lists with room for half of the weights": ([SHORT_LISTS], "AddressSanitizer"),
    "a residual with half of its atoms": ([SHORT_RESIDUAL], "AddressSanitizer"),
}


@pytest.mark.usefixtures("sanitizers")
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_caught(bug: str, tmp_path: Path) -> None:
    kernels = tmp_path / "csrc"
    shutil.copytree(KERNELS, kernels)
    changes, message = PLANTED[bug]
    for file, old, new in changes:
        text = (kernels / file).read_text()
        assert text.count(old) == 1, f"{file} has {text.count(old)} of {old!r}"
        (kernels / file).write_text(text.replace(old, new))
    done = run_program(kernels, "baseline", tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
