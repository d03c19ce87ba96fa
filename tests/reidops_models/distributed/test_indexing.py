"""Pictures into a gallery by the workers of a cluster: as by one process, whatever is lost on the way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reidops_models import Gallery, GalleryError
from reidops_models.data import list_images
from reidops_models.distributed import ClusterError, add_pictures, indexing
from reidops_models.gallery.search import read_blocks

pytestmark = pytest.mark.xdist_group("ray")

ROWS = 2  # pictures in a fragment: six fragments of the 12 pictures
ADDER = Path(__file__).parent / "adder.py"


def build(path: Path, checkpoint: Path) -> Gallery:
    return Gallery.build(path, (), checkpoint, dtype="float32")


def contents(gallery: Gallery) -> dict[str, tuple[int, torch.Tensor]]:
    """Of each picture, by its id, the number and the features."""
    gallery = Gallery.open(gallery.path)
    numbers = [number for block in read_blocks(gallery.store) for number in block.numbers.tolist()]
    maps = [one for block in read_blocks(gallery.store) for one in block.tensors[0]]
    assert len(numbers) == len(set(numbers)) == len(gallery)
    assert gallery.check() == []
    entries = gallery.store.take(numbers)
    assert len({entry.id for entry in entries.values()}) == len(numbers)
    return {entries[number].id: (number, one) for number, one in zip(numbers, maps, strict=True)}


def assert_same_pictures(found: Gallery, expected: Gallery) -> None:
    ours, theirs = contents(found), contents(expected)
    assert {name: number for name, (number, _) in ours.items()} == {name: n for name, (n, _) in theirs.items()}
    for name, (_, features) in theirs.items():
        assert torch.equal(ours[name][1], features)


def at_commit(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Do something before a commit, counted from 0."""
    real, done = indexing.commit_fragments, []

    def commit(*arguments: Any) -> bool:
        done.append(True)
        if len(done) == number + 1:
            act()
        return real(*arguments)

    monkeypatch.setattr(indexing, "commit_fragments", commit)


def test_pictures_come_in_as_by_one_process(cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    """New, changed and unreadable pictures; features, numbers and entries are the same."""
    local, gallery = build(tmp_path / "local.lance", checkpoint), build(tmp_path / "people.lance", checkpoint)
    local.add(pictures, commit=ROWS)
    added = add_pictures(gallery, pictures, rows=ROWS, every=0)
    assert (added.new, added.updated, added.unchanged, len(added.problems)) == (12, 0, 0, 0)
    assert_same_pictures(gallery, local)
    assert list(gallery) == list(local)
    assert len(gallery.store.dataset.get_fragments()) == 6

    first, second, third, *_ = list_images(pictures)
    first.write_bytes(second.read_bytes())
    third.write_text("no picture")
    for one in (local, gallery):
        one.remove([str(third)])
    local.add(pictures)
    added = add_pictures(gallery, pictures, rows=ROWS, every=0)
    assert (added.new, added.updated, added.unchanged) == (0, 1, 10)
    assert [problem.image for problem in added.problems] == [str(third)]
    assert_same_pictures(gallery, local)
    assert torch.allclose(contents(gallery)[str(first)][1], contents(gallery)[str(second)][1], atol=1e-5)
    assert add_pictures(gallery, [first, second]).unchanged == 2


def test_what_is_lost_with_a_node_is_done_again(
    cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, gallery = build(tmp_path / "local.lance", checkpoint), build(tmp_path / "people.lance", checkpoint)
    local.add(pictures, commit=ROWS)
    node = cluster.add_node(num_cpus=4, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    at_commit(monkeypatch, 1, lambda: cluster.remove_node(node, allow_graceful=False))
    added = add_pictures(gallery, pictures, rows=ROWS, every=0)
    assert (added.new, added.updated, added.unchanged, len(added.problems)) == (12, 0, 0, 0)
    assert_same_pictures(gallery, local)


def test_a_lost_node_that_nothing_replaces_is_one_line_and_what_was_committed_stays(
    cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = build(tmp_path / "people.lance", checkpoint)
    node = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=80 << 20)
    cluster.wait_for_nodes()
    at_commit(monkeypatch, 1, lambda: cluster.remove_node(node, allow_graceful=False))
    with pytest.raises(ClusterError, match=r"^Ray: a node was lost, .* none with 0\.75 CPU, 1 GPU\. What was") as error:
        add_pictures(gallery, pictures, rows=ROWS, every=0, patience=1)
    assert len(str(error.value).splitlines()) == 1
    kept = len(contents(gallery))
    assert 2 <= kept < 12
    with pytest.raises(ClusterError, match=r"^Ray: no node has 0\.75 CPU and 1 GPU"):
        add_pictures(gallery, pictures, gpus=1)
    added = gallery.add(pictures)
    assert (added.new, added.unchanged) == (12 - kept, kept)
    assert sorted(number for number, _ in contents(gallery).values()) == list(range(12))


def test_a_command_killed_within_a_commit_goes_on(
    cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    local, gallery = build(tmp_path / "local.lance", checkpoint), build(tmp_path / "people.lance", checkpoint)
    local.add(pictures, commit=ROWS)
    words = [sys.executable, ADDER, cluster.address, gallery.path, checkpoint, pictures, ROWS, 1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(list(map(str, words)), env=environment, timeout=300)
    assert done.returncode == -9
    assert len(contents(gallery)) == ROWS
    added = gallery.add(pictures, commit=ROWS)  # the same guarantees, so either may go on
    assert (added.new, added.updated, added.unchanged) == (12 - ROWS, 0, ROWS)
    assert_same_pictures(gallery, local)


def test_another_writer_at_the_same_time(
    cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read one version. Nothing is doubled, whoever is first."""
    gallery, other = build(tmp_path / "people.lance", checkpoint), build(tmp_path / "people.lance", checkpoint)
    paths = list_images(pictures)

    def intrude() -> None:
        other.fix_probe_scale()
        assert other.add(paths[2:6]).new == 4  # which the workers have embedded, too; now the numbers are taken
        assert other.remove([str(paths[0])]) == 1

    at_commit(monkeypatch, 1, intrude)
    added = add_pictures(gallery, paths, rows=ROWS, every=0)
    assert (added.new, added.updated, added.unchanged) == (8, 0, 4)
    assert sorted(contents(gallery)) == sorted(map(str, paths[1:]))


def test_what_a_worker_cannot_write_is_one_line(cluster: Any, pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    gallery = build(tmp_path / "people.lance", checkpoint)
    (tmp_path / "people.lance" / "data").write_text("where the files would go")
    with pytest.raises(GalleryError, match=rf"^{re.escape(gallery.path)}: File exists") as error:
        add_pictures(gallery, pictures)
    assert len(str(error.value).splitlines()) == 1
    assert len(Gallery.open(gallery.path)) == 0


def test_pictures_in_memory_are_refused(cluster: Any, checkpoint: Path, tmp_path: Path) -> None:
    gallery = build(tmp_path / "people.lance", checkpoint)
    with pytest.raises(ValueError, match="expected folders and image files, because workers read them"):
        add_pictures(gallery, torch.rand(2, 3, 8, 8))  # type: ignore[arg-type]
