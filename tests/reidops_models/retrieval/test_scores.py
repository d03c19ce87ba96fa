"""The line that says what scores rest on."""

from __future__ import annotations

import numpy as np
import torch

from reidops_models.evaluation import evaluate_multi_shot, evaluate_ranking
from reidops_models.retrieval.images import ImageTensor
from reidops_models.retrieval.scores import Labels, Scorer, score_note


def test_distances_that_are_missing_are_said() -> None:
    result = evaluate_ranking(torch.tensor([[0.1, float("nan")]]), [1], [1, 2])
    assert "1 pairs have no distance (NaN), and are ranked last." in score_note(result)


def test_probes_are_counted_once_whatever_the_draws() -> None:
    result = evaluate_multi_shot(torch.rand(3, 4), [1, 1, 9], [1, 1, 2, 3], shots=2, repeats=5)
    assert score_note(result, draws=5).startswith("2 probes of 1 person;")
    assert score_note(result, draws=5).endswith("1 more have no right image in the gallery.")


def test_images_without_identities_have_no_scores() -> None:
    images = [ImageTensor(torch.rand(3, 8, 4), "image 0")]
    assert Labels.of(images, images) is None


def test_why_nobody_can_be_scored() -> None:
    elsewhere = Labels(np.array([1, 2]), np.array([3, 0]))
    assert elsewhere.why_no_right_image().endswith("none of their people is in it")
    one_camera = np.array([1, 1])
    same_camera = Labels(np.array([1, 2]), np.array([1, 2]), one_camera, one_camera)
    assert "by the probe's own camera alone" in same_camera.why_no_right_image()


def test_identity_0_is_one_person_unless_it_is_said_to_be_distractors() -> None:
    # Of person 0 the farther image comes first or last by chance: as distractors, both stay and one is near.
    distances, probes, gallery = torch.tensor([[0.4, 0.1, 0.2]]), np.array([7]), np.array([7, 0, 0])
    firsts = []
    for distractor in (None, 0):
        scorer = Scorer(Labels(probes, gallery, distractor=distractor), shots=2, repeats=1)
        scorer.add(slice(0, 1), distances)
        firsts.append(scorer.result().ranking.first_match.tolist())
    assert firsts == [[2], [3]]
