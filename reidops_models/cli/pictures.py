"""Picture files named on the command line: found, checked, and ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidops_models.cli.console import CommandError, complain, show_progress

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.data import Sample
    from reidops_models.matching import Matcher

CHUNK = 32  # probes ranked at a time: what an interruption can cost


@dataclass(frozen=True)
class Picture:
    """A picture file that can be read.

    Attributes:
        path: where it is.
        name: what it is called in results: its path below the folder that was named.
        size: (height, width) in pixels.
        pid, camid: who, and by which camera; None where that is not known.
    """

    path: Path
    name: str
    size: tuple[int, int]
    pid: int | None = None
    camid: int | None = None

    def read(self) -> Tensor:
        """(3, H, W), RGB in [0, 1]."""
        from reidops_models.data import read_image

        return read_image(self.path)


@dataclass
class Problems:
    """What went wrong without stopping the work: said at once, and kept for the report and the exit code."""

    lines: list[str] = field(default_factory=list)

    def add(self, message: str) -> None:
        complain(message)
        self.lines.append(" ".join(message.split()))


def find_pictures(source: Path, problems: Problems) -> list[Picture]:
    """The readable pictures of a folder and the folders in it, or the one file named; sorted by path.

    Every file is read once, so that what cannot be read is known before the long work starts.

    Raises:
        CommandError: `source` does not exist, or is a folder without picture files.
    """
    from reidops_models.data import ImageError, list_images, parse_market1501_name, read_image

    if not source.exists():
        raise CommandError(f"{source}: no such file or folder")
    paths = list_images(source, recursive=True) if source.is_dir() else [source]
    if not paths:
        raise CommandError(f"{source}: no picture files in this folder")
    pictures = []
    for path in paths:
        try:
            height, width = read_image(path).shape[-2:]
        except ImageError as error:
            problems.add(str(error))
            continue
        name = path.relative_to(source).as_posix() if source.is_dir() else path.name
        pictures.append(Picture(path, name, (height, width), *(parse_market1501_name(path.name) or (None, None))))
    return pictures


def sample_pictures(samples: Iterable[Sample], root: Path) -> list[Picture]:
    """The pictures of a data set's split, named by their path below `root`.

    Raises:
        ImageError: one of them cannot be read; a benchmark with a hole is none.
    """
    from reidops_models.data import read_image

    pictures = []
    for sample in samples:
        height, width = read_image(sample.path).shape[-2:]
        name = sample.path.relative_to(root).as_posix()
        pictures.append(Picture(sample.path, name, (height, width), sample.pid, sample.camid))
    return pictures


def rank_pictures(
    matcher: Matcher, probes: Sequence[Picture], gallery: Sequence[Picture], problems: Problems
) -> Iterator[tuple[Picture, Tensor]]:
    """Each probe with its (G,) distances to the gallery. A probe that cannot be matched is a problem, and left out."""
    features = matcher.embed((picture.read() for picture in gallery), role="gallery", progress=show_progress())
    for start in range(0, len(probes), CHUNK):
        yield from _rank_chunk(matcher, probes[start : start + CHUNK], features, problems)


def _rank_chunk(
    matcher: Matcher, probes: Sequence[Picture], features: Sequence[Any], problems: Problems
) -> Iterator[tuple[Picture, Tensor]]:
    try:
        embedded = matcher.embed((picture.read() for picture in probes), role="probe")
        distances = matcher.distances(embedded, features)
    except ValueError as error:
        if len(probes) == 1:
            problems.add(f"{probes[0].path}: cannot be matched: {error}")
            return
        # One of them spoils the others; the rest is still done.
        for probe in probes:
            yield from _rank_chunk(matcher, [probe], features, problems)
        return
    for probe, row in zip(probes, distances, strict=True):
        if row.isfinite().all():
            yield probe, row
        else:
            problems.add(f"{probe.path}: cannot be matched: its distances are not finite")
