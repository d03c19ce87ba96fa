"""What follows on a model's distances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reidops_models.data import ReidDataset
from reidops_models.matching import OUTSIDE, TwoStageMatcher
from reidops_models.retrieval import KReciprocal, SearchError, Stages, evaluate, search
from reidops_models.retrieval.model import find_model
from reidops_models.retrieval.stages import exact_cost


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"shortlist": 7}, "DSR multi-scale on 7 of map average"),
        ({"shortlist": 7, "exact": 3}, "DSR multi-scale exact to rank 3"),
        ({"k_reciprocal": KReciprocal()}, "DSR multi-scale k-reciprocal"),
        ({"shortlist": 7, "k_reciprocal": KReciprocal(3, 2, 0.5)}, "DSR multi-scale on 7 of map average k-reciprocal"),
        ({"expand": 5}, "DSR multi-scale expanded"),
        ({}, "DSR multi-scale"),
    ],
)
def test_stages_have_a_name(values: dict[str, Any], name: str) -> None:
    stages, model = Stages(**values), find_model("dsr")
    assert stages.matcher(model, model).name == stages.matcher(model).name == name
    assert bool(stages) == bool(values)


def test_the_second_model_ranks_the_firsts_shortlist() -> None:
    first, second = find_model("dpti"), find_model("stnreid")
    matcher = Stages(shortlist=3).matcher(first, second)
    assert isinstance(matcher, TwoStageMatcher)
    assert (matcher.first.name, matcher.second.name) == ("DPTI", "STNReID")
    own = Stages(shortlist=3).matcher(second)
    assert isinstance(own, TwoStageMatcher)
    assert own.first.name == "ReID module alone"


def test_ranks_end_where_nothing_is_known() -> None:
    assert Stages().ranks(None) is None
    assert Stages().ranks(4) == 4
    assert Stages(shortlist=9).ranks(None) == 9
    assert Stages(shortlist=9).ranks(4) == 4
    assert Stages(shortlist=9, exact=20).ranks(100) == 20


def test_a_search_in_two_stages() -> None:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = (torch.rand(count, 3, 128, 64, generator=generator) for count in (2, 9))
    whole = search(probes, gallery)
    exact = search(probes, gallery, stages=Stages(shortlist=1, exact=3))
    assert [[(m.index, m.distance) for m in ranked.matches] for ranked in exact] == [
        [(m.index, m.distance) for m in ranked.matches[:3]] for ranked in whole
    ]
    short = search(probes, gallery, "dpti", rerank="dsr", stages=Stages(shortlist=4))
    assert [len(ranked.matches) for ranked in short] == [4, 4]
    distances = {m.index: m.distance for m in whole[0].matches}
    assert all(m.distance == distances[m.index] for m in short[0].matches)


def test_the_cost_of_exact_ranks_is_told() -> None:
    model = find_model("dsr")
    assert exact_cost(Stages(shortlist=2).matcher(model)) == ""
    for again in (None, KReciprocal(1, 1)):
        assert exact_cost(Stages(2, 1, again).matcher(model)).startswith("exact: 0 % of the pairs compared")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shortlist": 0}, "shortlist: expected a whole number, 1 or more, got 0"),
        ({"shortlist": 2, "exact": True}, "exact: expected a whole number, 1 or more, got True"),
        ({"exact": 2}, "exact: there must be a shortlist that grows; shortlist is missing"),
        ({"expand": 2, "shortlist": 2}, "expand: it goes with neither shortlist nor k-reciprocal"),
        ({"k_reciprocal": KReciprocal(0)}, r"k_reciprocal: expected k1 and k2 of 1 or more and a weight in \[0, 1\]"),
        ({"k_reciprocal": KReciprocal(weight=2)}, "got 20, 6, 2"),
    ],
)
def test_what_does_not_go_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Stages(**values)


def test_what_a_model_cannot_do() -> None:
    with pytest.raises(SearchError, match="exact: CSN has no bound of its distances; dsr has one"):
        Stages(shortlist=2, exact=1).matcher(find_model("csn"))
    with pytest.raises(SearchError, match="rerank: there must be a shortlist to rank; shortlist is missing"):
        Stages(expand=2).matcher(find_model("csn"), find_model("dsr"))


def test_an_evaluation_tells_what_the_shortlists_kept(dataset: ReidDataset, checkpoint: Path, tmp_path: Path) -> None:
    found = evaluate(checkpoint, dataset, stages=Stages(shortlist=4, exact=2), methods=["dsr-multi-scale"])
    whole, exact = found
    assert [method.name for method in found] == ["DSR multi-scale", "DSR multi-scale exact to rank 2"]
    nearest = [np.asarray(method.distances).argsort(axis=1, kind="stable")[:, :2] for method in found]
    np.testing.assert_array_equal(*nearest)
    assert whole.shortlist is None
    assert exact.shortlist is not None
    pids = [np.array([image.pid for image in side]) for side in (found.probes, found.gallery)]
    cameras = [np.array([image.camid for image in side]) for side in (found.probes, found.gallery)]
    right = (pids[0][:, None] == pids[1]) & (cameras[0][:, None] != cameras[1])
    inside = np.asarray(exact.distances) < OUTSIDE
    assert exact.shortlist.recall == ((right & inside).sum(axis=1) / right.sum(axis=1)).mean()
    found.write(tmp_path, images=1)
    values = json.loads((tmp_path / "evaluation.json").read_text())["methods"][exact.name]
    assert values["shortlist"] == {"recall": exact.shortlist.recall, "found": exact.shortlist.found}
    assert values["remark"] == exact.remark
    assert exact.remark in found.note
    assert exact.remark in (tmp_path / "report.html").read_text()
    assert "| DSR multi-scale exact to rank 2 |" in (tmp_path / "table.md").read_text()
    assert list(found.tables())[1] == "shortlists"


def test_an_evaluation_in_small_memory_ranks_the_same(dataset: ReidDataset, checkpoint: Path) -> None:
    for stages in (Stages(shortlist=4), Stages(k_reciprocal=KReciprocal(3, 2)), Stages(expand=2)):
        whole, small = (evaluate(checkpoint, dataset, stages=stages, memory=size) for size in (1 << 30, 1 << 20))
        (one,), (other,) = whole, small
        sides = [np.asarray(method.distances) for method in (one, other)]
        np.testing.assert_allclose(*sides, rtol=1e-5)  # the network had batches of other sizes
