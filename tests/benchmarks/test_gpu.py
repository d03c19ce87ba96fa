"""The GPU benchmarks without a GPU: each rehearses, times public functions, and on_gpu.sh reports every step."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import torch

import reidops
from benchmarks import devices, gpu, gpu_dsr

BENCHMARKS = Path(gpu.__file__).parent
#: What takes times on a GPU; other scripts read machine code.
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("gpu_*.py") if "from .gpu import" in path.read_text())
TEN_MINUTES = 600


@pytest.mark.parametrize("script", SCRIPTS)
def test_rehearsal_times_ours_and_torch(script: str, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    options = ["--market", "0.001"] if script == "gpu_dsr" else []
    importlib.import_module(f"benchmarks.{script}").main(["--rehearse", "--out", str(out), *options])
    results = json.loads(out.read_text())
    assert "rehearsal" in results["device"]
    assert all(rate > 0 for rate in results["ceilings"].values())
    operator = script.removeprefix("gpu_")
    for case in {row["case"] for row in results["rows"] if "Market" not in row["case"]}:
        names = [row["what"] for row in results["rows"] if row["case"] == case]
        assert len(set(names)) == len(names)
        assert any(name.startswith(operator) for name in names)
        assert any(name.startswith(("torch", "one after another")) for name in names)
    assert all(row.get("ms", row.get("seconds")) > 0 for row in results["rows"])
    assert all(row["largest gap"] <= 1e-4 for row in results["rows"] if "largest gap" in row)


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_private_is_timed(script: str) -> None:
    tree = ast.parse((BENCHMARKS / f"{script}.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert not [module for module in imported if module and module.startswith("reidops")]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "reidops"
    }
    assert used <= set(reidops.__all__)


def test_no_script_runs_without_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reidops._library, "CUDA_MISSING", "not built")
    with pytest.raises(SystemExit, match="no CUDA kernels to time: not built"):
        gpu_dsr.main(["--out", str(tmp_path / "results.json")])


def test_market_is_half_maps_in_one_public_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def recorded(probe: torch.Tensor, gallery: reidops.Dictionaries, *options: float, **more: bool) -> object:
        calls.append((probe.dtype, gallery.storage, len(probe), len(gallery)))
        return distance(probe, gallery, *options, **more)

    distance = reidops.dsr_distance
    monkeypatch.setattr(reidops, "dsr_distance", recorded)
    row = gpu_dsr.market(1.0, 1.0, gpu.Bench(torch.device("cpu")))
    assert calls[-1] == (torch.float16, torch.float16, 17, 31)
    assert "17 of 3368" in row["case"]
    assert "31 of 19732" in row["what"]


# on_gpu.sh with a Python that does nothing, or fails, or never ends


def on_gpu(tmp_path: Path, python: str, **tools: str) -> tuple[int, list[str]]:
    """Its exit status and summary, with these tools and no others of CUDA."""
    tools = {"python": python, **tools}
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in tools.items():
        tool = folder / name.replace("_", "-")
        tool.write_text(f"#!/bin/sh\n{body}\n")
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    environ = {**os.environ, "PYTHON": str(folder / "python"), "PATH": f"{folder}:/usr/bin:/bin"}
    results = tmp_path / "results"
    done = subprocess.run(
        ["sh", str(BENCHMARKS / "on_gpu.sh"), str(results)], env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode, (results / "summary.txt").read_text().splitlines()


def verdicts(summary: list[str]) -> dict[str, str]:
    return {line.partition(":")[0]: line.partition(": ")[2].partition(",")[0] for line in summary}


def test_every_step_is_in_the_summary_and_a_missing_sanitizer_is_no_failure(tmp_path: Path) -> None:
    status, summary = on_gpu(tmp_path, "exit 0")
    assert status == 0
    found = verdicts(summary)
    assert {"machine", "build", "tests", "memcheck", "racecheck"} <= found.keys()
    assert {f"bench_{name}" for name in ("affine", "dsr", "xcorr", "projected")} <= found.keys()
    assert {name for name, verdict in found.items() if verdict == "skipped"} == {"memcheck", "racecheck"}
    assert set(found.values()) == {"passed", "skipped"}


def test_steps_that_fail_are_named_and_the_others_run(tmp_path: Path) -> None:
    status, summary = on_gpu(
        tmp_path, 'case "$2" in benchmarks.gpu_dsr|pytest) exit 3;; esac', compute_sanitizer='shift 6; exec "$@"'
    )
    assert status == 1
    found = verdicts(summary)
    assert {name for name, verdict in found.items() if verdict == "passed"} == {
        "machine",
        "build",
        "bench_affine",
        "bench_xcorr",
        "bench_projected",
    }
    assert {name for name, verdict in found.items() if verdict == "failed"} == {
        "tests",
        "bench_dsr",
        "memcheck",
        "racecheck",
    }


def test_docs_have_what_is_printed_and_the_limits_that_hold() -> None:
    docs = (BENCHMARKS.parent / "docs" / "gpu.md").read_text()
    assert "\n".join(devices.table()) in docs
    limits = dict(re.findall(r"^step (\w+) (\d+)$", (BENCHMARKS / "on_gpu.sh").read_text(), re.MULTILINE))
    assert dict(re.findall(r"^\| (\w+) \| (\d+) \| [^|]+ \|$", docs, re.MULTILINE)) == limits


def test_all_limits_together_are_less_than_ten_minutes() -> None:
    limits = re.findall(r"^step \w+ (\d+)$", (BENCHMARKS / "on_gpu.sh").read_text(), re.MULTILINE)
    assert len(limits) == 9
    assert sum(map(int, limits)) < TEN_MINUTES


def test_every_script_is_a_step() -> None:
    text = (BENCHMARKS / "on_gpu.sh").read_text()
    assert all(f"bench {name.removeprefix('gpu_')}" in text or f"benchmarks.{name} " in text for name in SCRIPTS)
