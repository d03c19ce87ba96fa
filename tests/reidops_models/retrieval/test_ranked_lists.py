"""From a row of distances to a ranked list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from reidops_models.data import read_image
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.retrieval import Problems
from reidops_models.retrieval.drawing import DRAWN_RANKS, drawn_probe
from reidops_models.retrieval.images import ImageFile, find_files
from reidops_models.retrieval.ranked_lists import Ranker


def image(name: str, pid: int | None = None, camid: int | None = None) -> ImageFile:
    return ImageFile(Path(name), name, (8, 4), pid, camid)


GALLERY = [image("a", 1, 1), image("b", 2, 1), image("c", 1, 2), image("d"), image("e", -1, -1)]
DISTANCES = torch.tensor([0.1, 0.2, 0.2, 0.0, 0.2])


def test_equal_distances_keep_the_gallerys_order() -> None:
    ranked = Ranker(GALLERY)(image("p"), DISTANCES)
    assert [match.name for match in ranked.matches] == ["d", "a", "b", "c", "e"]
    assert [match.rank for match in ranked.matches] == [1, 2, 3, 4, 5]
    assert {match.correct for match in ranked.matches} == {None}
    assert ranked.first_right is None


def test_who_is_right_is_known_where_the_person_is_in_the_gallery() -> None:
    ranked = Ranker(GALLERY, top=3)(image("p", 1, 2), DISTANCES)
    assert [match.correct for match in ranked.matches] == [False, True, False]
    assert ranked.first_right == 2
    assert Ranker(GALLERY, top=1)(image("p", 1, 2), DISTANCES).first_right == 2  # beyond what is kept
    for nobody in (image("p", 7, 1), image("p", -1, -1)):  # one who is not in the gallery, and junk
        assert Ranker(GALLERY)(nobody, DISTANCES).first_right is None
        assert Ranker(GALLERY)(nobody, DISTANCES).matches[0].correct is None


def test_market_rule_leaves_out_the_probes_person_from_its_own_camera() -> None:
    rank = Ranker(GALLERY, market_rule=True)
    assert [match.name for match in rank(image("p", 1, 1), DISTANCES).matches] == ["d", "b", "c", "e"]
    assert rank(image("p", 1, 1), DISTANCES).first_right == 3
    alone = rank(image("p", 2, 1), DISTANCES)  # its only right image is from its own camera
    assert (alone.first_right, {match.correct for match in alone.matches}) == (None, {False})
    unknown_camera = [image("a", 1, -1), image("b", 2, -1)]  # takes nothing out
    assert Ranker(unknown_camera, market_rule=True)(image("p", 1, -1), DISTANCES[:2]).first_right == 1


def test_a_threshold_is_the_largest_distance_that_counts() -> None:
    for threshold, unknown in ((-0.1, True), (0.0, False), (None, False)):
        assert Ranker(GALLERY, threshold=threshold)(image("p"), DISTANCES).unknown is unknown
    assert replace(Ranker(GALLERY)(image("p"), DISTANCES), matches=(), threshold=1.0).unknown


def test_the_report_draws_the_first_ranks(people: Path) -> None:
    images = find_files(people / "query", Problems())
    probe, distances = images[0], torch.arange(float(len(images)))
    everything = drawn_probe(HistogramMatcher(), Ranker(images)(probe, distances), images)
    by_rule = drawn_probe(HistogramMatcher(), Ranker(images, market_rule=True)(probe, distances), images)
    assert everything.ranked[0].name == probe.name
    assert everything.first_match == 1
    assert probe.name not in {match.name for match in by_rule.ranked}
    assert by_rule.ranked[0].rank == 1
    assert len(by_rule.ranked) == DRAWN_RANKS
    torch.testing.assert_close(by_rule.image, read_image(probe.path))
