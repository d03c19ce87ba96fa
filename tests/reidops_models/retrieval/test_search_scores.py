"""Scores that are gathered block by block."""

from __future__ import annotations

from pathlib import Path

import torch

from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.retrieval import Problems
from reidops_models.retrieval.images import ImageTensor, find_files
from reidops_models.retrieval.scores import Labels, Scorer, score_note, score_rows
from reidops_models.retrieval.search_scores import SearchScores


def test_blocks_are_worth_what_the_whole_is_worth(people: Path) -> None:
    probes, gallery = (find_files(people / name, Problems()) for name in ("query", "bounding_box_test"))
    distances = torch.rand(len(probes), len(gallery), generator=torch.Generator().manual_seed(0))
    baseline = HistogramMatcher()
    scores = SearchScores("random", gallery, baseline)
    for start in range(0, len(probes), 5):
        scores.add(probes[start : start + 5], distances[start : start + 5])
    sides = [baseline.embed(image.read() for image in side) for side in (probes, gallery)]
    expected = {"random": distances, baseline.name: baseline.distances(*sides)}
    labels = Labels.of(probes, gallery)
    assert labels is not None
    whole = {}
    for name, rows in expected.items():
        scorer = Scorer(labels)
        scorer.add(slice(None), rows)
        whole[name] = scorer.result().ranking
    assert scores.table() == (score_rows(whole), score_note(whole["random"]))
    assert len(scores.table()[0]) == 3


def test_one_image_without_an_identity_ends_the_scores(people: Path) -> None:
    gallery = find_files(people / "query", Problems())
    stranger = ImageTensor(torch.rand(3, 8, 4), "image 0")
    rows = torch.rand(1, len(gallery))
    scores = SearchScores("random", gallery)
    scores.add(gallery[:1], rows)
    scores.add([stranger], rows)
    scores.add(gallery[1:2], rows)
    assert scores.table() == ([], "")
    for nothing in (SearchScores("random", [*gallery, stranger]), SearchScores("random", gallery)):
        assert nothing.table() == ([], "")
