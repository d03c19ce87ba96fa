"""Probes in a gallery that actors hold: the bits of one process, whatever is lost on the way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reidops_models import Gallery, GalleryError, SearchError
from reidops_models.data import list_images
from reidops_models.distributed import ClusterError, ShardedGallery
from reidops_models.distributed.searching import divide
from reidops_models.distributed.shard import Right, count_nearer
from reidops_models.evaluation import evaluate_ranking
from reidops_models.retrieval.images import ImageFile, Problems, find_images, sample_images

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture
def gallery(pictures: Path, checkpoint: Path, tmp_path: Path) -> Gallery:
    """12 pictures and 2 copies of the first, so that there are ties, in 5 fragments, one of which lost a picture."""
    first, *others = list_images(pictures)
    for name in ("copy", "another"):
        shutil.copy2(first, pictures / f"{name}_{first.name}")
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint, dtype="float32")
    gallery.add(pictures, commit=3)
    gallery.remove([str(others[4])])
    return gallery


def lists(found: Any) -> list[list[tuple[int, int, str, float]]]:
    return [[(m.rank, m.index, m.name, m.distance) for m in ranked.matches] for ranked in found]


def probe_files(people: Path, count: int) -> list[Path]:
    return list_images(people / "query")[:count]


@pytest.mark.parametrize("held", [0, 1 << 30])
def test_ranks_and_distances_are_the_bits_of_one_process(
    held: int, cluster: Any, gallery: Gallery, people: Path
) -> None:
    probes = probe_files(people, 3)
    with ShardedGallery(gallery, {"beta": 0.2}, held=held) as shards:
        assert len(shards) == len(gallery) == 13
        for top in (1, 5, 50):
            found, expected = shards.search(probes, top=top), gallery.search(probes, top=top, options={"beta": 0.2})
            assert lists(found) == lists(expected)
            assert found.method == expected.method
            assert [ranked.matches for ranked in found] == [ranked.matches for ranked in expected]
        assert len(found[0].matches) == 13


def test_vectors_and_a_probe_that_cannot_be_matched(cluster: Any, pictures: Path, people: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", (), "dpti")
    gallery.add(pictures, commit=3)
    probes = [*probe_files(people, 3), torch.full((3, 60, 64), torch.nan)]
    with ShardedGallery(gallery, shards=3) as shards:
        found, expected = shards.search(probes, threshold=0.1), gallery.search(probes, threshold=0.1)
    assert lists(found) == lists(expected)
    assert len(found) == 3
    assert [str(problem) for problem in found.problems] == [str(problem) for problem in expected.problems]
    assert [ranked.unknown for ranked in found] == [ranked.unknown for ranked in expected]


def test_what_is_lost_with_a_node_is_done_again(
    cluster: Any, gallery: Gallery, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    probes = probe_files(people, 2)
    node = cluster.add_node(num_cpus=8, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    with ShardedGallery(gallery) as shards:
        first = shards.search(probes)
        real, lost = ray.wait, []

        def lose(*arguments: Any, **options: Any) -> Any:
            if not lost:  # all have been asked, and nobody has been heard
                lost.append(node)
                cluster.remove_node(node, allow_graceful=False)
            return real(*arguments, **options)

        monkeypatch.setattr(ray, "wait", lose)
        again = shards.search(probes)
    assert lost
    assert lists(again) == lists(first) == lists(gallery.search(probes))


def test_a_lost_node_that_nothing_replaces_is_one_line(
    cluster: Any, gallery: Gallery, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    with ShardedGallery(gallery, patience=1) as shards:
        assert lists(shards.search(probe_files(people, 1))) == lists(gallery.search(probe_files(people, 1)))
        cluster.remove_node(node, allow_graceful=False)
        with pytest.raises(ClusterError, match=r"^Ray: a node was lost, .* none with 1 GPU\. What") as error:
            shards.search(probe_files(people, 1))
    assert len(str(error.value).splitlines()) == 1


def test_evaluation_is_that_of_all_pairs(
    cluster: Any, dataset: Any, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reidops_models.distributed import searching

    monkeypatch.setattr(searching, "PROBES", 5)
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint, dtype="float32")
    gallery.add(dataset.root / "bounding_box_test", commit=5)
    gallery.add(dataset.root / "bounding_box_train", commit=5)
    probes = sample_images([*dataset.probes("query"), *dataset.gallery[:6]], dataset.root)
    assert len(probes) > 5
    entries = list(gallery)
    matcher = gallery.matcher()
    embedded = matcher.embed(entry.read() for entry in entries)
    distances = matcher.distances(matcher.embed((p.read() for p in probes), role="probe"), embedded)
    sides = [[[getattr(one, name) for one in side] for side in (probes, entries)] for name in ("pid", "camid")]
    expected = evaluate_ranking(distances, *sides[0], *sides[1], ranks=(1, 2, 7))
    with ShardedGallery(gallery) as shards:
        found = shards.evaluate(probes, ranks=(1, 2, 7))
    assert found.cmc == expected.cmc
    assert found.mAP == expected.mAP
    assert found.mINP == expected.mINP
    assert np.array_equal(found.first_match, expected.first_match)
    assert expected.valid.any()


def test_places_are_counted_as_one_sort_would_give_them() -> None:
    """Ties by number, NaN last, over a table that is cut in two."""
    distances = np.array([0.5, np.nan, 0.25, 0.5, np.nan, 0.5, 0.25], np.float32)
    numbers = np.array([6, 2, 5, 1, 0, 3, 4])
    places = zip(np.isnan(distances), np.nan_to_num(distances), numbers, range(7))
    order = [index for *_, index in sorted(places)]
    right = Right(distances, numbers)
    found = sum(count_nearer(distances[part], numbers[part], right) for part in (slice(3), slice(3, 7)))
    assert [order.index(i) for i in range(7)] == found.tolist()


def test_parts_of_a_gallery_are_about_equal() -> None:
    parts = divide({key: 1 + key % 7 for key in range(100)} | {200: 0}, 8)
    assert sorted(key for part in parts for key in part.fragments) == list(range(100))
    sizes = [part.rows for part in parts]
    assert sum(sizes) == sum(1 + key % 7 for key in range(100))
    assert max(sizes) - min(sizes) <= 1
    assert len(divide({0: 5, 1: 5}, 8)) == 2


def test_what_cannot_be_searched_or_evaluated(cluster: Any, checkpoint: Path, gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=r"empty\.lance: has no pictures"):
        ShardedGallery(Gallery.build(tmp_path / "empty.lance", (), checkpoint))
    with ShardedGallery(gallery) as shards:
        with pytest.raises(SearchError, match="top"):
            shards.search(torch.rand(1, 3, 60, 64), top=0)
        with pytest.raises(SearchError, match="the person is not known"):
            shards.evaluate(find_images(torch.rand(1, 3, 60, 64), Problems()))
        assert isinstance(find_images(gallery_file(gallery), Problems())[0], ImageFile)


def test_a_damaged_file_is_one_line(cluster: Any, gallery: Gallery, people: Path) -> None:
    file = sorted((Path(gallery.path) / "data").iterdir())[0]
    with ShardedGallery(gallery) as shards:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(GalleryError, match=r"people\.lance: failed to fill whole buffer$") as error:
            shards.search(probe_files(people, 1))
    assert len(str(error.value).splitlines()) == 1


def gallery_file(gallery: Gallery) -> str:
    source = next(iter(gallery)).source
    assert source is not None
    return source
