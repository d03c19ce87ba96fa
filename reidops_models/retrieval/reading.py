"""The images of a search, each read once; what cannot be read is named and left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor
from tqdm.auto import tqdm

from reidops_models.data import ImageError, read_images
from reidops_models.matching import Matcher
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageFile, Problems, SearchImage

Size = tuple[int, int]


def read_each(
    images: Sequence[SearchImage],
    problems: Problems,
    *,
    workers: int | None = None,
    progress: bool = False,
    name: str | None = None,
) -> Iterator[tuple[SearchImage, Tensor]]:
    """Each image with its pixels (3, H, W), in order, read ahead of the caller.

    A file that breaks off behind its header is found only here. It is left out, and the others go on.

    Args:
        images: what `find_images` found.
        problems: takes the files that cannot be read.
        workers: threads that read files, as of `reidops_models.data.read_images`.
        progress: show a progress bar.
        name: of the bar.
    """
    sources = (image.path if isinstance(image, ImageFile) else image.pixels for image in images)
    with tqdm(total=len(images), desc=name, unit="image", disable=not progress, leave=False) as bar:
        for image, found in zip(images, read_images(sources, workers), strict=True):
            bar.update()
            if isinstance(found, ImageError):
                problems.add(image, str(found))
                continue
            size = found.shape[1], found.shape[2]
            yield replace(image, size=size) if isinstance(image, ImageFile) and image.size != size else image, found


def read_whole(images: Sequence[ImageFile], workers: int | None = None) -> Iterator[Tensor]:
    """The pixels (3, H, W) of each image, in order, read ahead of the caller.

    Raises:
        ImageError: one cannot be read, because results on a part of a benchmark are not comparable.
    """
    for found in read_images((image.path for image in images), workers):
        if isinstance(found, ImageError):
            raise found
        yield found


class Embedded(NamedTuple):
    """A gallery, ready for probes.

    Attributes:
        matcher: what compares with it.
        images: those that could be read.
        features: what the matcher made of each.
    """

    matcher: Matcher
    images: list[SearchImage]
    features: Sequence[Any]


def embed_gallery(
    build: Callable[[list[Size]], Matcher],
    gallery: Sequence[SearchImage],
    problems: Problems,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> Embedded:
    """Read and embed the images of a gallery.

    Args:
        build: makes the matcher from (height, width) of each gallery image, on which the scale of probes depends, and
            nothing that is made of the gallery.
        gallery: what `find_gallery` found.
        problems: takes the images that cannot be read.
        workers: threads that read files, as of `reidops_models.data.read_images`.
        progress: show a progress bar.

    Raises:
        SearchError: not one image can be read.
    """
    kept: list[SearchImage] = []

    def pixels() -> Iterator[Tensor]:
        for image, one in read_each(gallery, problems, workers=workers, progress=progress, name="gallery"):
            kept.append(image)
            yield one

    supposed = [image.size for image in gallery]
    matcher = build(supposed)
    features = matcher.embed(pixels(), role="gallery")
    if not kept:
        raise SearchError("not one image in it can be read", argument="gallery")
    sizes = [image.size for image in kept]
    return Embedded(matcher if sizes == supposed else build(sizes), kept, features)
