"""The commands serve STNReID through the same interfaces as DSR."""

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
def stnreid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, weights as initialised."""
    values = load_recipe("stnreid/demo_pipeline").model_dump(mode="json")
    values["images"]["size"] = [64, 32]
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    network = find_paper("stnreid").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


def test_match(run: Run, people: Path, stnreid: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "match", "--probe", people / "partial_query", "--gallery", people / "bounding_box_test",
        "--checkpoint", stnreid, "--model", "stnreid", "--out", tmp_path / "out", "--pictures", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert "rank-1" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count(">rank 1, what was sampled<") == 2
    matches = json.loads((tmp_path / "out" / "matches.json").read_text())
    assert len(matches) == len(list((people / "partial_query").iterdir())) * 12


def test_evaluate_with_rivals(run: Run, people: Path, stnreid: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "evaluate", "--data", people, "--checkpoint", stnreid, "--rivals", "--out", tmp_path / "out"
    )
    assert (code, complaints) == (0, [])
    values = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(values["methods"]) == ["DSR", "ReID module alone", "STNReID"]
    # theta is the identity in an untrained network: the same images are compared.
    alone, stn = (values["methods"][name]["cmc"] for name in ("ReID module alone", "STNReID"))
    assert alone == pytest.approx(stn, abs=0.05)
    assert "STNReID" in printed


def test_train(run: Run, people: Path, tmp_path: Path) -> None:
    recipe = find_paper("stnreid").folder / "recipes" / "demo_stage1.yaml"
    mine = tmp_path / "mine.yaml"
    text = recipe.read_text().replace("epochs: 12", "epochs: 1").replace("size: 64", "size: 8")
    mine.write_text(text.replace("size: [128, 64]", "size: [64, 32]"))
    code, printed, complaints = run("train", "--recipe", mine, "--data", people, "--out", tmp_path / "out")
    assert (code, complaints) == (0, [])
    assert printed.endswith(f"written: {tmp_path / 'out' / 'model.safetensors'}\n")
    assert load_checkpoint(tmp_path / "out" / "model", model="stnreid").identities == 8


@pytest.mark.parametrize("option", [["--beta", "0.2"], ["--scales", "1,2"]])
def test_options_of_another_model(run: Run, people: Path, stnreid: Path, option: list[str]) -> None:
    code, _, complaints = run("evaluate", "--data", people, "--checkpoint", stnreid, *option)
    if option[0] == "--beta":  # the rival's
        assert (code, complaints) == (0, [])
    else:
        assert code == 2
        assert complaints == ["reidops: options: matching.scales: unknown key"]


def test_a_checkpoint_of_another_model_is_refused(run: Run, people: Path, stnreid: Path) -> None:
    code, _, complaints = run("evaluate", "--data", people, "--checkpoint", stnreid, "--model", "dsr")
    assert code == 2
    assert complaints == [f"reidops: {stnreid}: a checkpoint of 'stnreid', expected one of 'dsr'"]


def test_the_shipped_model(run: Run, people: Path, tmp_path: Path) -> None:
    probe = sorted((people / "partial_query").iterdir())[0]
    code, printed, complaints = run(
        "match", "--probe", probe, "--gallery", people / "bounding_box_test", "--model", "stnreid", "--top", 3
    )
    assert (code, complaints) == (0, [])
    assert probe.name in printed
