"""The commands serve CSN, a network of pairs, through the same interfaces as the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe, parse_recipe

from .conftest import Run


@pytest.fixture(scope="module")
def csn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, weights as initialised."""
    values = load_recipe("csn/demo").model_dump(mode="json")
    values["network"]["channels"] = [8, 16]
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    network = find_paper("csn").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


def test_match(run: Run, people: Path, csn: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "match", "--probe", people / "query", "--gallery", people / "bounding_box_test",
        "--checkpoint", csn, "--model", "csn", "--out", tmp_path / "out", "--pictures", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert "rank-1" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("where in the gallery image the parts of the probe were found") == 2
    assert html.count("one person: ") == 2
    assert html.count("probe, level 3") == 2
    matches = json.loads((tmp_path / "out" / "matches.json").read_text())
    assert len(matches) == len(list((people / "query").iterdir())) * 12


def test_evaluate(run: Run, people: Path, csn: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "evaluate", "--data", people, "--checkpoint", csn, "--shots", 1, "--out", tmp_path / "out"
    )
    assert (code, complaints) == (0, [])
    assert list(json.loads((tmp_path / "out" / "evaluation.json").read_text())["methods"]) == ["CSN"]
    assert "CSN" in printed


def test_train(run: Run, people: Path, tmp_path: Path) -> None:
    recipe = find_paper("csn").folder / "recipes" / "demo.yaml"
    mine = tmp_path / "mine.yaml"
    text = recipe.read_text().replace("epochs: 2", "epochs: 1").replace("size: 192", "size: 12")
    mine.write_text(text.replace("channels: [32, 96]", "channels: [8, 16]"))
    code, printed, complaints = run("train", "--recipe", mine, "--data", people, "--out", tmp_path / "out")
    assert (code, complaints) == (0, [])
    assert printed.endswith(f"written: {tmp_path / 'out' / 'model.safetensors'}\n")
    assert load_checkpoint(tmp_path / "out" / "model", model="csn").identities == 8


def test_the_shipped_model(run: Run, people: Path) -> None:
    probe = sorted((people / "query").iterdir())[0]
    code, printed, complaints = run(
        "match", "--probe", probe, "--gallery", people / "bounding_box_test", "--model", "csn", "--top", 3
    )
    assert (code, complaints) == (0, [])
    assert probe.name in printed
