"""Two stages in a gallery."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reidops_models import Gallery, Stages, search
from reidops_models.gallery import shortlist as two_stages
from reidops_models.retrieval import SearchError

from .test_gallery import lists

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.mark.parametrize("model", ["dsr", "stnreid", "csn"])
def test_a_gallery_ranks_the_shortlists_that_a_search_ranks(
    model: str, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_stages, "DESCRIPTORS", 5)
    monkeypatch.setattr(two_stages, "TAKEN", 3)
    probes, folder = people / "partial_query", people / "query"
    gallery = Gallery.build(tmp_path / "people.lance", folder, model, dtype="float32")
    expected = search(probes, folder, model, stages=Stages(shortlist=4))
    found = gallery.search(probes, shortlist=4)
    for one, other in zip(found, expected, strict=True):
        assert [match.name for match in one.matches] == [match.name for match in other.matches]
        distances = [[match.distance for match in ranked.matches] for ranked in (one, other)]
        torch.testing.assert_close(*distances, rtol=1e-4, atol=1e-5)


def test_a_shortlist_of_all_pictures_is_an_exhaustive_search(people: Path, tmp_path: Path) -> None:
    probes, folder = people / "partial_query", people / "query"
    gallery = Gallery.build(tmp_path / "people.lance", folder, "dsr")
    assert lists(gallery.search(probes, shortlist=1000, top=5)) == lists(gallery.search(probes, top=5))


def test_what_it_refuses(people: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", people / "query", "dpti")
    with pytest.raises(SearchError, match="shortlist: DPTI compares descriptors, none is ranked again"):
        gallery.search(people / "partial_query", shortlist=4)
    with pytest.raises(SearchError, match="shortlist: expected a whole number, 1 or more, got 0"):
        gallery.search(people / "partial_query", shortlist=0)


def test_the_command(run: Run, people: Path, tmp_path: Path) -> None:
    Gallery.build(tmp_path / "people.lance", people / "query", "dsr")
    arguments = ("--gallery", tmp_path / "people.lance", "--probe", people / "partial_query", "--shortlist", 3)
    code, _, complaints = run("search", *arguments, "--out", tmp_path / "out")
    assert (code, complaints) == (0, [])
    assert json.loads((tmp_path / "out" / "matches.json").read_text())["shortlist"] == 3
    ranks = {line.split(",")[1] for line in (tmp_path / "out" / "matches.csv").read_text().splitlines()[1:]}
    assert ranks == {"1", "2", "3"}
