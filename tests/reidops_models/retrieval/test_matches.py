"""A search as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reidops_models.retrieval.images import ImageTensor
from reidops_models.retrieval.matches import MatchesWriter
from reidops_models.retrieval.ranked_lists import Match, RankedList


def ranked() -> RankedList:
    matches = (Match(1, 1, "ä.jpg", 0.125), Match(2, 0, "b.jpg", 1 / 3))
    return RankedList(ImageTensor(torch.rand(3, 8, 4), "p, 1.jpg"), matches)


def test_matches_are_kept_when_the_work_stops(tmp_path: Path) -> None:
    (tmp_path / "matches.json").write_text("of an earlier search")

    def stopped() -> None:
        with MatchesWriter(tmp_path) as matches:
            matches.write(ranked())
            # Already on disk, before anything else happens.
            assert matches.csv_path.read_text().count("\n") == 3
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        stopped()
    lines = (tmp_path / "matches.csv").read_text(encoding="utf-8").splitlines()
    assert lines == ["probe,rank,gallery,distance", '"p, 1.jpg",1,ä.jpg,0.125', '"p, 1.jpg",2,b.jpg,0.33333333']
    assert [path.name for path in tmp_path.iterdir()] == ["matches.csv"]


def test_each_match_is_written_once(tmp_path: Path) -> None:
    with MatchesWriter(tmp_path) as matches:
        matches.write(ranked())
        matches.finish({"model": "dsr", "problems": ["bad\udcff.jpg: no such file"]})
    facts = (tmp_path / "matches.json").read_text(encoding="utf-8")
    assert json.loads(facts) == {"model": "dsr", "problems": ["bad\udcff.jpg: no such file"]}
    assert "ä.jpg" not in facts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matches.csv", "matches.json"]


def test_answers_are_written_where_a_threshold_is_given(tmp_path: Path) -> None:
    with MatchesWriter(tmp_path, answers=True) as matches:
        matches.write(replace(ranked(), threshold=0.1))
        matches.write(replace(ranked(), threshold=0.125))
    lines = matches.csv_path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "probe,rank,gallery,distance,answer"
    assert [line.rpartition(",")[2] for line in lines[1:]] == ["unknown", "unknown", "known", "known"]
