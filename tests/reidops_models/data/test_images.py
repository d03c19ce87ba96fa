from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from reidops_models.data import ImageError, list_files, list_images, read_image, resize_image


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


def test_reads_rgb_in_unit_range(tmp_path, pixels):
    image = read_image(save(tmp_path / "a.png", pixels))
    assert image.dtype == torch.float32
    assert image.is_contiguous()
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1) / 255)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_mode_becomes_rgb(tmp_path, pixels, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(pixels).convert(mode).save(tmp_path / f"a.{suffix}")
    assert read_image(tmp_path / f"a.{suffix}").shape == (3, 7, 5)


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    path = save(tmp_path / "a.png", np.array([[0, 257 * 100, 65535]], np.uint16))
    assert torch.allclose(read_image(path)[0] * 255, torch.tensor([[0.0, 100.0, 255.0]]))


def test_orientation_of_the_camera_is_applied(tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to view
    upright = read_image(save(tmp_path / "a.png", pixels, exif=exif))
    assert torch.equal(upright, torch.from_numpy(np.rot90(pixels, -1).copy()).permute(2, 0, 1) / 255)


def write_broken(folder, kind, pixels):
    path = folder / f"{kind}.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "truncated":
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        whole = save(folder / "whole.jpg", noise).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "header":
        path.write_bytes(save(folder / "whole.png", pixels).read_bytes()[:20])
    elif kind == "pixels":
        path = folder / "none.ppm"
        path.write_bytes(b"P6 0 4 255\n")
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("folder", "is a folder, not an image"),
        ("empty", r"the file is empty \(0 bytes\)"),
        ("text", "not an image"),
        ("truncated", r"damaged or truncated \(image file is truncated"),
        ("header", "not an image|damaged or truncated"),
        ("pixels", "not an image|no pixels|damaged"),
    ],
)
def test_a_broken_file_gives_one_line_that_names_it(tmp_path, pixels, kind, message):
    path = write_broken(tmp_path, kind, pixels)
    with pytest.raises(ImageError, match=message) as error:
        read_image(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_image_beyond_pillows_limit(tmp_path, pixels, monkeypatch):
    path = save(tmp_path / "a.png", pixels)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ImageError, match="larger than Pillow's limit of 20 pixels"):
        read_image(path)


def test_lists_images_sorted_by_path(tmp_path, pixels):
    (tmp_path / "sub.jpg").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    for name in ("b.PNG", "a.jpg", "sub.jpg/c.webp", ".hidden.png", ".thumbnails/a.jpg"):
        save(tmp_path / name, pixels)
    for name in ("notes.txt", "sub.jpg/data.csv", ".thumbnails/index.db"):
        (tmp_path / name).touch()
    assert list_files(tmp_path)[1] == [tmp_path / "notes.txt"]
    assert list_files(tmp_path, recursive=True)[1] == [tmp_path / "notes.txt", tmp_path / "sub.jpg/data.csv"]
    assert list_images(tmp_path) == [tmp_path / "a.jpg", tmp_path / "b.PNG"]
    assert list_images(tmp_path, recursive=True) == [
        tmp_path / "a.jpg",
        tmp_path / "b.PNG",
        tmp_path / "sub.jpg/c.webp",
    ]


@pytest.mark.parametrize("suffix", ["gif", "jfif", "jpe", "pgm", "pbm", "pnm", "jp2", "tga", "pcx", "dib", "apng"])
def test_every_raster_format_that_pillow_reads_is_an_image(tmp_path, suffix):
    Image.new("1" if suffix == "pbm" else "L" if suffix == "pgm" else "RGB", (8, 16), 0).save(tmp_path / f"a.{suffix}")
    assert list_images(tmp_path) == [tmp_path / f"a.{suffix}"]
    assert read_image(tmp_path / f"a.{suffix}").shape == (3, 16, 8)


def test_a_cameras_own_format_is_named_with_its_reason(tmp_path):
    (tmp_path / "a.HEIC").write_bytes(b"....ftypheic")
    [path] = list_images(tmp_path)
    with pytest.raises(ImageError, match=r"a\.HEIC: not an image in a format that Pillow reads"):
        read_image(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_resizes_every_type_as_float32(dtype):
    image = torch.randint(0, 256, (3, 12, 8)) / 256  # exact in all of them
    assert_close(resize_image(image.to(dtype), 6, 5), resize_image(image, 6, 5), rtol=0, atol=0)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file: not a folder"):
        list_images(tmp_path / "file")


def test_resize_keeps_the_mean_and_the_batch():
    images = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    small = resize_image(images, 16, 8)
    assert small.shape == (2, 3, 16, 8)
    assert torch.allclose(small.mean((-2, -1)), images.mean((-2, -1)), atol=0.01)
    assert torch.equal(resize_image(images[0], 16, 8), small[0])
    assert resize_image(images, 64, 32) is images


def test_pillows_remarks_are_not_passed_on(tmp_path, pixels, recwarn):
    palette = Image.fromarray(pixels).convert("P")
    palette.save(tmp_path / "a.png", transparency=bytes([0, 128] * 20))
    assert read_image(tmp_path / "a.png").shape == (3, 7, 5)
    assert not recwarn.list
