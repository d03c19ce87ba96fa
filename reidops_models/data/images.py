"""Reading image files: one function that reads, one that lists, one error that says what is wrong."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "IMAGE_SUFFIXES",
    "UPLOAD_FORMATS",
    "ImageError",
    "ImageSizeError",
    "as_image",
    "decode_image",
    "decode_upload",
    "image_size",
    "list_files",
    "list_images",
    "read_image",
    "resize_image",
]

_OF_PILLOW = """
    .apng .avif .bmp .dib .gif .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf .jpg .jpx .pbm .pcx .pgm .png .pnm .ppm .tga .tif
    .tiff .webp
"""
_OF_CAMERAS = ".arw .cr2 .cr3 .dng .heic .heif .jxl .nef .orf .raw .rw2"  # Pillow alone does not read these
IMAGE_SUFFIXES = frozenset((_OF_PILLOW + _OF_CAMERAS).split())
"""Files that are taken for images. One that cannot be read is named with its reason, not left out without a word."""
UPLOAD_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
"""What :func:`decode_upload` reads: the formats of browsers, a small part of what Pillow has decoders for."""
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width


class ImageError(ValueError):
    """A file that cannot be read as an image. The message is one line that begins with the file's path."""


class ImageSizeError(ImageError):
    """An image of more pixels than the caller takes. It was not decoded."""


def read_image(path: str | os.PathLike[str]) -> Tensor:
    """Read an image file as RGB.

    An orientation noted in the file's EXIF block is applied, transparency is dropped, and 16-bit grey is scaled to
    the same range.

    Args:
        path: an image file of any size that Pillow reads.

    Returns:
        float32 tensor (3, H, W), values in [0, 1].

    Raises:
        ImageError: the file is missing, empty, truncated, not an image, or has no pixels.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "red.png")
        ...     Image.new("RGB", (4, 8), (255, 0, 0)).save(file)
        ...     image = read_image(file)
        >>> image.shape, image[:, 0, 0].tolist()
        (torch.Size([3, 8, 4]), [1.0, 0.0, 0.0])
    """
    return as_image(decode_image(path))


def as_image(pixels: np.ndarray) -> Tensor:
    """What :func:`decode_image` gave, as float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().to(torch.float32).div_(255)


def decode_image(path: str | os.PathLike[str]) -> np.ndarray:
    """The image as uint8 (H, W, 3), as :func:`read_image` reads it before scaling. A new array each time.

    Pillow decodes without Python's global lock, so threads decode several files at a time.

    Raises:
        ImageError: as :func:`read_image`.
    """
    with _opened(path) as image:
        pixels = _to_rgb(ImageOps.exif_transpose(image))
    if pixels.size == 0:
        raise ImageError(f"{path}: the image has no pixels")
    return pixels


def decode_upload(data: bytes, name: str = "image", *, most_pixels: int) -> Tensor:
    """Decode an image that somebody else has sent.

    Its format is found by its first bytes, among `UPLOAD_FORMATS` alone. Its size is read before its pixels are, so a
    small file that would unfold to a huge picture (a decompression bomb) takes no memory. Of an animation the first
    picture is read. Otherwise it is read as :func:`read_image` reads a file.

    Args:
        data: the whole file.
        name: what messages call it.
        most_pixels: height x width that is decoded at most.

    Returns:
        float32 tensor (3, H, W), values in [0, 1].

    Raises:
        ImageSizeError: it has more pixels.
        ImageError: it is empty, truncated, not an image, or in another format.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (300, 400)).save(file, "PNG")
        >>> decode_upload(file.getvalue(), most_pixels=120_000).shape
        torch.Size([3, 400, 300])
        >>> decode_upload(file.getvalue(), "a.png", most_pixels=100_000)
        Traceback (most recent call last):
        ...
        reidops_models.data.images.ImageSizeError: a.png: 300 x 400 pixels, expected 100000 or fewer
    """
    if not data:
        raise ImageError(f"{name}: the file is empty (0 bytes)")
    with _decoding(name, UPLOAD_FORMATS), Image.open(io.BytesIO(data), formats=UPLOAD_FORMATS) as image:
        width, height = image.size  # of the header: nothing is decoded yet
        if width * height > most_pixels:
            raise ImageSizeError(f"{name}: {width} x {height} pixels, expected {most_pixels} or fewer")
        pixels = _to_rgb(ImageOps.exif_transpose(image))
    return as_image(pixels)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(height, width) of :func:`read_image`'s image, from the file's header: nothing is decoded.

    A file that breaks off behind its header has a size, and cannot be read.

    Raises:
        ImageError: the file is missing, empty, not an image, or has no pixels.
    """
    with _opened(path) as image:
        width, height = image.size
        # Pillow turns the size of a TIFF itself, and decodes a whole PNG to look for a note behind its pixels.
        noted = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        if noted and image.getexif().get(ExifTags.Base.Orientation, 1) in SIDEWAYS:
            width, height = height, width
    if not width or not height:
        raise ImageError(f"{path}: the image has no pixels")
    return height, width


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """The image, not decoded yet; whatever Pillow raises in here becomes an :class:`ImageError`."""
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"{path}: {'is a folder, not an image' if path.is_dir() else 'no such file'}")
    with _decoding(str(path)):
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: the file is empty (0 bytes)")
        with Image.open(path) as image:
            yield image


@contextmanager
def _decoding(name: str, formats: tuple[str, ...] = ()) -> Iterator[None]:
    """Whatever Pillow raises in here becomes an :class:`ImageError`. `formats`: those that are taken, if not all."""
    try:
        with _PILLOW_IS_QUIET:
            yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        taken = f"that is taken: {', '.join(formats)}" if formats else "that Pillow reads"
        raise ImageError(f"{name}: not an image in a format {taken}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageSizeError(f"{name}: larger than Pillow's limit of {Image.MAX_IMAGE_PIXELS} pixels") from None
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{name}: damaged or truncated ({reason})") from error


class _QuietPillow:
    """In here Pillow makes no remarks on what it reads all the same, and a picture that is too large is an error.

    Filters of warnings belong to the whole process. Threads that read at a time share them: the first one sets them,
    and the last one puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module="PIL")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_PILLOW_IS_QUIET = _QuietPillow()


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16-bit grey: Pillow would clip at 255 instead of scaling
        grey = np.clip(np.asarray(image, np.float64) / 257, 0, 255).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def list_images(folder: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """The image files of a folder, told by their suffix, sorted by path. Hidden files are left out, and what is
    in hidden folders. A link to nothing is listed: reading it says what is wrong.

    Args:
        folder: where to look.
        recursive: look into sub-folders too.

    Returns:
        Paths that begin with `folder`; empty if there are none.

    Raises:
        FileNotFoundError, NotADirectoryError: `folder` is not there, or is not a folder.
    """
    return list_files(folder, recursive)[0]


def list_files(folder: str | os.PathLike[str], recursive: bool = False) -> tuple[list[Path], list[Path]]:
    """The image files of a folder, as :func:`list_images` finds them, and all other files, which it passes over.

    Args:
        folder, recursive: as of `list_images`.

    Returns:
        Images and other files, each sorted by path.

    Raises:
        FileNotFoundError, NotADirectoryError: `folder` is not there, or is not a folder.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name in ("b.jpg", "a.gif", "notes.txt"):
        ...         Path(folder, name).touch()
        ...     images, others = list_files(folder)
        >>> [path.name for path in images], [path.name for path in others]
        (['a.gif', 'b.jpg'], ['notes.txt'])
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder}: not a folder")
    found = folder.rglob("*") if recursive else folder.iterdir()
    shown = (p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))
    images: list[Path] = []
    others: list[Path] = []
    for path in sorted(p for p in shown if p.is_file() or not p.exists()):
        (images if path.suffix.lower() in IMAGE_SUFFIXES else others).append(path)
    return images, others


def resize_image(image: Tensor, height: int, width: int) -> Tensor:
    """Resize (..., 3, H, W) to (..., 3, height, width), bilinearly, low-pass filtered when shrinking.

    The result is float32, whatever the image's floating-point type. A float32 image of that size is returned as it is,
    not copied.
    """
    image = image.float()
    if image.shape[-2:] == (height, width):
        return image
    batch = image.reshape(-1, *image.shape[-3:])
    resized = F.interpolate(batch, (height, width), mode="bilinear", align_corners=False, antialias=True)
    return resized.reshape(*image.shape[:-2], height, width)
