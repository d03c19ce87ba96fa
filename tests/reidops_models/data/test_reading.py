"""Images read ahead by threads: the same images, in order, each once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from reidops_models.data import ImageError, image_size, list_images, read_image, read_images
from reidops_models.data import reading as module


@pytest.mark.parametrize("workers", [0, 1, 3, None])
def test_images_come_in_order_as_read_image_gives_them(people: Path, workers: int | None) -> None:
    paths = list_images(people / "query")
    tensor = torch.rand(3, 8, 4)
    found = list(read_images([*paths[:5], tensor, "nowhere.jpg", *map(str, paths[5:])], workers))
    assert found.pop(5) is tensor
    missing = found.pop(5)
    assert isinstance(missing, ImageError)
    assert str(missing) == "nowhere.jpg: no such file"
    for image, path in zip(found, paths, strict=True):
        assert isinstance(image, torch.Tensor)
        torch.testing.assert_close(image, read_image(path), rtol=0, atol=0)


def test_a_slow_file_holds_up_nobody_and_keeps_its_place(monkeypatch: pytest.MonkeyPatch, people: Path) -> None:
    paths = list_images(people / "query")[:6]
    others = threading.Semaphore(0)
    decode = module.decode_image

    def slow(path: Path) -> object:
        if path == paths[0]:
            for _ in paths[1:]:
                assert others.acquire(timeout=30)  # until all others are there
            return decode(path)
        found = decode(path)
        others.release()
        return found

    monkeypatch.setattr(module, "decode_image", slow)
    found = [image for image in read_images(paths, 2) if isinstance(image, torch.Tensor)]
    assert [image.mean() for image in found] == [read_image(path).mean() for path in paths]


def test_few_files_are_read_ahead_and_none_after_the_caller_stops(people: Path) -> None:
    drawn = 0

    def sources() -> Iterator[Path]:
        nonlocal drawn
        for path in list_images(people / "query") * 10:
            drawn += 1
            yield path

    before = threading.active_count()
    reading = read_images(sources(), 2)
    next(reading)
    assert drawn <= 2 * module.AHEAD + 1
    reading.close()
    assert drawn <= 2 * module.AHEAD + 1
    assert threading.active_count() == before


def test_threads_leave_the_filters_of_warnings_as_they_were(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(warnings.filters)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # everything is too large
    for image in read_images(list_images(people / "query") * 3, 4):
        assert isinstance(image, ImageError)
        assert str(image).endswith("larger than Pillow's limit of 100 pixels")
    assert warnings.filters == before


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_the_size_in_the_header_is_the_images(
    tmp_path: Path, suffix: str, orientation: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, exif = tmp_path / f"a.{suffix}", Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.effect_noise((5, 9), 50).convert("RGB").save(path, exif=exif)
    shape = read_image(path).shape
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)  # nothing is decoded
    assert image_size(path) == (shape[1], shape[2]) == ((5, 9) if orientation in (6, 8) else (9, 5))


def test_a_file_without_a_header_has_no_size(tmp_path: Path) -> None:
    for name, content, reason in (
        ("empty.jpg", b"", r"the file is empty \(0 bytes\)"),
        ("text.png", b"not an image", "not an image in a format that Pillow reads"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=f"{name}: {reason}$"):
            image_size(tmp_path / name)
    with pytest.raises(ImageError, match=r"none.jpg: no such file$"):
        image_size(tmp_path / "none.jpg")
