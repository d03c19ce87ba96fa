"""Probes in a gallery: ranked lists, from files and from tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import list_images, read_image
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.retrieval import MatchingOptionError, Problem, Problems, SearchError, search
from reidops_models.retrieval.images import find_files, find_images
from reidops_models.retrieval.ranking import drawn_probe


def test_a_search_ranks_by_the_matchers_distances(people: Path, checkpoint: Path) -> None:
    found = search(people / "partial_query", people / "bounding_box_test", checkpoint, top=5)
    probes, gallery = (list_images(people / name) for name in ("partial_query", "bounding_box_test"))
    assert [ranked.probe.name for ranked in found] == [path.name for path in probes]
    assert [image.name for image in found.gallery] == [path.name for path in gallery]
    images = [read_image(path) for path in gallery]
    method = load_checkpoint(checkpoint).methods([(image.shape[1], image.shape[2]) for image in images]).main
    expected = method.distances(
        method.embed([read_image(path) for path in probes], role="probe"), method.embed(images, role="gallery")
    )
    assert found.method == method.name
    for ranked, distances in zip(found, expected, strict=True):
        torch.testing.assert_close(ranked.distances, distances)
        order = ranked.distances.argsort(stable=True).tolist()[:5]
        assert [(match.rank, match.index) for match in ranked.matches] == list(enumerate(order, start=1))
        assert [match.name for match in ranked.matches] == [gallery[index].name for index in order]
        assert [match.distance for match in ranked.matches] == ranked.distances[order].tolist()


def test_files_and_tensors_give_the_same_lists(people: Path, checkpoint: Path) -> None:
    folder, paths = people / "query", list_images(people / "query")[:3]
    by_path = search(paths, folder, checkpoint)
    by_tensor = search([read_image(path) for path in paths], folder, checkpoint)
    batch = search(torch.stack([read_image(path) for path in paths]), str(folder), load_checkpoint(checkpoint))
    for ranked, path, *others in zip(by_path, paths, by_tensor, batch, strict=True):
        assert ranked.probe.name == path.as_posix()
        assert ranked.matches[0].name == path.name
        for other in others:
            assert [match.index for match in other.matches] == [match.index for match in ranked.matches]
    assert [ranked.probe.name for ranked in batch] == ["image 0", "image 1", "image 2"]
    assert [ranked.probe.name for ranked in batch[1:]] == ["image 1", "image 2"]


def test_what_cannot_be_read_or_matched_is_left_out(people: Path, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    speck = torch.zeros(3, 8, 8)  # a map of 1x1, which has no blocks of 2x2
    found = search(
        [tmp_path / "empty.jpg", speck, torch.rand(3, 128, 64)], people / "query", checkpoint, options={"scales": [2]}
    )
    assert [ranked.probe.name for ranked in found] == ["image 2"]
    assert [problem.image for problem in found.problems] == [str(tmp_path / "empty.jpg"), "image 1"]
    assert found.problems[1].message.startswith("image 1: cannot be matched: dsr_distance: ")


def test_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")
    said: list[Problem] = []
    problems = Problems(report=said.append)
    assert find_files(tmp_path, problems) == []
    assert said == list(problems) == [Problem(str(path), f"{path}: the file is empty (0 bytes)")]


def test_what_cannot_be_searched_is_named(people: Path, checkpoint: Path, tmp_path: Path) -> None:
    query = people / "query"
    with pytest.raises(SearchError, match=r"nowhere: no such file or folder$"):
        search("nowhere", query, checkpoint)
    with pytest.raises(SearchError, match=r"no image files in this folder$"):
        search(query, tmp_path, checkpoint)
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(SearchError, match=r"not one image in it can be read$"):
        search(query, tmp_path, checkpoint)
    with pytest.raises(SearchError, match=r"^gallery: no images$"):
        search(query, [], checkpoint)
    with pytest.raises(SearchError, match=r"^top: expected a whole number, 1 or more, or None, got 0$"):
        search(query, query, checkpoint, top=0)
    with pytest.raises(SearchError, match=r"^image 0: expected float \(3, H, W\) in \[0, 1\], got torch.uint8 of"):
        search(torch.zeros(3, 8, 4, dtype=torch.uint8), query, checkpoint)
    with pytest.raises(SearchError, match=r"got an object of type int$"):
        find_images([1], Problems())  # type: ignore[list-item]


def test_options_that_the_method_does_not_read_are_refused(people: Path) -> None:
    query = people / "query"
    with pytest.raises(MatchingOptionError, match=r"the models that have it: dsr$") as error:
        search(query, query, "dpti", options={"beta": 0.2})
    assert error.value.models == ("dsr",)
    with pytest.raises(MatchingOptionError, match=r"^beta: the method of stnreid does not read this option; its "):
        search(query, query, "stnreid", options={"beta": 0.2})
    with pytest.raises(MatchingOptionError, match="its other methods read it, and only evaluate shows them"):
        search(query, query, "dsr", options={"resizing_pool": "average"})
    with pytest.raises(
        MatchingOptionError, match=r"^bta: the model dsr has no such option of matching; no model has it$"
    ):
        search(query, query, "dsr", options={"bta": 0.2})


def test_market_rule_leaves_out_the_probes_own_camera(people: Path) -> None:
    images = find_files(people / "query", Problems())
    probe, distances = images[0], torch.arange(float(len(images)))
    everything = drawn_probe(HistogramMatcher(), probe, distances, images)
    by_rule = drawn_probe(HistogramMatcher(), probe, distances, images, market_rule=True)
    assert everything.ranked[0].name == probe.name
    assert everything.first_match == 1
    assert probe.name not in {match.name for match in by_rule.ranked}
    assert by_rule.ranked[0].rank == 1
    torch.testing.assert_close(by_rule.image, read_image(probe.path))
