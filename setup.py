"""Builds reidops._C (schemas and CPU kernels) and, where there is a CUDA compiler, reidops._C_cuda (CUDA kernels).

All else about the package is in pyproject.toml.  The sources are found by the layout: csrc/*.cpp and csrc/*/*.cpp make
_C, csrc/*/*_cuda.cu make _C_cuda; CMakeLists.txt takes the same ones.  csrc/cuda_toolchain.py decides about CUDA, and
the decision is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import Extension, setup
from torch.utils import cpp_extension

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "csrc"))  # a build front end does not put the project on the path

import cuda_toolchain  # noqa: E402

CXX_FLAGS = ["-O3", "-g0", "-std=c++20", "-fvisibility=hidden", "-Wall"]


def sources(*patterns: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern))


def extension(name: str, files: list[str], flags: dict[str, list[str]], link: dict[str, list[str]]) -> Extension:
    """One binary for every torch from 2.10 on (PyTorch's stable ABI) and for every Python.

    The limited API is kept by using no API of Python's at all: loading the library is what registers the operators.
    """
    target = "-DTORCH_TARGET_VERSION=0x020a000000000000"
    return Extension(
        name,
        files,
        include_dirs=cpp_extension.include_paths(),
        libraries=["torch_cpu", *link.get("libraries", [])],
        library_dirs=[*cpp_extension.library_paths(), *link.get("library_dirs", [])],
        extra_compile_args={language: [*words, target] for language, words in flags.items()},
        extra_link_args=["-Wl,-z,defs", *link.get("flags", [])],  # a missing symbol fails here, not where it is used
        language="c++",
        py_limited_api=True,
    )


def cpu_extension() -> Extension:
    return extension("reidops._C", sources("csrc/*.cpp", "csrc/*/*.cpp"), {"cxx": CXX_FLAGS}, {})


def cuda_extension(toolchain: cuda_toolchain.Toolchain, files: list[str]) -> Extension:
    # The kernels meet torch only through its stable ABI and carry a CUDA runtime of their own.  So the torch at hand
    # need have no CUDA, for which torch would hide the toolkit, nor the same version, which torch would insist on.
    cpp_extension.CUDA_HOME = str(toolchain.home)
    cpp_extension._check_cuda_version = lambda *_: None

    stub = cuda_toolchain.link_stub(ROOT / "build" / "stub")
    return extension(
        "reidops._C_cuda",
        files,
        {"cxx": CXX_FLAGS, "nvcc": [*cuda_toolchain.NVCC_FLAGS, *toolchain.gencode_flags()]},
        {
            "libraries": ["cudart_static", "rt", "dl", "pthread"],
            "library_dirs": [str(toolchain.library_dir)],
            "flags": ["-Wl,--no-as-needed", str(stub)],
        },
    )


def forget_stale_objects() -> None:
    """Where torch has no CUDA it asks nvcc for no dependencies, and a changed header would go unnoticed."""
    newest = max(path.stat().st_mtime for suffix in ("h", "cuh") for path in ROOT.glob(f"csrc/*/*.{suffix}"))
    for built in ROOT.glob("build/temp*/csrc/*/*_cuda.o"):
        if built.stat().st_mtime < newest:
            built.unlink()


def extensions() -> list[Extension]:
    toolchain, reason = cuda_toolchain.decide()
    files = sources("csrc/*/*_cuda.cu")
    if toolchain is None or not files:
        print(f"reidops: CPU kernels only ({reason if files else 'there are no CUDA sources'})", flush=True)
        return [cpu_extension()]
    forget_stale_objects()
    architectures = ";".join(toolchain.architectures)
    print(f"reidops: CPU and CUDA {toolchain.version} kernels for {architectures} ({reason})", flush=True)
    return [cpu_extension(), cuda_extension(toolchain, files)]


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": cpp_extension.BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
