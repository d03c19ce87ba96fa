"""The images of a search: found, checked, and named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from reidops_models.data import ImageError, Sample, image_size, list_files, parse_market1501_name, read_image
from reidops_models.retrieval.errors import SearchError
from reidops_models.weights import listed

ImageSource = str | os.PathLike[str] | Tensor  # a folder, an image file, or pixels


@dataclass(frozen=True)
class ImageFile:
    """An image file that can be read.

    Attributes:
        path: where it is.
        name: what results call it: its path below the folder that was named.
        size: (height, width) in pixels, by its header until it has been read.
        pid, camid: the identity and the camera; None where they are not known.
    """

    path: Path
    name: str
    size: tuple[int, int]
    pid: int | None = None
    camid: int | None = None

    def read(self) -> Tensor:
        """(3, H, W), RGB in [0, 1]."""
        return read_image(self.path)

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class NamedFile:
    """A file that should be an image, and that nobody has read yet.

    Attributes:
        path: where it is.
        name: what results will call it.
    """

    path: Path
    name: str

    def __str__(self) -> str:
        return str(self.path)

    def check(self) -> ImageFile:
        """The image by its header; its pixels are not decoded.

        Raises:
            ImageError: it has no header that can be read.
        """
        return self.sized(*image_size(self.path))

    def read(self) -> tuple[ImageFile, Tensor]:
        """The image, and its pixels (3, H, W), RGB in [0, 1].

        Raises:
            ImageError: it cannot be read.
        """
        pixels = read_image(self.path)
        return self.sized(pixels.shape[1], pixels.shape[2]), pixels

    def sized(self, height: int, width: int) -> ImageFile:
        """The image, whose size in pixels is known."""
        return ImageFile(
            self.path, self.name, (height, width), *(parse_market1501_name(self.path.name) or (None, None))
        )


@dataclass(frozen=True, eq=False)
class ImageTensor:
    """An image in memory. Its identity and its camera are not known.

    Attributes:
        pixels: (3, H, W), RGB in [0, 1].
        name: what results call it: its place among the images that were given.
    """

    pixels: Tensor
    name: str
    pid: None = None
    camid: None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def read(self) -> Tensor:
        """(3, H, W), RGB in [0, 1]."""
        return self.pixels

    def __str__(self) -> str:
        return self.name


SearchImage = ImageFile | ImageTensor


@dataclass(frozen=True)
class Problem:
    """An image that was left out.

    Attributes:
        image: the image's path, or its name where it is a tensor.
        message: what is wrong, in one line that begins with the image.
    """

    image: str
    message: str

    def __str__(self) -> str:
        return self.message


class Problems:
    """The images that were left out, in the order in which that was found.

    Args:
        report: is called with each problem as soon as it is found.
        remark: is called with each note.

    Attributes:
        notes: what else was passed over, a line for each folder: files whose names are not those of images. They are no
            problems, and are not counted.

    Example:
        >>> problems = Problems(report=print)
        >>> problems.add("a.jpg", "a.jpg: the file is empty (0 bytes)")
        a.jpg: the file is empty (0 bytes)
        >>> len(problems), [problem.image for problem in problems]
        (1, ['a.jpg'])
    """

    def __init__(
        self, report: Callable[[Problem], None] | None = None, remark: Callable[[str], None] | None = None
    ) -> None:
        self.notes: list[str] = []
        self._found: list[Problem] = []
        self._report = report
        self._remark = remark

    def add(self, image: object, message: str) -> None:
        """Keep a problem, and report it."""
        problem = Problem(str(image), " ".join(message.split()))
        self._found.append(problem)
        if self._report is not None:
            self._report(problem)

    def pass_over(self, folder: Path, files: Sequence[Path]) -> None:
        """Note the files of a folder that are no images by their names."""
        if not files:
            return
        names = listed([path.relative_to(folder).as_posix() for path in files])
        note = f"{folder}: passed over, no images by their names: {names}"
        self.notes.append(note)
        if self._remark is not None:
            self._remark(note)

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)


def find_images(source: ImageSource | Iterable[ImageSource], problems: Problems) -> list[SearchImage]:
    """The images that a caller names.

    The header of every file is read, so that most unreadable files are known before the long work starts. One that
    breaks off behind its header is found when it is read.

    Args:
        source: a folder, an image file, an image (3, H, W) or images (B, 3, H, W), or any number of these. Tensors
            are RGB in [0, 1] and of any size.
        problems: takes the files whose header cannot be read.

    Raises:
        SearchError: a path does not exist, a folder has no image files, or a tensor is not an image.

    Example:
        >>> import torch
        >>> [(image.name, image.size) for image in find_images(torch.rand(2, 3, 128, 64), Problems())]
        [('image 0', (128, 64)), ('image 1', (128, 64))]
    """
    named = name_images(source, problems)
    return [image for one in named if (image := _checked(one, problems) if isinstance(one, NamedFile) else one)]


def find_files(source: str | os.PathLike[str], problems: Problems) -> list[ImageFile]:
    """The readable images of a folder and the folders in it, or the one file that is named; sorted by path.

    Arguments and errors are those of :func:`find_images`.
    """
    return [image for one in _name_files(source, problems) if (image := _checked(one, problems))]


def name_images(source: ImageSource | Iterable[ImageSource], problems: Problems) -> list[NamedFile | ImageTensor]:
    """The images that a caller names; no file is read.

    Arguments and errors are those of :func:`find_images`.
    """
    if isinstance(source, str | os.PathLike):
        return [*_name_files(source, problems)]
    if not isinstance(source, Iterable):
        raise SearchError(f"expected paths and tensors of images, got an object of type {type(source).__name__}")
    images: list[NamedFile | ImageTensor] = []
    for item in [source] if isinstance(source, Tensor) and source.ndim == 3 else source:
        if isinstance(item, Tensor):
            name = f"image {len(images)}"
            if not is_image(item):
                raise SearchError(f"expected float (3, H, W) in [0, 1], got {item.dtype} of {tuple(item.shape)}", name)
            images.append(ImageTensor(item.float(), name))
        elif isinstance(item, str | os.PathLike):
            images += _name_files(item, problems, whole_names=True)
        else:
            raise SearchError(f"expected paths and tensors of images, got an object of type {type(item).__name__}")
    return images


def _name_files(source: str | os.PathLike[str], problems: Problems, *, whole_names: bool = False) -> list[NamedFile]:
    """With `whole_names` an image is named by its whole path, because `source` is one of several."""
    source = Path(source)
    if not source.exists():
        raise SearchError(f"{source}: no such file or folder")
    paths = [source]
    if source.is_dir():
        paths, others = list_files(source, recursive=True)
        problems.pass_over(source, others)
    if not paths:
        raise SearchError(f"{source}: no image files in this folder")
    named = []
    for path in paths:
        below = path.relative_to(source).as_posix() if source.is_dir() else path.name
        named.append(NamedFile(path, path.as_posix() if whole_names else below))
    return named


def _checked(file: NamedFile, problems: Problems) -> ImageFile | None:
    try:
        return file.check()
    except ImageError as error:
        problems.add(file.path, str(error))
        return None


def sample_images(samples: Iterable[Sample], root: Path) -> list[ImageFile]:
    """The images of a data set's split, named by their path below `root`. Only their headers are read.

    Raises:
        ImageError: an image has no header that can be read. Results on a part of a benchmark are not comparable.
    """
    images = []
    for sample in samples:
        inside = sample.path.is_relative_to(root)  # a CSV file may list images anywhere
        name = (sample.path.relative_to(root) if inside else sample.path).as_posix()
        images.append(ImageFile(sample.path, name, image_size(sample.path), sample.pid, sample.camid))
    return images


def is_image(tensor: Tensor) -> bool:
    """Whether a tensor is a float image (3, H, W) with pixels."""
    return tensor.ndim == 3 and tensor.shape[0] == 3 and tensor.is_floating_point() and tensor.numel() > 0
