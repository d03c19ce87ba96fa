"""Who may know whom (docs/architecture.md): each rule says "everything but", so that a new file obeys it, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TORCH = re.compile(r'#include\s*[<"](torch|ATen|c10)/')
MAY_INCLUDE_TORCH = ["csrc/common/cuda_stream.h", "csrc/common/tensor.h"]  # which registration includes
KNOW_PAPERS = ("reproduction", "cli")  # beside the paper itself
ON_TOP = {"reproduction": ("cli",), "serve": ("cli",), "cli": ()}  # and who may import them, beside themselves
ENTRY = "reidops_models.__main__"  # `python -m reidops_models`, which is the command line


def imported(path: Path, root: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it; relative imports are resolved."""
    package = path.relative_to(root).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports(package: str, root: Path) -> Mapping[str, set[str]]:
    """What each module of a package imports, by the module's full name."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = set(imported(path, root))
    return found


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def papers(root: Path) -> list[str]:
    """The packages of papers, by the layout: those that have recipes."""
    return sorted(f"reidops_models.{folder.parent.name}" for folder in (root / "reidops_models").glob("*/recipes"))


# --- the rules: each gives what breaks it, "module imports module" ---------------------------------------------------


def operators_that_know_models(root: Path) -> list[str]:
    """`reidops` never imports `reidops_models`."""
    return [
        f"{module} imports {name}"
        for module, names in imports("reidops", root).items()
        for name in sorted(names)
        if within(name, "reidops_models")
    ]


def references_that_know_us(root: Path) -> list[str]:
    """`reidops/reference` imports nothing of ours but itself."""
    return [
        f"{module} imports {name}"
        for module, names in imports("reidops/reference", root).items()
        for name in sorted(names)
        if within(name, "reidops_models") or (within(name, "reidops") and not within(name, "reidops.reference"))
    ]


def modules_that_know_papers(root: Path) -> list[str]:
    """Nothing imports a paper but the paper itself, the reproductions and the command line."""
    knowing = [f"reidops_models.{name}" for name in KNOW_PAPERS]
    return [
        f"{module} imports {name}"
        for module, names in imports("reidops_models", root).items()
        for name in sorted(names)
        for paper in papers(root)
        if within(name, paper) and not any(within(module, one) for one in (paper, *knowing))
    ]


def modules_that_climb(root: Path) -> list[str]:
    """The reproductions, the page and the command line are imported by nothing below them."""
    return [
        f"{module} imports {name}"
        for module, names in imports("reidops_models", root).items()
        for name in sorted(names)
        for top, allowed in ON_TOP.items()
        if within(name, f"reidops_models.{top}")
        and module != ENTRY
        and not any(within(module, f"reidops_models.{one}") for one in (top, *allowed))
    ]


def reproductions_that_know_others(root: Path) -> list[str]:
    """A paper's reproduction knows this paper alone, and what reproductions share knows no paper."""
    names = [paper.rpartition(".")[2] for paper in papers(root)]
    return [
        f"{module} imports {name}"
        for module, imported_names in imports("reidops_models/reproduction", root).items()
        for name in sorted(imported_names)
        for paper in names
        if any(within(name, f"reidops_models.{place}{paper}") for place in ("", "reproduction."))
        and not within(module, f"reidops_models.reproduction.{paper}")
    ]


def headers_that_know_torch(root: Path) -> list[str]:
    """Kernels take pointers, sizes and a stream: no header includes torch, but for the two of registration."""
    headers = sorted(path for suffix in ("h", "cuh") for path in (root / "csrc").rglob(f"*.{suffix}"))
    including = [path.relative_to(root).as_posix() for path in headers if TORCH.search(path.read_text("utf-8"))]
    return [f"{header} includes torch" for header in including if header not in MAY_INCLUDE_TORCH]


# --- they hold -------------------------------------------------------------------------------------------------------


def test_operators_do_not_know_models() -> None:
    assert operators_that_know_models(ROOT) == []


def test_references_import_nothing_of_ours() -> None:
    assert references_that_know_us(ROOT) == []


def test_nothing_but_reproductions_and_commands_knows_a_paper() -> None:
    assert modules_that_know_papers(ROOT) == []


def test_nothing_climbs_to_the_top_storey() -> None:
    assert modules_that_climb(ROOT) == []


def test_a_reproduction_knows_its_own_paper_alone() -> None:
    assert reproductions_that_know_others(ROOT) == []


def test_kernels_do_not_know_torch() -> None:
    assert headers_that_know_torch(ROOT) == []


def test_papers_and_all_else_were_found() -> None:
    found = {name.rpartition(".")[2] for name in papers(ROOT)}
    assert found >= {"csn", "dpti", "dsr", "mgre", "stnreid"}
    assert not found & {"backbones", "cli", "data", "evaluation", "report", "reproduction", "training"}
    assert len(imports("reidops", ROOT)) > 20
    assert len(imports("reidops_models", ROOT)) > 100
    assert len(imports("reidops/reference", ROOT)) > 3
    assert all((ROOT / header).is_file() for header in MAY_INCLUDE_TORCH)


# --- and they bite ---------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A little house that keeps every rule."""
    for path, text in {
        "csrc/op/op.h": "#include <cmath>\n",
        "csrc/common/tensor.h": "#include <torch/csrc/stable/tensor.h>\n",
        "reidops/__init__.py": "import torch\n",
        "reidops/reference/lasso.py": "import torch\nfrom .solver import solve\n",
        "reidops_models/paper.py": "import importlib\n",
        "reidops_models/dsr/__init__.py": "from .network import Network\nimport reidops_models.paper\n",
        "reidops_models/dsr/recipes/demo.yaml": "model: dsr\n",
        "reidops_models/csn/__init__.py": "from reidops_models.csn import network\n",
        "reidops_models/csn/recipes/demo.yaml": "model: csn\n",
        "reidops_models/reproduction/dsr/tables.py": "from reidops_models.dsr import Network\n",
        "reidops_models/cli/__init__.py": "import reidops_models.reproduction\nfrom .. import dsr\n",
        "reidops_models/__main__.py": "from reidops_models.cli import main\n",
    }.items():
        write(tmp_path / path, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


RULES = (
    operators_that_know_models,
    references_that_know_us,
    modules_that_know_papers,
    modules_that_climb,
    reproductions_that_know_others,
    headers_that_know_torch,
)


def test_a_good_house_breaks_no_rule(house: Path) -> None:
    assert [rule(house) for rule in RULES] == [[]] * len(RULES)


@pytest.mark.parametrize(
    ("path", "text", "broken"),
    [
        ("reidops/op.py", "def f():\n    from reidops_models import paper\n", operators_that_know_models),
        ("reidops/reference/op.py", "from reidops import affine_sample\n", references_that_know_us),
        ("reidops/reference/op.py", "from .. import affine_sample\n", references_that_know_us),
        ("reidops_models/checkpoint.py", "from reidops_models.dsr.losses import loss\n", modules_that_know_papers),
        ("reidops_models/checkpoint.py", "from . import dsr\n", modules_that_know_papers),
        ("reidops_models/gallery/new.py", "def f():\n    import reidops_models.csn\n", modules_that_know_papers),
        ("reidops_models/csn/losses.py", "from ..dsr import Network\n", modules_that_know_papers),
        ("reidops_models/serve/page.py", "import reidops_models.dsr\n", modules_that_know_papers),
        ("reidops_models/search.py", "from reidops_models.cli.ranks import ranking\n", modules_that_climb),
        ("reidops_models/dsr/tables.py", "from reidops_models.reproduction import Table\n", modules_that_climb),
        ("reidops_models/report/page.py", "from ..serve import page\n", modules_that_climb),
        ("reidops_models/reproduction/study.py", "import reidops_models.cli\n", modules_that_climb),
        ("reidops_models/reproduction/csn/tables.py", "from ...dsr import Network\n", reproductions_that_know_others),
        ("reidops_models/reproduction/study.py", "from .dsr import TABLES\n", reproductions_that_know_others),
        ("csrc/op/deep/op.cuh", '#include "c10/core.h"\n', headers_that_know_torch),
    ],
)
def test_a_planted_file_breaks_its_rule_and_no_other(house: Path, path: str, text: str, broken: object) -> None:
    write(house / path, text)
    assert [rule for rule in RULES if rule(house)] == [broken]


def test_the_resolver_sees_every_form_of_import(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.py"
    write(path, "import x.y\nfrom . import d\nfrom ..e import f\n\n\ndef g():\n    from h import i\n")
    assert set(imported(path, tmp_path)) == {"x.y", "a.b", "a.b.d", "a.e", "a.e.f", "h", "h.i"}
