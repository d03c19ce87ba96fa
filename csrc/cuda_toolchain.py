"""Finds the CUDA compiler, its tools, and what to compile for: for setup.py, CMakeLists.txt and the checks."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Ampere and Ada, Hopper, Blackwell in data centres, Blackwell elsewhere.  Machine code for x.0 runs on every x.y.
DEFAULT_ARCHITECTURES = ("8.0", "9.0", "10.0", "12.0")

NVCC_FLAGS = (
    "-O3",
    "-std=c++20",
    "-lineinfo",  # a profiler and compute-sanitizer name lines; the code is the same
    "-Xfatbin=-compress-all",  # line tables are larger than the code
    "-DUSE_CUDA",
    "--expt-relaxed-constexpr",
    "-Xcompiler=-fPIC,-fvisibility=hidden",
)

OFF = ("0", "off", "false", "no")


@dataclass(frozen=True)
class Toolchain:
    """A CUDA toolkit: where it is, and the architectures to compile for, such as ``("9.0", "12.0+PTX")``."""

    home: Path
    version: str
    architectures: tuple[str, ...]

    @property
    def nvcc(self) -> Path:
        return self.home / "bin" / "nvcc"

    @property
    def library_dir(self) -> Path:
        return self.home / ("lib64" if (self.home / "lib64").is_dir() else "lib")

    def find(self, tool: str) -> Path | None:
        """Another tool of the toolkit: beside nvcc, in PATH, or of the package nvidia-cuda-`tool`."""
        beside, in_path = self.home / "bin" / tool, shutil.which(tool)
        if beside.is_file() or in_path:
            return beside if beside.is_file() else Path(str(in_path))
        try:
            files = importlib.metadata.files(f"nvidia-cuda-{tool}") or []
        except importlib.metadata.PackageNotFoundError:
            return None
        return next((Path(str(file.locate())) for file in files if file.name == tool), None)

    def gencode_flags(self) -> list[str]:
        """All architectures, and for each a thread of nvcc, which else compiles them one after another."""
        flags = [flag for architecture in self.architectures for flag in gencode_flags(architecture)]
        return [f"--threads={len(self.architectures)}", *flags]


def gencode_flags(architecture: str) -> list[str]:
    """``"12.0+PTX"`` -> machine code for sm_120, and PTX that later machines translate when they load it."""
    number, plus, _ = architecture.partition("+")
    number = number.replace(".", "")
    flags = [f"-gencode=arch=compute_{number},code=sm_{number}"]
    if plus:
        flags.append(f"-gencode=arch=compute_{number},code=compute_{number}")
    return flags


def decide(environ: Mapping[str, str] = os.environ) -> tuple[Toolchain | None, str]:
    """The toolchain to build CUDA kernels with, or None, and the reason in words.

    CUDA kernels are built where nvcc is found, whether or not there is a GPU or torch has CUDA.
    REIDOPS_BUILD_CUDA=0 or FORCE_CUDA=0 leaves them out; REIDOPS_BUILD_CUDA=1, FORCE_CUDA=1 or a set
    TORCH_CUDA_ARCH_LIST makes a missing nvcc an error.  REIDOPS_CUDA_ARCHS, else TORCH_CUDA_ARCH_LIST, names the
    architectures.
    """
    for name in ("REIDOPS_BUILD_CUDA", "FORCE_CUDA"):
        if environ.get(name, "").lower() in OFF:
            return None, f"{name}={environ[name]}"

    home = find_home(environ)
    if home is None:
        wanted = [name for name in ("REIDOPS_BUILD_CUDA", "FORCE_CUDA", "TORCH_CUDA_ARCH_LIST") if environ.get(name)]
        if wanted:
            raise RuntimeError(f"{wanted[0]} asks for CUDA kernels, but there is no nvcc: set CUDA_HOME")
        return None, "no nvcc in CUDA_HOME, CUDA_PATH, PATH or /usr/local/cuda"

    nvcc = str(home / "bin" / "nvcc")
    version = re.search(r"release ([\d.]+)", output_of(nvcc, "--version"))
    for name in ("REIDOPS_CUDA_ARCHS", "TORCH_CUDA_ARCH_LIST"):
        if environ.get(name):
            architectures = tuple(re.split(r"[;,\s]+", environ[name].strip()))
            reason = f"architectures from {name}"
            break
    else:
        architectures = default_architectures(nvcc)
        architectures = (*architectures[:-1], f"{architectures[-1]}+PTX")
        reason = "architectures by default"
    return Toolchain(home, version.group(1) if version else "unknown", architectures), f"nvcc in {home}; {reason}"


def find_home(environ: Mapping[str, str]) -> Path | None:
    """The toolkit's root: CUDA_HOME, CUDA_PATH, that of the nvcc in PATH, or /usr/local/cuda."""
    candidates = [Path(environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if environ.get(name)]
    in_path = shutil.which("nvcc", path=environ.get("PATH"))
    if in_path:  # may be a link or a script: nvcc itself says where its home is
        top = re.search(r"TOP=(\S+)", output_of(in_path, "--dryrun", "-x", "cu", os.devnull))
        candidates.append(Path(top.group(1)).resolve() if top else Path(in_path).resolve().parent.parent)
    candidates.append(Path("/usr/local/cuda"))
    return next((home for home in candidates if (home / "bin" / "nvcc").is_file()), None)


def default_architectures(nvcc: str) -> tuple[str, ...]:
    """Those of ``DEFAULT_ARCHITECTURES`` that this nvcc knows, the newest last.

    Raises:
        RuntimeError: it knows none of them.
    """
    known = set(re.findall(r"^compute_(\d+)$", output_of(nvcc, "--list-gpu-arch"), re.M))
    found = tuple(name for name in DEFAULT_ARCHITECTURES if name.replace(".", "") in known)
    if not found:
        raise RuntimeError(f"{nvcc} knows none of {', '.join(DEFAULT_ARCHITECTURES)}: set REIDOPS_CUDA_ARCHS")
    return found


def output_of(*command: str) -> str:
    """What a command prints, on either stream: ``nvcc --dryrun`` writes to stderr."""
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def link_stub(directory: Path, compiler: str = "cc") -> Path:
    """Makes ``directory/libtorch_cuda.so``, to be linked against in place of torch's own.

    The library built against it needs only the real one's name and four functions, so it is the same whether the torch
    at hand has CUDA or not, and loads wherever torch has.
    """
    directory.mkdir(parents=True, exist_ok=True)
    functions = (
        "aoti_torch_get_current_cuda_stream",
        "torch_get_current_cuda_blas_handle",
        "torch_c10_cuda_check_msg",
        "torch_c10_cuda_free_error_msg",
    )
    source = "".join(f"void {function}(void) {{}}\n" for function in functions)
    library = directory / "libtorch_cuda.so"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-Wl,-soname,libtorch_cuda.so", "-o", str(library)]
    subprocess.run(command, check=True, text=True, input=source)
    return library


def main() -> None:
    """For CMakeLists.txt: makes the stub in the folder given; prints it and nvcc's flags, as a list of CMake's."""
    toolchain, reason = decide()
    if toolchain is None:
        sys.exit(f"no CUDA kernels: {reason}")
    print(link_stub(Path(sys.argv[1])), *NVCC_FLAGS, *toolchain.gencode_flags(), sep=";")


if __name__ == "__main__":
    main()
