"""What the commands do for STNReID alone; every_paper/ has what they do for all papers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe, parse_recipe

from .conftest import Run, rows


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
    assert len(rows(tmp_path / "out")) == len(list((people / "partial_query").iterdir())) * 12


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


def test_options_of_another_model(run: Run, people: Path, stnreid: Path) -> None:
    arguments = ["--data", people, "--checkpoint", stnreid]
    assert run("evaluate", *arguments, "--rivals", "--beta", "0.2")[::2] == (0, [])  # the rival's
    code, _, complaints = run("evaluate", *arguments, "--beta", "0.2")
    assert code == 2
    assert complaints == [
        "reidops: --beta: the methods of stnreid do not read this option; its rivals read it; "
        "the models that have it: dsr"
    ]
    code, _, complaints = run("evaluate", *arguments, "--scales", "1,2")
    assert code == 2
    assert complaints == [
        "reidops: --scales: the model stnreid has no such option of matching; the models that have it: dsr"
    ]


@pytest.mark.parametrize("model", ["stnreid", "dpti"])
def test_match_refuses_an_option_that_it_would_ignore(run: Run, people: Path, model: str) -> None:
    query = people / "query"
    code, printed, complaints = run("match", "--probe", query, "--gallery", query, "--model", model, "--beta", "0.2")
    assert (code, printed) == (2, "")
    assert len(complaints) == 1
    assert complaints[0].startswith("reidops: --beta: the m")
    assert complaints[0].endswith("; the models that have it: dsr")


def test_options_of_the_model_itself(run: Run, people: Path, stnreid: Path, tmp_path: Path) -> None:
    distances = {}
    for metric in ("euclidean", "cosine"):
        code, _, complaints = run(
            "match", "--probe", people / "query", "--gallery", people / "query", "--checkpoint", stnreid,
            "--metric", metric, "--out", tmp_path / metric,
        )  # fmt: skip
        assert (code, complaints) == (0, [])
        distances[metric] = [row["distance"] for row in rows(tmp_path / metric)]
        assert json.loads((tmp_path / metric / "matches.json").read_text())["options"] == {"metric": metric}
    assert distances["euclidean"] != distances["cosine"]
    code, _, complaints = run(
        "match", "--probe", people / "query", "--gallery", people / "query", "--checkpoint", stnreid, "--metric", "far"
    )
    assert code == 2
    assert complaints == ["reidops: --metric: Input should be 'euclidean' or 'cosine', got 'far'"]


def test_a_checkpoint_of_another_model_is_refused(run: Run, people: Path, stnreid: Path) -> None:
    code, _, complaints = run("evaluate", "--data", people, "--checkpoint", stnreid, "--model", "dsr")
    assert code == 2
    assert complaints == [f"reidops: {stnreid}: a checkpoint of 'stnreid', expected one of 'dsr'"]
