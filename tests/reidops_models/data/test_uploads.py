"""Images that somebody else has sent: what is decoded, and what is refused before it is."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from reidops_models.data import UPLOAD_FORMATS, ImageError, ImageSizeError, decode_upload, read_image

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
MANY = 10**6


def encoded(pixels: np.ndarray, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG file of a few kilobytes that would take width x height x 3 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeeze = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    packed = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", UPLOAD_FORMATS)
def test_every_format_is_read_as_a_file_is(tmp_path: Path, form: str) -> None:
    data = encoded(PIXELS, form)
    (tmp_path / "a.png").write_bytes(data)
    assert torch.equal(decode_upload(data, most_pixels=35), read_image(tmp_path / "a.png"))


def test_the_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_upload(encoded(PIXELS, "PNG", exif=exif), most_pixels=MANY).shape == (3, 5, 7)


def test_of_an_animation_the_first_picture_is_read() -> None:
    frames = [Image.new("RGB", (4, 6), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert decode_upload(file.getvalue(), most_pixels=MANY)[:, 0, 0].tolist() == [1, 0, 0]


def test_a_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bomb(2000, 1000)
    assert len(data) < 10_000
    assert decode_upload(data, most_pixels=2 * MANY).shape == (3, 1000, 2000)
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))
    with pytest.raises(ImageSizeError, match=r"^a\.png: 2000 x 1000 pixels, expected 1999999 or fewer$"):
        decode_upload(data, "a.png", most_pixels=2 * MANY - 1)
    assert decoded == []


def test_pillows_own_limit_holds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ImageSizeError, match="larger than Pillow's limit of 20 pixels"):
        decode_upload(encoded(PIXELS, "PNG"), most_pixels=MANY)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a: the file is empty \(0 bytes\)"),
        (b"not an image", "a: not an image in a format that is taken: BMP, GIF, JPEG, PNG, WEBP"),
        (encoded(PIXELS, "TIFF"), "a: not an image in a format that is taken"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a: not an image in a format that is taken"),
        (encoded(PIXELS, "PNG")[:-30], "a: damaged or truncated"),
        (encoded(PIXELS, "JPEG")[:300], "a: not an image|a: damaged or truncated"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message) as error:
        decode_upload(data, "a", most_pixels=MANY)
    assert not isinstance(error.value, ImageSizeError)
    assert "\n" not in str(error.value)
