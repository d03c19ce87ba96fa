"""A model on a data set: typed results that agree with what is printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from reidops_models.data import DatasetError, ReidDataset
from reidops_models.dsr import DsrMatcher
from reidops_models.evaluation import bootstrap_interval, evaluate_ranking, evaluate_verification
from reidops_models.retrieval import MatchingOptionError, SearchError, evaluate


def test_methods_of_one_embedding_share_it(
    dataset: ReidDataset, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = []

    def embed(self: DsrMatcher, images: object, *, role: str = "gallery", progress: bool = False) -> object:
        roles.append(role)
        return unpatched(self, images, role=role, progress=progress)

    unpatched = DsrMatcher.embed
    alone = evaluate(checkpoint, dataset, methods=["dsr-multi-scale"])
    monkeypatch.setattr(DsrMatcher, "embed", embed)
    together = evaluate(checkpoint, dataset)
    assert roles == ["probe", "gallery"]  # single-scale and multi-scale
    torch.testing.assert_close(together["DSR multi-scale"].distances[:], alone["DSR multi-scale"].distances[:])


def test_results_are_those_of_the_distances(dataset: ReidDataset, checkpoint: Path) -> None:
    found = evaluate(checkpoint, dataset, probes="query")
    assert [method.name for method in found] == ["Resizing model", "DSR single-scale", "DSR multi-scale"]
    labels = [
        [getattr(image, label) for image in side]
        for label in ("pid", "camid")
        for side in (found.probes, found.gallery)
    ]
    for method in found:
        assert method.distances.shape == (len(dataset.query), len(dataset.gallery))
        ranking = evaluate_ranking(method.distances, *labels, ranks=(1, 3, 5, 10))
        assert method.cmc[:3] == [ranking.rank(k) for k in (1, 2, 3)]
        assert method.mAP == bootstrap_interval(ranking, "mAP")
        assert method.mINP == bootstrap_interval(ranking, "mINP")
        assert method.rank(3) == bootstrap_interval(ranking, "r3")
        assert method.verification.eer == evaluate_verification(method.distances, *labels).eer
        assert method.tpr(0.1).value == method.verification.tpr_at(0.1)


def test_the_files_hold_the_results(dataset: ReidDataset, checkpoint: Path, tmp_path: Path) -> None:
    found = evaluate(checkpoint, dataset, methods=["resizing-model"])
    found.write(tmp_path, images=0)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == found.values()
    assert found.ranking_table()[1][0] == "Resizing model"
    assert "| Resizing model |" in (tmp_path / "table.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cmc.png",
        "evaluation.json",
        "report.html",
        "roc.png",
        "table.md",
    ]


def test_options_of_matching_change_the_distances(dataset: ReidDataset, checkpoint: Path) -> None:
    usual, sparse = (
        evaluate(checkpoint, dataset, methods=["dsr-single-scale"], options=options)["DSR single-scale"].distances[:]
        for options in ({}, {"beta": 0.1})
    )
    assert not torch.equal(usual, sparse)


def test_what_cannot_be_evaluated_is_named(dataset: ReidDataset, checkpoint: Path) -> None:
    with pytest.raises(SearchError, match=r"^methods: unknown 'guessing'; known: resizing-model, dsr-single-scale"):
        evaluate(checkpoint, dataset, methods=["guessing"])
    with pytest.raises(DatasetError, match="no probe set 'nobody'"):
        evaluate(checkpoint, dataset, probes="nobody")
    with pytest.raises(SearchError, match=r"^beta: Input should be greater than 0, got -1\.0$"):
        evaluate(checkpoint, dataset, options={"beta": -1.0})
    with pytest.raises(MatchingOptionError, match=r"^metric: the model dsr has no such option") as error:
        evaluate(checkpoint, dataset, options={"metric": "cosine"})
    assert error.value.models == ("stnreid",)
    with pytest.raises(SearchError, match="query: no probe has a right image in the gallery"):
        evaluate(checkpoint, ReidDataset("mine", dataset.root, [], dataset.query, dataset.gallery[:1]))
    with pytest.raises(KeyError, match="no method 'SWM'; known: Resizing model"):
        evaluate(checkpoint, dataset, methods=["resizing-model"])["SWM"]
