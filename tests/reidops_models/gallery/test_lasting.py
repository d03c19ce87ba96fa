"""Whatever happens to a gallery while it is written: killed, two writers, a full disk, damaged files."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from reidops_models import Gallery, GalleryError
from reidops_models.data import list_images
from reidops_models.gallery.search import read_blocks
from reidops_models.gallery.store import Store

ADDER = Path(__file__).parent / "adder.py"
COMMIT = 4  # three commits of the 12 pictures


def start(
    gallery: Path, checkpoint: Path, pictures: Path, where: str = "never", number: int = 0
) -> subprocess.Popen[str]:
    words = [sys.executable, ADDER, gallery, checkpoint, pictures, COMMIT, where, number]
    return subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def contents(gallery: Gallery) -> dict[int, tuple[str, torch.Tensor]]:
    """Of each number the id and the features."""
    blocks = list(read_blocks(gallery.store))
    numbers = torch.cat([block.numbers for block in blocks]).tolist()
    maps = torch.cat([block.tensors[0] for block in blocks])
    entries = gallery.store.take(numbers)
    return {number: (entries[number].id, one) for number, one in zip(numbers, maps, strict=True)}


def assert_equal(found: dict[int, tuple[str, torch.Tensor]], expected: dict[int, tuple[str, torch.Tensor]]) -> None:
    assert {number: name for number, (name, _) in found.items()} == {n: name for n, (name, _) in expected.items()}
    for number, (_, one) in expected.items():
        assert torch.equal(found[number][1], one)


@pytest.mark.parametrize(
    ("where", "number", "kept"), [("before", 0, 0), ("within", 0, 0), ("within", 1, 4), ("after", 1, 8)]
)
def test_a_killed_adding_goes_on_and_ends_like_an_undisturbed_one(
    where: str, number: int, kept: int, pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    undisturbed = Gallery.build(tmp_path / "undisturbed.lance", (), checkpoint)
    undisturbed.add(pictures, commit=COMMIT)
    process = start(tmp_path / "killed.lance", checkpoint, pictures, where, number)
    go(process)
    assert process.wait() == -9
    gallery = Gallery.open(tmp_path / "killed.lance", checkpoint)
    assert len(gallery) == kept
    assert gallery.check() == []
    added = gallery.add(pictures, commit=COMMIT)
    assert (added.new, added.updated, added.unchanged) == (12 - kept, 0, kept)
    assert_equal(contents(gallery), contents(undisturbed))
    assert gallery.check() == []


def test_a_kill_at_any_moment_loses_and_doubles_nothing(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    """As the one above, but the moment is the clock's: what holds must hold wherever it fell."""
    undisturbed = Gallery.build(tmp_path / "undisturbed.lance", (), checkpoint)
    undisturbed.add(pictures, commit=COMMIT)
    processes = [start(tmp_path / f"{i}.lance", checkpoint, pictures) for i in range(2)]
    for i, process in enumerate(processes):
        assert process.stdout is not None
        process.stdout.readline()
        go(process)
        time.sleep(0.05 + 0.15 * i)
        process.kill()
        process.wait()
        gallery = Gallery.open(tmp_path / f"{i}.lance", checkpoint)
        assert len(gallery) % COMMIT == 0
        gallery.add(pictures, commit=COMMIT)
        assert_equal(contents(gallery), contents(undisturbed))
        assert gallery.check() == []


def test_two_writers_at_once_lose_and_double_nothing(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.lance"
    Gallery.build(path, (), checkpoint)
    paths = list_images(pictures)
    processes = [start(path, checkpoint, pictures) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        go(process)
    assert [process.wait() for process in processes] == [0, 0]
    gallery = Gallery.open(path, checkpoint)
    entries = list(gallery)
    assert sorted(entry.id for entry in entries) == [str(path) for path in paths]
    assert [entry.number for entry in entries] == list(range(12))
    assert gallery.check() == []


def test_a_writer_that_comes_second_counts_on_from_the_first(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    """The same race, played in one process: both have read one version, and both number from it."""
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    paths = list_images(pictures)
    real, intruded = Store.commit, []

    def late(self: Store, rows: object) -> bool:
        if not intruded:
            intruded.append(True)
            other = Gallery.open(tmp_path / "people.lance", checkpoint)
            assert other.add(paths[2:6]).new == 4  # two of them are in the first writer's commit, too
        return real(self, rows)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "commit", late)
        added = gallery.add(paths[:4], commit=4)
    assert (added.new, added.updated, added.unchanged) == (2, 0, 2)
    assert [entry.id for entry in gallery] == [str(path) for path in (*paths[2:6], *paths[:2])]
    assert [entry.number for entry in gallery] == list(range(6))
    assert gallery.check() == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_line_and_what_was_committed_stays(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    paths = list_images(pictures)
    gallery = Gallery.build(tmp_path / "people.lance", paths[:2], checkpoint)
    with largest_file(80_000), pytest.raises(GalleryError, match=r"people\.lance: .*File too large") as error:
        gallery.add(pictures, commit=10)
    assert len(str(error.value).splitlines()) == 1
    assert ".rs:" not in str(error.value)
    assert len(gallery) == len(Gallery.open(tmp_path / "people.lance", checkpoint)) == 2
    assert gallery.check() == []
    assert gallery.add(pictures).new == 10
    assert gallery.check() == []


def cut_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def change_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut_off, r": damaged: failed to fill whole buffer$"),
        (Path.unlink, r": no such file$"),
        (change_a_bit, r": damaged: the features of /.*/pictures/.*\.jpg$"),
    ],
)
def test_a_damaged_file_is_named(
    damage: object, expected: str, pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    gallery.add(pictures, commit=6)
    assert gallery.check() == []
    first = gallery.store.dataset.get_fragments()[0].metadata.files[0].path
    file = tmp_path / "people.lance" / "data" / first
    damage(file)  # type: ignore[operator]
    (problem,) = Gallery.open(tmp_path / "people.lance", checkpoint).check()
    assert problem.image == str(file)
    assert re.search(re.escape(str(file)) + expected, problem.message)


def test_a_search_in_a_damaged_gallery_is_one_line(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", pictures, checkpoint)
    (file,) = (tmp_path / "people.lance" / "data").iterdir()
    cut_off(file)
    with pytest.raises(GalleryError, match=r"people\.lance: failed to fill whole buffer"):
        Gallery.open(gallery.path, checkpoint).search(torch.rand(1, 3, 60, 64))


def test_compacting_keeps_every_picture_and_erases_what_was_removed(
    pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "people.lance"
    gallery = Gallery.build(path, (), checkpoint)
    gallery.add(pictures, commit=3)
    expected = contents(gallery)
    gallery.remove([expected.pop(5)[0], expected.pop(0)[0]])
    kept = {file.name for file in (path / "data").iterdir()}
    done = gallery.compact()
    assert (done.files_before, done.files) == (4, 1)
    assert len(gallery.store.dataset.versions()) == 1
    assert done.bytes_freed > 0
    assert_equal(contents(gallery), expected)
    (left,) = (path / "data").iterdir()
    assert left.name not in kept
    assert gallery.add(pictures).new == 2
    assert gallery.check() == []
