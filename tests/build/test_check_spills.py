"""What is read of the registers and the local memory of a built library."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

CSRC = Path(__file__).parents[2] / "csrc"

REPORT = """
Fatbin elf code:
================
arch = sm_80
code version = [1,8]

Resource usage:
 Common:
  GLOBAL:0
 Function _Z3sumIfEvPKfS1_Pf:
  REG:96 STACK:0 SHARED:4152 LOCAL:0 CONSTANT[0]:1212 TEXTURE:0 SURFACE:0 SAMPLER:0

Fatbin ptx code:
================
arch = sm_90

Fatbin elf code:
================
arch = sm_100

Resource usage:
 Common:
  GLOBAL:0
 Function _Z3sumIdEvPKdS1_Pd:
  REG:32 STACK:24 SHARED:0 LOCAL:0 CONSTANT[0]:1388 TEXTURE:0 SURFACE:0 SAMPLER:0
 Function _Z3sumIfEvPKfS1_Pf:
  REG:80 STACK:0 SHARED:4152 LOCAL:0 CONSTANT[0]:1388 TEXTURE:0 SURFACE:0 SAMPLER:0
"""


@pytest.fixture
def spills(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(CSRC)
    return importlib.import_module("check_spills")


def test_reads_every_kernel_of_every_architecture(spills: ModuleType) -> None:
    found = sorted(spills.usages(REPORT), key=spills.order)
    assert [(usage.kernel, usage.architecture, usage.registers, usage.shared) for usage in found] == [
        ("sum<double>", "sm_100", 32, 0),
        ("sum<float>", "sm_80", 96, 4152),
        ("sum<float>", "sm_100", 80, 4152),
    ]


def test_local_memory_is_an_error(spills: ModuleType) -> None:
    assert [usage.kernel for usage in spills.usages(REPORT) if usage.bad] == ["sum<double>"]


def test_a_library_without_kernels_is_an_error(
    spills: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["check_spills.py", "library.so"])
    monkeypatch.setattr(
        spills.cuda_toolchain, "decide", lambda: (spills.cuda_toolchain.Toolchain(Path("/"), "", ()), "")
    )
    monkeypatch.setattr(spills.cuda_toolchain.Toolchain, "find", lambda self, tool: Path(tool))
    monkeypatch.setattr(spills.cuda_toolchain, "output_of", lambda *command: "")
    assert spills.main() == 1
    assert "0 kernels" in capsys.readouterr().out
