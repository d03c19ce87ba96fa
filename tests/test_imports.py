"""Who may know whom (docs/architecture.md): each folder knows as little as it can."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAPERS = ("csn", "dpti", "dsr", "mgre", "stnreid")
SHARED = ("backbones", "data", "evaluation", "matching", "recipe", "report", "reproduction", "training")


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it; relative imports are resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_the_resolver_sees_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "a" / "b" / "c.py"
    path.parent.mkdir(parents=True)
    path.write_text("import x.y\nfrom . import d\nfrom ..e import f\n\n\ndef g():\n    from h import i\n")
    assert set(imported(path)) == {"x.y", "a.b", "a.b.d", "a.e", "a.e.f", "h", "h.i"}


@pytest.mark.parametrize("path", python_files("reidops"), ids=str)
def test_operators_do_not_know_models(path: Path) -> None:
    assert not [module for module in imported(path) if within(module, "reidops_models")]


@pytest.mark.parametrize("path", python_files("reidops/reference"), ids=str)
def test_references_import_nothing_of_ours(path: Path) -> None:
    ours = [m for m in imported(path) if within(m, "reidops") and not within(m, "reidops.reference")]
    assert not ours


@pytest.mark.parametrize("paper", PAPERS)
def test_papers_do_not_know_each_other(paper: str) -> None:
    others = [f"reidops_models.{other}" for other in PAPERS if other != paper]
    known = {module for path in python_files(f"reidops_models/{paper}") for module in imported(path)}
    assert known
    assert not [module for module in known for other in others if within(module, other)]


@pytest.mark.parametrize("folder", SHARED)
def test_shared_folders_do_not_know_papers(folder: str) -> None:
    known = {module for path in python_files(f"reidops_models/{folder}") for module in imported(path)}
    assert known
    assert not [module for module in known for paper in PAPERS if within(module, f"reidops_models.{paper}")]


def test_every_folder_of_models_is_a_paper_or_shared() -> None:
    folders = {path.parent.name for path in (ROOT / "reidops_models").glob("*/__init__.py")}
    assert folders == {*PAPERS, *SHARED, "cli"}


def test_kernels_do_not_know_torch() -> None:
    headers = sorted(path for suffix in ("h", "cuh") for path in (ROOT / "csrc").glob(f"*/*.{suffix}"))
    including = [
        path.relative_to(ROOT).as_posix()
        for path in headers
        if re.search(r'#include\s*[<"](torch|ATen|c10)/', path.read_text(encoding="utf-8"))
    ]
    assert including == ["csrc/common/cuda_stream.h", "csrc/common/tensor.h"]


def test_matching_does_not_know_the_report() -> None:
    known = {module for path in python_files("reidops_models/matching") for module in imported(path)}
    assert not [module for module in known if within(module, "reidops_models.report")]
