"""The examples in the docstrings run as they stand, in a folder of their own."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import reidops_models


def modules() -> list[str]:
    found = pkgutil.walk_packages(reidops_models.__path__, "reidops_models.")
    return sorted(module.name for module in found if not module.name.endswith("__main__"))


def examples(name: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


def test_there_are_examples() -> None:
    assert sum(len(examples(name)) for name in modules()) > 20


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in examples(name):
        runner.run(test)
    assert runner.failures == 0
