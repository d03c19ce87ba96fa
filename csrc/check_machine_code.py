"""Compiles the CUDA kernels, reads their machine code, and fails where a hot kernel falls behind its committed counts.

    python csrc/check_machine_code.py                      the gate: kernels of machine_code.json
    python csrc/check_machine_code.py affine --loops       kernels with "affine" in their names, every loop of theirs
    python csrc/check_machine_code.py --write              writes machine_code.json anew

Counts are of one architecture, sm_90.  Of a kernel: calls of a 64-bit division, and accesses of local memory.  Of its
hot loop (`listing.py` says which): instructions, multiply-adds, the most global loads in flight, the widest access.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cuda_toolchain
from listing import Kernel, kernels
from torch.utils.cpp_extension import include_paths

ROOT = Path(__file__).parent
COMMITTED = ROOT / "machine_code.json"
ARCHITECTURE = "sm_90"
CACHE = ROOT.parent / "build" / "machine_code"
_SHARED = re.compile(r"\.nv\.shared\.(\w+)\s+NOBITS\s+\w+\s+\w+\s+(\w+)")
#: Another nvcc may choose a few other instructions.
ALLOWED = 1.05

Counts = dict[str, int]


def compiled(toolchain: cuda_toolchain.Toolchain, nvdisasm: Path, source: Path) -> list[Kernel]:
    """The kernels of one source, compiled once as long as nothing that goes into them changes."""
    includes = [f"-I{path}" for path in (ROOT, *include_paths())]
    definitions = ["-DTORCH_TARGET_VERSION=0x020a000000000000", f"-arch={ARCHITECTURE}"]
    nvcc = [str(toolchain.nvcc), "-cubin", *cuda_toolchain.NVCC_FLAGS, *includes, *definitions, str(source)]
    binary = CACHE / f"{source.stem}-{_fingerprint(nvcc, source)}.cubin"
    CACHE.mkdir(parents=True, exist_ok=True)
    with binary.with_suffix(".lock").open("w") as lock:  # tests may run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            unfinished = binary.with_suffix(".tmp")
            cuda_toolchain.output_of(*nvcc, "-o", str(unfinished))
            unfinished.rename(binary)
    sections = cuda_toolchain.output_of("readelf", "--wide", "--sections", str(binary))
    shared = {name: int(size, 16) for name, size in _SHARED.findall(sections)}
    return list(kernels(cuda_toolchain.output_of(str(nvdisasm), "-c", "-g", str(binary)), shared))


def _fingerprint(command: Sequence[str], source: Path) -> str:
    digest = hashlib.sha256(" ".join(command).encode())
    headers = [path for path in ROOT.rglob("*") if path.suffix in (".h", ".cuh")]
    for path in (*sorted(headers), source):
        digest.update(path.read_bytes())
    digest.update(cuda_toolchain.output_of(command[0], "--version").encode())
    return digest.hexdigest()[:16]


def counts_of(kernel: Kernel) -> Counts:
    """What is committed of a kernel."""
    hot = kernel.hot.counts
    names = ("instructions", "multiply_adds", "matrix", "in_flight", "bits")
    return {"divisions": kernel.divisions, "local": kernel.local, **{name: hot[name] for name in names}}


def worse(now: Counts, committed: Counts) -> list[str]:
    """In words, where a kernel falls behind.  Fewer instructions for as many multiply-adds are no harm."""
    found = []
    for name in ("divisions", "local"):
        if now[name] > committed[name]:
            found.append(f"{name}: {now[name]}, were {committed[name]}")
    for name in ("in_flight", "bits"):
        if now[name] < committed[name]:
            found.append(f"{name}: {now[name]}, were {committed[name]}")
    work = "matrix" if committed["matrix"] else "multiply_adds" if committed["multiply_adds"] else None
    if work is None:
        if now["instructions"] > ALLOWED * committed["instructions"]:
            found.append(f"instructions: {now['instructions']}, were {committed['instructions']}")
    elif now["instructions"] * committed[work] > ALLOWED * committed["instructions"] * now[work]:
        found.append(
            f"{work}: {now[work]} of {now['instructions']} instructions, were {committed[work]} of "
            f"{committed['instructions']}"
        )
    return found


def show(found: Iterable[Kernel], every_loop: bool) -> None:
    """A line for each kernel, and under it one for its hot loop, or for every loop."""
    names = ("instructions", "multiply_adds", "matrix", "global_loads", "shared_loads", "in_flight", "bits")
    for kernel in found:
        print(f"{kernel.name}: {len(kernel.instructions)} instructions", end=", ")
        print(f"64-bit divisions {kernel.divisions}, accesses of local memory {kernel.local}")
        for loop in kernel.loops if every_loop else [kernel.hot]:
            what = "hot" if loop is kernel.hot else "body" if loop is kernel.loops[0] else "loop"
            counts = "  ".join(f"{name.replace('_', ' ')} {loop.counts[name]:>4}" for name in names)
            print(f"    {what}  {counts}  {loop.place}")


def check(found: Sequence[Kernel], committed: dict[str, Counts]) -> list[str]:
    """What is wrong, in words; every kernel that is committed must be there."""
    by_name = {kernel.name: kernel for kernel in found}
    wrong = []
    for name, counts in committed.items():
        if name not in by_name:
            wrong.append(f"{name}: there is no such kernel any more")
            continue
        wrong += [f"{name}: {text}" for text in worse(counts_of(by_name[name]), counts)]
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="part of the names of the kernels to show")
    parser.add_argument("--loops", action="store_true", help="show every loop, not only the hot one")
    parser.add_argument("--write", action="store_true", help="write the counts of the kernels of machine_code.json")
    parser.add_argument("--add", metavar="KERNEL", action="append", default=[], help="with --write: one kernel more")
    options = parser.parse_args()
    toolchain, reason = cuda_toolchain.decide()
    if toolchain is None:
        print(f"check_machine_code: nothing read: {reason}")
        return 0
    nvdisasm = toolchain.find("nvdisasm")
    if nvdisasm is None:
        print("check_machine_code: there is nvcc but no nvdisasm: pip install nvidia-cuda-nvdisasm", file=sys.stderr)
        return 1
    committed: dict[str, Counts] = json.loads(COMMITTED.read_text())
    sources = sorted(ROOT.glob("*/*_cuda.cu"))
    with ThreadPoolExecutor() as pool:
        found = [k for part in pool.map(lambda source: compiled(toolchain, nvdisasm, source), sources) for k in part]
    found.sort(key=lambda kernel: kernel.name)
    hot = {*committed, *options.add}
    chosen = [k for k in found if (options.name in k.name if options.name else k.name in hot)]
    print(f"CUDA {toolchain.version}, {ARCHITECTURE}, {len(sources)} sources, {len(found)} kernels")
    show(chosen, options.loops)
    if options.write:
        values = {kernel.name: counts_of(kernel) for kernel in found if kernel.name in hot}
        COMMITTED.write_text(json.dumps(values, indent=2) + "\n")
        return 0
    wrong = check(found, committed)
    print(*wrong, sep="\n", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
