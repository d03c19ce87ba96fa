"""The line that says what scores rest on."""

from __future__ import annotations

import torch

from reidops_models.evaluation import evaluate_multi_shot, evaluate_ranking
from reidops_models.retrieval.images import ImageTensor
from reidops_models.retrieval.scores import score, score_note, verify


def test_distances_that_are_missing_are_said() -> None:
    result = evaluate_ranking(torch.tensor([[0.1, float("nan")]]), [1], [1, 2])
    assert "1 pairs have no distance (NaN), and are ranked last." in score_note(result)


def test_probes_are_counted_once_whatever_the_draws() -> None:
    result = evaluate_multi_shot(torch.rand(3, 4), [1, 1, 9], [1, 1, 2, 3], shots=2, repeats=5)
    assert score_note(result, draws=5).startswith("2 probes of 1 person;")
    assert score_note(result, draws=5).endswith("1 more have no right image in the gallery.")


def test_images_without_identities_have_no_scores() -> None:
    images = [ImageTensor(torch.rand(3, 8, 4), "image 0")]
    assert score(torch.zeros(1, 1), images, images) is None
    assert verify(torch.zeros(1, 1), images, images) is None
