"""`reidops match` in two stages, and re-ranked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run, rows


@pytest.fixture
def matched(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> Run:
    """Runs `match` on the tiny benchmark; files are in `tmp_path`."""

    def matched(*arguments: object) -> tuple[int, str, list[str]]:
        sides = ("--probe", people / "partial_query", "--gallery", people / "bounding_box_test")
        if "--model" not in arguments:
            arguments = (*arguments, "--checkpoint", checkpoint)
        return run("match", *sides, "--out", tmp_path, *arguments)

    return matched


def test_a_shortlist_is_ranked_and_its_recall_is_told(matched: Run, tmp_path: Path) -> None:
    code, printed, complaints = matched("--shortlist", 4)
    assert (code, complaints) == (0, [])
    assert "The shortlists kept" in printed
    found = rows(tmp_path)
    assert {int(line["rank"]) for line in found} == {1, 2, 3, 4}
    facts = json.loads((tmp_path / "matches.json").read_text())
    assert facts["method"] == "DSR multi-scale on 4 of map average"
    assert (facts["shortlist"], facts["shortlist by"], facts["top"]) == (4, "dsr", 4)
    assert "The shortlists kept" in (tmp_path / "report.html").read_text()


def test_another_model_ranks(matched: Run, tmp_path: Path) -> None:
    code, _, _ = matched("--model", "dpti", "--shortlist", 4, "--rerank", "stnreid", "--metric", "cosine")
    assert code == 0
    facts = json.loads((tmp_path / "matches.json").read_text())
    assert (facts["model"], facts["checkpoint"], facts["shortlist by"]) == ("stnreid", "stnreid", "dpti")
    assert facts["options"]["metric"] == "cosine"


def test_exact_ranks_are_those_of_all_images(matched: Run, tmp_path: Path) -> None:
    matched("--top", 3)
    expected = rows(tmp_path)
    code, printed, _ = matched("--shortlist", 1, "--exact", 3)
    assert code == 0
    assert rows(tmp_path) == expected
    assert "exact: " in printed
    assert json.loads((tmp_path / "matches.json").read_text())["remark"].startswith("exact: ")
    assert "of the pairs compared" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("arguments", [("--k-reciprocal",), ("--k-reciprocal", "3,2,0.5"), ("--expand", 2)], ids=str)
def test_reranks(matched: Run, tmp_path: Path, arguments: tuple[object, ...]) -> None:
    matched()
    before = rows(tmp_path)
    code, _, complaints = matched(*arguments)
    assert (code, complaints) == (0, [])
    after = rows(tmp_path)
    assert len(after) == len(before)
    assert after != before


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--rerank", "dsr"), "--rerank: there must be a shortlist to rank; --shortlist is missing"),
        (("--exact",), "--exact: there must be a shortlist that grows; shortlist is missing"),
        (("--shortlist", 2, "--expand", 2), "--expand: it goes with neither shortlist nor k-reciprocal"),
        (
            ("--k-reciprocal", "0,1,1"),
            "--k-reciprocal: expected k1 and k2 of 1 or more and a weight in [0, 1], got 0, 1, 1.0",
        ),
        (("--model", "csn", "--shortlist", 2, "--exact"), "--exact: CSN has no bound of its distances; dsr has one"),
        (("--shortlist", 2, "--rerank", "nowhere"), "nowhere"),
    ],
)
def test_what_it_refuses(matched: Run, arguments: tuple[object, ...], complaint: str) -> None:
    code, _, complaints = matched(*arguments)
    assert code == 2
    assert len(complaints) == 1
    assert complaint in complaints[0]


def test_evaluate_prints_what_the_shortlists_kept(run: Run, people: Path) -> None:
    code, printed, complaints = run(
        "evaluate", "--data", people, "--model", "dpti", "--shortlist", 4, "--rerank", "dsr"
    )
    assert (code, complaints) == (0, [])
    assert "right images kept" in printed
    assert "DSR multi-scale" in printed


def test_evaluate_tells_what_exact_ranks_took(run: Run, people: Path, checkpoint: Path) -> None:
    code, printed, _ = run("evaluate", "--data", people, "--checkpoint", checkpoint, "--shortlist", 2, "--exact", 1)
    assert code == 0
    assert "of the pairs compared" in " ".join(printed.split())
