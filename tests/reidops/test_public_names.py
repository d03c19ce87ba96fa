"""The names that other people's code may rely on, and the places that comments and documents point at."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import reidops

ROOT = Path(__file__).parents[2]
POINTERS = re.compile(
    r"(?<![\w/])((?:reidops|reidops_models|csrc|tests|benchmarks)/[\w/]+\.(?:py|cpp|cu|cuh|h|sh|md|yaml))\b"
)
DOTTED = re.compile(r"(?<![\w./:-])reidops(?:\.\w+)+")
ENTRY_POINTS = set(re.findall(r'entry-points."([\w.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")))


def test_all_public_names_are_listed() -> None:
    assert sorted(name for name in dir(reidops) if not name.startswith("_")) == sorted(
        name for name in reidops.__all__ if not name.startswith("_")
    )


@pytest.mark.parametrize("name", sorted(set(reidops.__all__) - {"__version__", "reference"}))
def test_no_module_hides_behind_a_function(name: str) -> None:
    assert not isinstance(getattr(reidops, name), ModuleType)
    assert not (Path(reidops.__file__).parent / f"{name}.py").exists()


def pointing() -> list[Path]:
    folders = [(ROOT / "csrc", "*"), (ROOT / "reidops", "*.py"), (ROOT / "docs", "*.md")]
    files = [path for folder, pattern in folders for path in folder.rglob(pattern) if path.is_file()]
    return [path for path in files if path.suffix in {".py", ".cpp", ".cu", ".cuh", ".h", ".md"}]


@pytest.mark.parametrize("path", pointing(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_comments_and_documents_point_at_exist(path: Path) -> None:
    named = POINTERS.findall(path.read_text(encoding="utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", pointing(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_in_comments_and_documents_exist(path: Path) -> None:
    named = set(DOTTED.findall(path.read_text(encoding="utf-8"))) - ENTRY_POINTS
    assert not [name for name in named if not exists(name)]


def exists(dotted: str) -> bool:
    value: object = reidops
    for name in dotted.split(".")[1:]:
        if not hasattr(value, name):
            return False
        value = getattr(value, name)
    return True


def test_stale_names_are_noticed() -> None:
    assert exists("reidops.reference.fista")
    assert not exists("reidops.sparse_reconstruct.SOLVERS")
    assert DOTTED.findall("`reidops.blocks.pool(x)`, torch.ops.reidops.cpu_isa, /reidops.so") == ["reidops.blocks.pool"]
