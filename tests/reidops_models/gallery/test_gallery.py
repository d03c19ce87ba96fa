"""A gallery that lasts: what it answers is what a search over the same pictures answers."""

from __future__ import annotations

import os
import shutil
import weakref
from pathlib import Path

import pytest
import torch

from reidops_models import Gallery, GalleryError, load_checkpoint, search
from reidops_models.checkpoint import save_checkpoint
from reidops_models.data import list_images, read_image, resize_image
from reidops_models.gallery import GallerySearch
from reidops_models.gallery.search import read_blocks
from reidops_models.retrieval import SearchResult


def lists(found: GallerySearch | SearchResult) -> list[list[tuple[int, str, float]]]:
    return [[(match.rank, match.name, match.distance) for match in ranked.matches] for ranked in found]


def test_ranks_and_distances_are_the_bits_of_a_search(people: Path, checkpoint: Path, tmp_path: Path) -> None:
    probes, folder = people / "partial_query", people / "bounding_box_test"
    gallery = Gallery.build(tmp_path / "people.lance", folder, checkpoint, dtype="float32")
    expected = search(probes, folder, checkpoint, top=7)
    found = Gallery.open(tmp_path / "people.lance", checkpoint).search(probes, top=7)
    assert len(gallery) == len(expected.gallery)
    assert found.method == expected.method
    assert [ranked.probe for ranked in found] == [ranked.probe for ranked in expected]
    assert lists(found) == lists(expected)
    for options in ({"scales": [1]}, {"beta": 0.1}):
        assert lists(gallery.search(probes, options=options)) == lists(
            search(probes, folder, checkpoint, options=options)
        )


def test_blocks_and_passes_change_no_bit(
    people: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = people / "query"
    probes = [people / "partial_query", folder]  # 48 probes make two passes
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint, dtype="float32")
    gallery.add(folder)
    whole = lists(gallery.search(probes, top=7))
    (block,) = read_blocks(gallery.store)
    size = gallery.facts.layout.bytes_per_picture
    monkeypatch.setattr("reidops_models.gallery.search.BLOCK_MEMORY", 5 * size)
    monkeypatch.setattr("reidops_models.gallery.search.PROBE_MEMORY", 1)
    blocks = list(read_blocks(gallery.store))
    assert [len(one.numbers) for one in blocks] == [5, 5, 5, 5, 4]
    assert torch.equal(torch.cat([one.tensors[0] for one in blocks]), block.tensors[0])
    assert lists(gallery.search(probes, top=7)) == whole == lists(search(probes, folder, checkpoint, top=7))


def test_in_half_the_bits_only_the_gallerys_features_are_rounded(
    people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", people / "query", checkpoint)
    images = [read_image(path) for path in list_images(people / "query")]
    method = load_checkpoint(checkpoint).methods([(image.shape[1], image.shape[2]) for image in images]).main
    features = [feature.half().float() for feature in method.embed(images)]
    expected = method.distances(method.embed(images[:3], role="probe"), features)
    found = gallery.search(images[:3], top=5)
    for ranked, distances in zip(found, expected, strict=True):
        order = distances.argsort(stable=True)[:5]
        assert [match.index for match in ranked.matches] == order.tolist()
        assert [match.distance for match in ranked.matches] == distances[order].tolist()


def test_an_entry_says_what_is_known_of_a_picture(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", [pictures, torch.rand(3, 90, 40)], checkpoint)
    entries = list(gallery)
    paths = list_images(pictures)
    assert [entry.number for entry in entries] == list(range(13))
    assert [entry.source for entry in entries] == [*map(str, paths), None]
    first, last = entries[0], entries[-1]
    assert (first.id, first.name) == (str(paths[0]), paths[0].as_posix())
    assert first.pid == int(paths[0].name.split("_")[0])
    assert first.camid == int(paths[0].name.split("_")[1][1])
    assert first.time is not None
    assert first.time.timestamp() == pytest.approx(paths[0].stat().st_mtime, abs=1e-5)
    assert torch.equal(first.read(), read_image(paths[0]))
    assert (last.size, last.pid, last.camid, last.time) == ((90, 40), None, None, None)
    assert last.id.startswith("sha256:")
    with pytest.raises(ValueError, match="image 12: was added from memory"):
        last.read()


def test_adding_passes_over_what_is_there_and_replaces_what_has_changed(
    pictures: Path, checkpoint: Path, tmp_path: Path
) -> None:
    paths = list_images(pictures)
    gallery = Gallery.build(tmp_path / "people.lance", pictures, checkpoint)
    again = gallery.add(pictures)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 12)
    shutil.copy(paths[7], paths[3])
    os.utime(paths[3], ns=(1, 1))
    changed = gallery.add(pictures)
    assert (changed.new, changed.updated, changed.unchanged) == (0, 1, 11)
    entries = list(gallery)
    assert [entry.number for entry in entries] == list(range(12))
    assert [entry.id for entry in entries] == [str(path) for path in paths]
    (ranked,) = gallery.search(paths[7], top=2)
    assert [match.index for match in ranked.matches] == [3, 7]  # equal distances keep the gallery's order
    assert ranked.matches[0].distance == ranked.matches[1].distance


def test_removed_pictures_are_not_found_and_numbers_stay(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    paths = list_images(pictures)
    gallery = Gallery.build(tmp_path / "people.lance", pictures, checkpoint, dtype="float32")
    assert gallery.remove([str(paths[0]), str(paths[5])]) == 2
    with pytest.raises(GalleryError, match=r"people\.lance: no picture nobody$"):
        gallery.remove([str(paths[1]), "nobody"])
    assert len(gallery) == 10
    assert [entry.number for entry in gallery] == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    left = [path for path in paths if path not in (paths[0], paths[5])]
    expected = search(paths[0], left, checkpoint)
    assert [match.distance for match in gallery.search(paths[0])[0].matches] == [
        match.distance for match in expected[0].matches
    ]
    assert gallery.add(paths[0]).new == 1
    assert [entry.id for entry in gallery][-1] == str(paths[0])


def test_an_update_embeds_again_what_has_not_changed(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    paths = list_images(pictures)
    gallery = Gallery.build(tmp_path / "people.lance", pictures, checkpoint)
    before = list(gallery)
    done = gallery.update(paths[:2])
    assert (done.new, done.updated, done.unchanged) == (0, 2, 0)
    assert [(entry.number, entry.id) for entry in gallery] == [(entry.number, entry.id) for entry in before]
    with pytest.raises(GalleryError, match="no picture sha256:"):
        gallery.update([torch.rand(3, 8, 8)])


def test_ids_may_be_given(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    paths = list_images(pictures)[:2]
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    assert gallery.add(paths, ids=["ann", "bob"]).new == 2
    assert gallery.add(torch.rand(1, 3, 8, 8), ids=["bob"]).updated == 1
    assert [(entry.id, entry.source) for entry in gallery] == [("ann", str(paths[0])), ("bob", None)]
    with pytest.raises(GalleryError, match=r"^ids: expected 2 different ones, one for each picture, got 1$"):
        gallery.add(paths, ids=["ann"])


def test_the_scale_of_probes_follows_the_pictures_or_is_fixed(people: Path, checkpoint: Path, tmp_path: Path) -> None:
    small, large = torch.rand(3, 3, 64, 32), torch.rand(4, 3, 256, 128)
    gallery = Gallery.build(tmp_path / "people.lance", small, checkpoint)
    assert gallery.matcher().probe_scale == 2.0  # type: ignore[attr-defined]
    gallery.fix_probe_scale()
    gallery.add(large)
    assert gallery.matcher().probe_scale == 2.0  # type: ignore[attr-defined]
    assert Gallery.open(gallery.path, checkpoint).probe_sizes == [(64, 32)]
    gallery.fix_probe_scale(False)
    assert gallery.matcher().probe_scale == 0.5  # type: ignore[attr-defined]


def test_what_cannot_be_opened_is_named_in_one_line(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    import lance
    import pyarrow as pa

    with pytest.raises(GalleryError, match=r"nowhere\.lance: no such gallery$"):
        Gallery.open(tmp_path / "nowhere.lance")
    with pytest.raises(GalleryError, match=r"pictures: not a gallery$"):
        Gallery.open(pictures)
    with pytest.raises(GalleryError, match=r"pictures: not a gallery$"):
        Gallery.build(pictures, (), checkpoint)
    lance.write_dataset(pa.table({"a": [1]}), str(tmp_path / "other.lance"))
    with pytest.raises(GalleryError, match=r"other\.lance: a Lance dataset, but not a gallery of reidops$"):
        Gallery.open(tmp_path / "other.lance")
    with pytest.raises(GalleryError, match=r"^dtype: expected float16 or float32, got 'int8'$"):
        Gallery.build(tmp_path / "new.lance", (), checkpoint, dtype="int8")
    assert not (tmp_path / "new.lance").exists()


def test_a_gallery_knows_its_checkpoint_by_what_is_in_it(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.lance"
    Gallery.build(path, pictures, checkpoint)
    copy = save_checkpoint(tmp_path / "elsewhere" / "copy", load_checkpoint(checkpoint))
    assert len(Gallery.open(path, copy)) == 12
    for other in ("dsr", "dpti"):
        with pytest.raises(
            GalleryError, match=rf"people\.lance: of another checkpoint, dsr-\w{{16}}; .* is {other}-\w"
        ):
            Gallery.open(path, other)
    unknown = Gallery.open(path)  # its checkpoint is not the shipped one
    assert len(list(unknown)) == len(unknown) == 12
    with pytest.raises(
        GalleryError, match=r"people\.lance: needs its checkpoint, dsr-\w{16}, which is not the shipped"
    ):
        unknown.search(torch.rand(1, 3, 60, 64))
    assert unknown.remove([str(list_images(pictures)[0])]) == 1


def test_a_gallery_may_be_on_an_object_store(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Lance reads and writes these files as it does those of an object store."""
    address = f"file-object-store://{tmp_path}/people.lance"
    with pytest.raises(GalleryError, match=r"people\.lance: no such gallery$"):
        Gallery.open(address, checkpoint)
    gallery = Gallery.build(address, pictures, checkpoint, dtype="float32")
    assert gallery.check() == []
    probe = list_images(pictures)[0]
    assert lists(Gallery.open(address, checkpoint).search(probe)) == lists(search(probe, pictures, checkpoint))


def test_an_empty_gallery_cannot_be_searched(checkpoint: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    assert list(gallery) == []
    with pytest.raises(GalleryError, match=r"people\.lance: has no pictures$"):
        gallery.search(torch.rand(1, 3, 60, 64))


def test_what_cannot_be_read_or_matched_is_left_out(pictures: Path, checkpoint: Path, tmp_path: Path) -> None:
    (pictures / "0000.jpg").write_bytes(b"no picture")
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    added = gallery.add(pictures)
    assert added.new == 12
    assert [problem.image for problem in added.problems] == [str(pictures / "0000.jpg")]
    speck = torch.zeros(3, 8, 8)  # a map of 1x1, which has no blocks of 2x2
    found = gallery.search([speck, torch.rand(3, 128, 64)], options={"scales": [2]})
    assert [ranked.probe.name for ranked in found] == ["image 1"]
    assert found.problems[0].message.startswith("image 0: cannot be matched: dsr_distance: ")


@pytest.mark.parametrize("workers", [0, 3])
def test_pictures_are_read_ahead_and_only_a_few_are_held(
    workers: int, pictures: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", (), checkpoint)
    alive, most = [0], [0]

    def counting(image: torch.Tensor, *size: int) -> torch.Tensor:
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        weakref.finalize(image, lambda: alive.__setitem__(0, alive[0] - 1))
        return resize_image(image, *size) + 0  # another tensor: what the network takes is not the picture

    monkeypatch.setattr("reidops_models.matching.reconstruction.resize_image", counting)
    added = gallery.add(pictures, workers=workers)
    assert added.new == 12
    assert [entry.id for entry in gallery] == [str(path) for path in list_images(pictures)]
    assert most[0] <= 2
