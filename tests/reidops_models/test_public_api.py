"""The public API: what it offers, what it costs to import, and that it needs no command line."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import reidops_models

MINE = """\
extends: dsr/demo
training: {epochs: 1, accelerator: cpu}
batches: {size: 8}
"""

USE = """\
import json, sys
import reidops_models as reid

folder, recipe = sys.argv[1:]
people = reid.load_dataset(folder)
weights = reid.train(reid.load_recipe(recipe), people, "trained", progress=False)
found = reid.search(f"{folder}/partial_query", f"{folder}/bounding_box_test", weights, top=2)
scores = reid.evaluate(reid.load_checkpoint(weights), people, methods=["dsr-multi-scale"])
method = scores["DSR multi-scale"]
print(json.dumps({
    "lists": len(found),
    "ranks": [match.rank for match in found[0].matches],
    "nearest": [ranked.matches[0].name for ranked in found],
    "expected": [scores.gallery[i].path.name for i in method.distances[:].argmin(dim=1).tolist()],
    "mAP": [method.mAP.low, method.mAP.value, method.mAP.high],
    "cli": [name for name in sys.modules if name.startswith("reidops_models.cli")],
}))
"""


def python(code: str, *arguments: object, cwd: Path | None = None) -> str:
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=cwd).stdout


def test_it_trains_searches_and_evaluates_without_the_command_line(people: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    found = json.loads(python(USE, people, tmp_path / "mine.yaml", cwd=tmp_path).splitlines()[-1])
    assert found["cli"] == []
    assert found["lists"] == 24
    assert found["ranks"] == [1, 2]
    assert found["nearest"] == found["expected"]
    low, value, high = found["mAP"]
    assert 0 < low <= value <= high <= 1


def test_dir_is_the_public_names() -> None:
    assert dir(reidops_models) == sorted(reidops_models.__all__)


@pytest.mark.parametrize("name", reidops_models.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(reidops_models, name)
    assert value.__doc__
    assert value.__name__ == name


def test_other_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="module 'reidops_models' has no attribute 'guess'"):
        reidops_models.guess  # noqa: B018


def test_importing_takes_no_torch() -> None:
    heavy = {"torch", "numpy", "matplotlib", "lightning", "PIL", "pydantic", "jinja2", "rich", "scipy"}
    assert heavy.isdisjoint(python("import sys, reidops_models; print(*sys.modules)").split())


def test_no_module_is_shadowed_by_a_name_of_its_package() -> None:
    packages = [reidops_models, importlib.import_module("reidops_models.retrieval")]
    for package in packages:
        modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
        assert modules.isdisjoint(package.__all__), package.__name__


IMAGES = torch.zeros(1, 3, 64, 32)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: reidops_models.search(5, IMAGES), "expected paths and tensors of images, got an object of type int"),
        (
            lambda: reidops_models.search(IMAGES, None),
            "expected paths and tensors of images, got an object of type NoneT",
        ),
        (lambda: reidops_models.search(IMAGES, IMAGES, model=3), "model: expected the name of a paper"),
        (lambda: reidops_models.search(IMAGES, IMAGES, top=0), "top: expected a whole number, 1 or more"),
        (lambda: reidops_models.search(IMAGES, IMAGES, options={"beta": "x"}), "beta: Input should be a valid number"),
        (lambda: reidops_models.evaluate("dsr", "people"), "dataset: expected what load_dataset returns, got"),
        (lambda: reidops_models.train("dsr/demo", None, "out"), "recipe: expected what load_recipe returns, got"),
        (lambda: reidops_models.FeatureExtractor(3), "model: expected the name of a paper"),
    ],
)
def test_a_wrong_argument_is_named_in_one_line(call: Callable[[], object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        call()
    assert len(str(caught.value).splitlines()) == 1
