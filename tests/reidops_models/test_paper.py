"""Papers are found by entry points; what is wrong with one breaks no other."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from reidops_models import paper as papers
from reidops_models.paper import Paper, PaperError, find_paper, paper_names, usable_papers
from reidops_models.recipe import RecipeError, load_recipe, parse_recipe

Install = Callable[..., None]

GOOD = """
from reidops_models.paper import Methods, Paper
from reidops_models.recipe import Recipe


class GoodPaper(Paper):
    name = "good"
    recipe = Recipe

    def build_network(self, recipe, identities):
        raise NotImplementedError

    def build_methods(self, network, recipe, gallery_sizes=None):
        raise NotImplementedError


PAPER = GoodPaper()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution that offers one paper, as pip would leave it."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(distribution: str, paper: str, value: str, source: str | None = None) -> None:
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{papers.GROUP}]\n{paper} = {value}\n")
        if source is not None:
            (tmp_path / f"{value.partition(':')[0]}.py").write_text(source)
        papers._offers.cache_clear()

    yield install
    monkeypatch.undo()
    papers._offers.cache_clear()


def test_names_are_found_without_importing_a_paper_or_torch() -> None:
    code = "import sys; from reidops_models.paper import paper_names; print(*paper_names()); print(*sys.modules)"
    names, modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {"csn", "dpti", "dsr", "mgre", "stnreid"} <= set(names.split())
    imported = set(modules.split())
    assert not imported & {"torch", "numpy", "pydantic", *(f"reidops_models.{name}" for name in names.split())}


def test_an_unknown_paper_is_a_key_error_that_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="unknown model 'pcb'; known: csn, dpti, dsr, mgre, stnreid"):
        find_paper("pcb")


def test_a_paper_of_another_distribution_is_found(install: Install) -> None:
    install("good-paper", "good", "good_module:PAPER", GOOD)
    assert "good" in paper_names()
    assert find_paper("good").name == "good"
    assert find_paper("good").folder == Path(sys.modules["good_module"].__file__ or "").parent


@pytest.mark.parametrize(
    ("value", "source", "complaint"),
    [
        ("absent_module:PAPER", None, "cannot be loaded: ModuleNotFoundError: No module named 'absent_module'"),
        ("raising_module:PAPER", "1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
        ("empty_module:PAPER", "", "cannot be loaded: AttributeError: module 'empty_module' has no attribute 'PAPER'"),
        ("dict_module:PAPER", "PAPER = {}", "is a dict, expected a Paper"),
        ("renamed_module:PAPER", GOOD, "calls itself 'good'"),
        ("not an entry point", None, "cannot be loaded: "),
    ],
)
def test_a_broken_paper_is_named_and_breaks_no_other(
    install: Install, value: str, source: str | None, complaint: str
) -> None:
    install("broken-paper", "broken", value, source)
    start = f"the paper 'broken' of the distribution broken-paper: {value} "
    with pytest.raises(PaperError, match=re.escape(start + complaint)) as caught:
        find_paper("broken")
    assert "\n" not in str(caught.value)
    with pytest.raises(PaperError, match="broken-paper"):
        parse_recipe({"model": "broken"})
    assert "broken" in paper_names()
    assert "broken" not in [paper.name for paper in usable_papers()]
    assert load_recipe("dsr/demo").model == "dsr"
    with pytest.raises(RecipeError, match="packaged recipe"):
        load_recipe("dsr/none")


def test_two_distributions_with_one_paper_are_both_named(install: Install) -> None:
    install("one-paper", "good", "good_module:PAPER", GOOD)
    install("other-paper", "good", "good_module:PAPER")
    with pytest.raises(PaperError, match="'good' is offered by several distributions, one-paper and other-paper"):
        find_paper("good")
    assert paper_names().count("good") == 1
    assert find_paper("dsr").name == "dsr"


def test_a_paper_must_say_how_its_network_and_its_methods_are_built() -> None:
    with pytest.raises(TypeError, match="build_methods"):
        type("Half", (Paper,), {"build_network": lambda self, recipe, identities: None})()


def test_finding_papers_imports_no_lightning() -> None:
    code = "import sys; from reidops_models.paper import usable_papers; print(len(list(usable_papers())), *sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    count, *modules = printed.split()
    assert int(count) == len(paper_names())
    assert "lightning" not in modules


def test_a_paper_without_descriptors_refuses_to_extract(install: Install) -> None:
    install("good-paper", "good", "good_module:PAPER", GOOD)
    good = find_paper("good")
    assert not good.has_descriptors
    with pytest.raises(NotImplementedError, match="good has no descriptor of an image"):
        good.extract(None, None, torch.rand(1, 3, 8, 4))
