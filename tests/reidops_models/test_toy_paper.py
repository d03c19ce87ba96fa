"""A paper in a distribution of its own is served by every command, with no change in reidops_models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from reidops_models.data import ReidDataset, list_images

ROOT = Path(__file__).parents[2]
Command = Callable[..., str]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs `reidops` in a process of its own that has the toy paper installed; returns what it printed."""
    folder = tmp_path_factory.mktemp("toy")
    source = shutil.copytree(ROOT / "tests" / "toy_paper", folder / "source")  # a build writes into its source
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", folder / "installed", source], check=True)
    path = os.pathsep.join([str(folder / "installed"), str(ROOT)])

    def run(*words: object) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "reidops_models", *map(str, words)],
            env={**os.environ, "PYTHONPATH": path},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    return run


@pytest.fixture(scope="module")
def model(command: Command, dataset: ReidDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy model that `reidops train` trained by the recipe in the toy paper's own distribution."""
    out = tmp_path_factory.mktemp("model")
    printed = command("train", "--recipe", "toy/demo", "--data", dataset.root, "--out", out)
    assert printed.endswith(f"written: {out / 'model.safetensors'}\n")
    return out / "model.safetensors"


def test_train(model: Path) -> None:
    description = json.loads(model.with_suffix(".json").read_text())
    assert (description["model"], description["identities"]) == ("toy", 8)


def test_evaluate(command: Command, model: Path, dataset: ReidDataset, tmp_path: Path) -> None:
    printed = command("evaluate", "--data", dataset.root, "--checkpoint", model, "--out", tmp_path)
    assert "Stripes" in printed
    assert list(json.loads((tmp_path / "evaluation.json").read_text())["methods"]) == ["Stripes"]


def test_match_and_its_report(command: Command, model: Path, dataset: ReidDataset, tmp_path: Path) -> None:
    probe = list_images(dataset.root / "query")[0]
    gallery = dataset.root / "bounding_box_test"
    printed = command(
        "match", "--probe", probe, "--gallery", gallery, "--checkpoint", model, "--model", "toy", "--out", tmp_path
    )
    assert probe.name in printed
    report = (tmp_path / "report.html").read_text()
    assert "Stripes" in report
    assert report.count("where each part was looked for") == 1


def test_embed(command: Command, model: Path, dataset: ReidDataset, tmp_path: Path) -> None:
    images = list_images(dataset.root / "query")
    command("embed", "--images", dataset.root / "query", "--checkpoint", model, "--out", tmp_path)
    assert load_file(tmp_path / "descriptors.safetensors")["descriptors"].shape == (len(images), 3 * 4)


def test_help_lists_it(command: Command) -> None:
    assert "csn, dpti, dsr, mgre, stnreid, toy" in " ".join(command("match", "--help").split())
