"""Probes in a gallery: distances, and ranked lists of names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from torch import Tensor

from reidops_models.matching import Matcher
from reidops_models.report import RankedImage, RankedProbe
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageSource, Problem, Problems, SearchImage, find_images
from reidops_models.retrieval.model import Model, find_model, with_matching

TOP = 100  # ranks that are kept
CHUNK = 32  # probes ranked at a time: an interruption costs as many at most
DRAWN_RANKS = 5  # in a report


@dataclass(frozen=True)
class Match:
    """A gallery image in a ranked list.

    Attributes:
        rank: 1 is the nearest.
        index: its place in the gallery.
        name: its name.
        distance: the method's distance to the probe; smaller is more alike.
    """

    rank: int
    index: int
    name: str
    distance: float


@dataclass(frozen=True)
class RankedList:
    """A probe and its nearest gallery images.

    Attributes:
        probe: the probe.
        matches: the first ranks, nearest first.
        distances: (G,) float32 to all gallery images, in the gallery's order.
    """

    probe: SearchImage
    matches: tuple[Match, ...]
    distances: Tensor


@dataclass(frozen=True)
class SearchResult(Sequence[RankedList]):
    """The ranked lists of a search, in the order of the probes.

    Attributes:
        method: the name of the method that made the distances.
        gallery: the images that were searched.
        ranked: the lists.
        problems: the images that were left out, and why.
        notes: what else was passed over, files that are no images by their names.
    """

    method: str
    gallery: tuple[SearchImage, ...]
    ranked: tuple[RankedList, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> RankedList: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RankedList, ...]: ...
    def __getitem__(self, index: int | slice) -> RankedList | tuple[RankedList, ...]:
        return self.ranked[index]

    def __len__(self) -> int:
        return len(self.ranked)


def search(
    probes: ImageSource | Iterable[ImageSource],
    gallery: ImageSource | Iterable[ImageSource],
    model: Model = "dsr",
    *,
    top: int | None = TOP,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> SearchResult:
    """Rank the images of a gallery by their distance to each probe, by a model's method.

    Probes may show parts of people. Images may have any size.

    Args:
        probes: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
        gallery: the images to search in, as `probes`.
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        top: ranks to keep for each probe, 1 or more; None keeps all.
        options: options of matching that replace the recipe's, such as {"beta": 0.2}.
        progress: show a progress bar.

    Returns:
        A ranked list for each probe that could be matched. `problems` says which images were left out.

    Raises:
        SearchError: a path does not exist, no gallery image can be read, or a wrong `top` or option.
        CheckpointError: the checkpoint is missing or damaged.

    Example:
        >>> import torch
        >>> found = search(torch.rand(1, 3, 60, 64), torch.rand(5, 3, 128, 64), top=2)
        >>> [(match.rank, match.name) for match in found[0].matches]  # doctest: +ELLIPSIS
        [(1, 'image ...'), (2, 'image ...')]
    """
    if top is not None and (type(top) is not int or top < 1):
        raise SearchError(f"expected a whole number, 1 or more, or None, got {top!r}", argument="top")
    checkpoint = with_matching(find_model(model), options or {})
    problems = Problems()
    searched = find_gallery(gallery, problems)
    method = checkpoint.methods([image.size for image in searched]).main
    ranked = rank_probes(method, find_images(probes, problems), searched, problems, top=top, progress=progress)
    lists = tuple(ranked)  # first: it finds problems, too
    return SearchResult(method.name, tuple(searched), lists, tuple(problems), tuple(problems.notes))


def find_gallery(source: ImageSource | Iterable[ImageSource], problems: Problems) -> list[SearchImage]:
    """The images of a gallery, one at least.

    Raises:
        SearchError: as `find_images`, or no image can be read.
    """
    found = find_images(source, problems)
    if not found:
        named = f"{source}: not one image in it can be read"
        raise SearchError(named if isinstance(source, str) or hasattr(source, "__fspath__") else "gallery: no images")
    return found


def rank_probes(
    matcher: Matcher,
    probes: Sequence[SearchImage],
    gallery: Sequence[SearchImage],
    problems: Problems,
    *,
    top: int | None = TOP,
    progress: bool = False,
) -> Iterator[RankedList]:
    """The ranked list of each probe, as soon as it is known.

    Args:
        matcher: makes the distances.
        probes: what to look for.
        gallery: G images to search in.
        problems: takes the probes that cannot be matched; they have no list.
        top: ranks to keep; None keeps all.
        progress: show a progress bar while the gallery is embedded.
    """
    features = matcher.embed((image.read() for image in gallery), role="gallery", progress=progress)
    for start in range(0, len(probes), CHUNK):
        for probe, distances in _match_chunk(matcher, probes[start : start + CHUNK], features, problems):
            yield RankedList(probe, _matches(distances, gallery, top), distances)


def _match_chunk(
    matcher: Matcher, probes: Sequence[SearchImage], features: Sequence[Any], problems: Problems
) -> Iterator[tuple[SearchImage, Tensor]]:
    try:
        embedded = matcher.embed((image.read() for image in probes), role="probe")
        distances = matcher.distances(embedded, features)
    except ValueError as error:
        if len(probes) == 1:
            problems.add(probes[0], f"{probes[0]}: cannot be matched: {error}")
            return
        for probe in probes:  # one of them spoils the others, which are still matched
            yield from _match_chunk(matcher, [probe], features, problems)
        return
    for probe, row in zip(probes, distances, strict=True):
        if row.isfinite().all():
            yield probe, row
        else:
            problems.add(probe, f"{probe}: cannot be matched: its distances are not finite")


def gallery_order(distances: Tensor) -> list[int]:
    """Gallery indices, nearest first. Equal distances keep the gallery's order."""
    order: list[int] = distances.argsort(stable=True).tolist()
    return order


def _matches(distances: Tensor, gallery: Sequence[SearchImage], top: int | None) -> tuple[Match, ...]:
    return tuple(
        Match(rank, index, gallery[index].name, float(distances[index]))
        for rank, index in enumerate(gallery_order(distances)[:top], start=1)
    )


def drawn_probe(
    matcher: Matcher,
    probe: SearchImage,
    distances: Tensor,
    gallery: Sequence[SearchImage],
    top: int | None = None,
    *,
    market_rule: bool = False,
) -> RankedProbe:
    """A probe's part of the report: its first ranks, and how the best of them was matched.

    Args:
        matcher: what made the distances.
        probe: the probe.
        distances: (G,) to each gallery image.
        gallery: G images.
        top: ranks to draw, at most `DRAWN_RANKS`.
        market_rule: leave out the images of the probe's person from the probe's camera, as Market-1501 does.
    """
    known = probe.pid is not None and probe.pid >= 0 and any(image.pid == probe.pid for image in gallery)
    counted = [index for index in gallery_order(distances) if not (market_rule and _same_shot(probe, gallery[index]))]
    right = [index for index in counted if known and gallery[index].pid == probe.pid]
    pixels = probe.read()
    ranked = [
        RankedImage(
            rank=rank,
            name=gallery[index].name,
            image=gallery[index].read(),
            distance=float(distances[index]),
            correct=gallery[index].pid == probe.pid if known else None,
        )
        for rank, index in enumerate(counted[: min(top or DRAWN_RANKS, DRAWN_RANKS)], start=1)
    ]
    return RankedProbe(
        name=probe.name,
        image=pixels,
        ranked=ranked,
        explanation=matcher.explain(pixels, ranked[0].image) if ranked else None,
        first_match=counted.index(right[0]) + 1 if right else None,
    )


def _same_shot(probe: SearchImage, image: SearchImage) -> bool:
    return probe.pid is not None and (probe.pid, probe.camid) == (image.pid, image.camid)
