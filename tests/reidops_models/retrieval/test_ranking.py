"""Probes in a gallery: ranked lists, from files and from tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import list_images, read_image
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.retrieval import MatchingOptionError, Problem, Problems, SearchError, search
from reidops_models.retrieval.images import SearchImage, find_files, find_images
from reidops_models.retrieval.ranked_lists import Ranker
from reidops_models.retrieval.ranking import rank_probes


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
        order = distances.argsort(stable=True).tolist()[:5]
        assert [(match.rank, match.index) for match in ranked.matches] == list(enumerate(order, start=1))
        assert [match.name for match in ranked.matches] == [gallery[index].name for index in order]
        torch.testing.assert_close(torch.tensor([match.distance for match in ranked.matches]), distances[order])


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


def test_a_probe_beyond_the_threshold_is_unknown(people: Path, checkpoint: Path) -> None:
    query = people / "query"
    nearest = [ranked.matches[0].distance for ranked in search(people / "partial_query", query, checkpoint, top=1)]
    threshold = sorted(nearest)[len(nearest) // 2]
    found = search(people / "partial_query", query, checkpoint, top=1, threshold=threshold)
    assert [ranked.unknown for ranked in found] == [distance > threshold for distance in nearest]
    assert 0 < sum(ranked.unknown for ranked in found) < len(found)
    for wrong in (float("nan"), float("inf"), "0.5", True):
        with pytest.raises(SearchError, match=r"^threshold: expected a finite number or None, got "):
            search(query, query, checkpoint, threshold=wrong)  # type: ignore[arg-type]


def test_no_more_rows_are_held_than_a_block(people: Path) -> None:
    images = find_files(people / "query", Problems())
    probes, gallery = images * 5, images[:7]
    matcher = HistogramMatcher()
    features = matcher.embed(image.read() for image in gallery)
    seen: list[tuple[int, ...]] = []
    judged: list[str] = []

    def judge(block: Sequence[SearchImage], distances: torch.Tensor) -> None:
        seen.append(tuple(distances.shape))
        judged.extend(probe.name for probe in block)

    found = list(rank_probes(matcher, probes, features, Ranker(gallery, top=3), Problems(), judge=judge))
    assert max(seen) == (32, 7)
    assert judged == [ranked.probe.name for ranked in found] == [probe.name for probe in probes]
    assert not any(isinstance(value, torch.Tensor) for ranked in found for value in vars(ranked).values())


def test_a_distance_that_is_not_finite_spoils_its_own_probe_alone(people: Path) -> None:
    class Spoilt(HistogramMatcher):
        def distances(self, *sides: Sequence[torch.Tensor], progress: bool = False) -> torch.Tensor:
            found = super().distances(*sides)
            found[1, 2] = torch.nan
            return found

    images = find_files(people / "query", Problems())[:4]
    matcher, problems = Spoilt(), Problems()
    features = matcher.embed(image.read() for image in images)
    judged: list[int] = []
    found = rank_probes(
        matcher, images, features, Ranker(images), problems, judge=lambda block, rows: judged.append(len(rows))
    )
    assert [ranked.probe for ranked in found] == [images[0], *images[2:]]
    assert judged == [3]
    assert [problem.message for problem in problems] == [
        f"{images[1]}: cannot be matched: its distances are not finite"
    ]
