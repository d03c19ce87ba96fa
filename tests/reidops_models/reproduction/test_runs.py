"""Runs train what a variant says, search the gallery that they are told, and keep what they have found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from reidops_models.checkpoint import Checkpoint
from reidops_models.evaluation import evaluate_ranking
from reidops_models.reproduction import Merged, Runs, Study, Variant
from reidops_models.reproduction.runs import label_of, mean_of_people


def noted(first: Checkpoint, second: Checkpoint) -> Checkpoint:
    return replace(first, notes={"from": [first.recipe.training.seed, second.recipe.training.seed]})


VARIANTS = {
    "first of all": Variant("dsr/demo"),
    "second": Variant("dsr/demo", start="first of all", start_seed=7),
    "both": Merged(("second", "first of all"), noted),
}


def test_variants_start_from_each_other_and_are_merged(study: Study) -> None:
    runs = Runs(study, VARIANTS)
    second = runs.checkpoint(0, "second")
    assert second.recipe.training.seed == 0
    assert "start" in second.notes
    start = runs.weights(7, "first of all")
    assert start == study.folder / "seed-7" / label_of("first of all") / "model.safetensors"
    assert start.is_file()
    assert runs.checkpoint(0, "both").notes == {"from": [0, 0]}
    assert runs.network(0, "second") is second.network


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    runs = Runs(study, VARIANTS)
    for value in (1.0, 2.0):
        found = runs.kept(0, "second", "a key", lambda value=value: torch.full((1, 1), value))  # type: ignore[misc]
        assert found.item() == 1


def test_matchers_are_the_papers_methods_and_rivals(study: Study) -> None:
    matchers = Runs(study, VARIANTS).matchers(0, "second")
    assert {"SWM", "AMC", "DSR single-scale", "DSR multi-scale"} <= set(matchers)
    assert all(matcher.name == name for name, matcher in matchers.items())


def test_the_gallery_shows_all_images_or_the_first_of_each_person(study: Study) -> None:
    whole, first = Runs(study, {}).search(0), Runs(study, {}, gallery="first").search(0)
    assert len(whole.gallery) == 3 * len(first.gallery)
    assert np.array_equal(first.gallery_pids, whole.people)
    for pid, image in zip(first.gallery_pids, first.gallery, strict=True):
        assert image is whole.gallery[int(np.flatnonzero(whole.gallery_pids == pid)[0])]


def test_rankings_are_of_images_or_of_people(study: Study) -> None:
    runs = Runs(study, {})
    search = runs.search(0)
    distances = torch.rand(len(search.probes), len(search.gallery), generator=torch.Generator().manual_seed(0))

    def ranks(shots: int | None) -> list[int]:
        return runs.ranked(lambda seed: distances, shots=shots)[0].first_match.tolist()

    images = evaluate_ranking(distances, search.probe_pids, search.gallery_pids)
    assert ranks(None) == images.first_match.tolist()
    for shots in (1, 3):
        means = mean_of_people(distances, search, shots)
        people = evaluate_ranking(means, search.probe_pids, search.people)
        assert ranks(shots) == people.first_match.tolist()
        assert runs.ranked(lambda seed, means=means: means)[0].first_match.tolist() == people.first_match.tolist()
        positives, negatives = runs.verified(lambda seed: distances, shots=shots)[0].pairs
        assert (positives, negatives) == (len(search.probes), len(search.probes) * (len(search.people) - 1))
