"""Whether CUDA kernels are built, for which machines, and what the build says about it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import csrc.cuda_toolchain as cuda_toolchain


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A toolkit whose nvcc only answers questions."""
    nvcc = tmp_path / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.write_text(
        "#!/bin/sh\ncase $1 in\n"
        '--version) echo "Cuda compilation tools, release 12.8, V12.8.93" ;;\n'
        "--list-gpu-arch) printf 'compute_%s\\n' 75 80 86 90 100 120 103 121 ;;\n"
        f'--dryrun) echo "#\\$ TOP={nvcc.parent}/.." >&2 ;;\n'
        "esac\n"
    )
    nvcc.chmod(0o755)
    return nvcc.parent.parent


@pytest.fixture
def no_default_home(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: "/usr/local/cuda" not in str(path) and real(path))


@pytest.mark.parametrize("variable", ["FORCE_CUDA", "REIDOPS_BUILD_CUDA"])
def test_zero_leaves_cuda_out(home: Path, variable: str) -> None:
    assert cuda_toolchain.decide({"CUDA_HOME": str(home), variable: "0"}) == (None, f"{variable}=0")


def test_found_compiler_is_used(home: Path) -> None:
    toolchain, reason = cuda_toolchain.decide({"CUDA_HOME": str(home)})
    assert toolchain is not None
    assert toolchain.home == home
    assert toolchain.version == "12.8"
    assert toolchain.architectures == ("8.0", "9.0", "10.0", "12.0+PTX")
    assert str(home) in reason


def test_older_compiler_compiles_for_what_it_knows(home: Path) -> None:
    nvcc = home / "bin" / "nvcc"
    text = nvcc.read_text()
    nvcc.write_text(text.replace("75 80 86 90 100 120 103 121", "75 80 86 90"))
    toolchain, _ = cuda_toolchain.decide({"CUDA_HOME": str(home)})
    assert toolchain is not None
    assert toolchain.architectures == ("8.0", "9.0+PTX")
    nvcc.write_text(text.replace("75 80 86 90 100 120 103 121", "60 75"))
    with pytest.raises(RuntimeError, match=r"knows none of 8\.0, 9\.0, 10\.0, 12\.0"):
        cuda_toolchain.decide({"CUDA_HOME": str(home)})


def test_compiler_in_path_may_be_a_script_that_calls_the_real_one(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "nvcc"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {home}/bin/nvcc "$@"\n')
    script.chmod(0o755)
    assert cuda_toolchain.find_home({"PATH": f"{script.parent}:/bin"}) == home


@pytest.mark.usefixtures("no_default_home")
def test_without_a_compiler_the_reason_is_given() -> None:
    toolchain, reason = cuda_toolchain.decide({"PATH": "/nowhere"})
    assert toolchain is None
    assert reason.startswith("no nvcc")


@pytest.mark.usefixtures("no_default_home")
@pytest.mark.parametrize(("variable", "value"), [("FORCE_CUDA", "1"), ("TORCH_CUDA_ARCH_LIST", "9.0")])
def test_cuda_asked_for_without_a_compiler_is_an_error(variable: str, value: str) -> None:
    with pytest.raises(RuntimeError, match=f"{variable} asks for CUDA kernels"):
        cuda_toolchain.decide({"PATH": "/nowhere", variable: value})


def test_architectures_can_be_named(home: Path) -> None:
    environ = {"CUDA_HOME": str(home), "TORCH_CUDA_ARCH_LIST": "8.6 9.0+PTX"}
    for extra, expected in (({}, ("8.6", "9.0+PTX")), ({"REIDOPS_CUDA_ARCHS": "9.0a;10.0"}, ("9.0a", "10.0"))):
        toolchain, _ = cuda_toolchain.decide({**environ, **extra})
        assert toolchain is not None
        assert toolchain.architectures == expected


def test_gencode_flags() -> None:
    assert cuda_toolchain.gencode_flags("9.0a") == ["-gencode=arch=compute_90a,code=sm_90a"]
    assert cuda_toolchain.gencode_flags("12.0+PTX") == [
        "-gencode=arch=compute_120,code=sm_120",
        "-gencode=arch=compute_120,code=compute_120",
    ]


def test_every_architecture_is_compiled_by_a_thread_of_its_own() -> None:
    toolchain = cuda_toolchain.Toolchain(Path("/opt"), "13.0", ("8.0", "12.0+PTX"))
    assert toolchain.gencode_flags() == [
        "--threads=2",
        "-gencode=arch=compute_80,code=sm_80",
        "-gencode=arch=compute_120,code=sm_120",
        "-gencode=arch=compute_120,code=compute_120",
    ]


@pytest.mark.skipif(shutil.which("cc") is None or shutil.which("readelf") is None, reason="needs cc and readelf")
def test_stub_has_the_name_of_torchs_library(tmp_path: Path) -> None:
    library = cuda_toolchain.link_stub(tmp_path)
    dynamic = subprocess.run(["readelf", "-d", library], check=True, text=True, capture_output=True).stdout
    assert "soname: [libtorch_cuda.so]" in dynamic
