"""Every command serves every paper through the same interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint
from reidops_models.data import ReidDataset, list_images
from reidops_models.extractor import FeatureExtractor
from reidops_models.paper import Paper, usable_papers
from reidops_models.recipe import load_recipe

from ..conftest import Run


def test_a_training_keeps_its_recipe_and_counts_its_people(
    paper: Paper[Any, Any], recipe: Path, trained: Path, dataset: ReidDataset
) -> None:
    checkpoint = load_checkpoint(trained, model=paper.name)
    assert checkpoint.recipe == load_recipe(recipe)
    assert checkpoint.identities == len({sample.pid for sample in dataset.train}) == 8
    before = load_checkpoint(shipped_checkpoint(paper.name)).network.state_dict()
    after = checkpoint.network.state_dict()
    assert any(not after[name].equal(before[name]) for name in after)
    assert all(after[name].isfinite().all() for name in after)


def test_a_training_starts_on_other_people(
    run: Run,
    paper: Paper[Any, Any],
    recipe: Path,
    trained: Path,
    others: ReidDataset,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    code, printed, complaints = run(
        "train", "--recipe", recipe, "--start", trained, "--data", others.root, "--out", tmp_path / "out"
    )
    assert (code, complaints) == (0, [])
    assert printed.endswith(f"written: {tmp_path / 'out' / 'model.safetensors'}\n")
    tuned = load_checkpoint(tmp_path / "out" / "model", model=paper.name)
    assert tuned.identities == 12
    anew = [name for name in tuned.network.state_dict() if paper.is_identity_weight(name)]
    messages = [record.getMessage() for record in caplog.records if "start anew" in record.getMessage()]
    assert len(messages) == (1 if anew else 0)
    for message in messages:
        assert message.startswith(f"{trained}: trained on 8 identities, ")
        assert ", ".join(anew[:4]) in message


def test_evaluate_gives_the_rows_in_order(
    run: Run, people: Path, paper: Paper[Any, Any], trained: Path, tmp_path: Path
) -> None:
    code, printed, complaints = run(
        "evaluate", "--data", people, "--checkpoint", trained, "--shots", 1, "--out", tmp_path / "out", "--pictures", 1
    )
    assert (code, complaints) == (0, [])
    names = [matcher.name for matcher in load_checkpoint(trained).methods()]
    methods = json.loads((tmp_path / "out" / "evaluation.json").read_text())["methods"]
    assert list(methods) == names
    for name, values in methods.items():
        assert name in printed
        assert 0 <= values["mINP"]["low"] <= values["mINP"]["value"] <= values["mINP"]["high"] <= 1
    assert (tmp_path / "out" / "report.html").is_file()


def test_match_ranks_by_the_papers_method_and_explains(
    run: Run, people: Path, paper: Paper[Any, Any], trained: Path, tmp_path: Path
) -> None:
    probe, gallery = list_images(people / "partial_query")[0], people / "bounding_box_test"
    code, printed, complaints = run(
        "match", "--probe", probe, "--gallery", gallery, "--checkpoint", trained, "--model", paper.name,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert probe.name in printed
    report = (tmp_path / "out" / "report.html").read_text()
    assert load_checkpoint(trained).methods().main.name in report
    assert report.count("<svg") >= 1
    assert len((tmp_path / "out" / "matches.csv").read_text().splitlines()) == 1 + len(list_images(gallery))
    assert json.loads((tmp_path / "out" / "matches.json").read_text())["model"] == paper.name


def test_the_shipped_model_matches(run: Run, people: Path, paper: Paper[Any, Any]) -> None:
    probe = list_images(people / "occluded_query")[0]
    code, printed, complaints = run(
        "match", "--probe", probe, "--gallery", people / "bounding_box_test", "--model", paper.name, "--top", 3
    )
    assert (code, complaints) == (0, [])
    assert probe.name in printed


def test_embed_writes_descriptors_or_says_which_models_have_some(
    run: Run, people: Path, paper: Paper[Any, Any], trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, _, complaints = run("embed", "--images", people / "query", "--checkpoint", trained, "--out", out)
    if paper.has_descriptors:
        assert (code, complaints) == (0, [])
        expected = FeatureExtractor(load_checkpoint(trained))(list_images(people / "query"))
        torch.testing.assert_close(load_file(out / "descriptors.safetensors")["descriptors"], expected)
    else:
        having = ", ".join(other.name for other in usable_papers() if other.has_descriptors)
        assert code == 2
        assert complaints == [
            f"reidops: --checkpoint {trained}: {paper.name} has no vector of an image; these models have: {having}"
        ]
        assert not out.exists()
