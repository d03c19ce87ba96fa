"""Probes in a gallery: distances, block by block, and the ranked lists that are left of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from torch import Tensor

from reidops_models.devices import Device
from reidops_models.matching import Matcher
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageSource, Problems, SearchImage, find_images
from reidops_models.retrieval.model import Model, find_model, with_matching
from reidops_models.retrieval.ranked_lists import RankedList, Ranker, SearchResult
from reidops_models.retrieval.reading import embed_gallery, read_each
from reidops_models.retrieval.stages import Stages

TOP = 100  # ranks that are kept
CHUNK = 32  # probes ranked at a time: an interruption costs as many at most

Judge = Callable[[Sequence[SearchImage], Tensor], None]


def search(
    probes: ImageSource | Iterable[ImageSource],
    gallery: ImageSource | Iterable[ImageSource],
    model: Model = "dsr",
    *,
    top: int | None = TOP,
    threshold: float | None = None,
    options: Mapping[str, Any] | None = None,
    stages: Stages | None = None,
    rerank: Model | None = None,
    device: Device | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> SearchResult:
    """Rank the images of a gallery by their distance to each probe, by a model's method.

    Probes may show parts of people. Images may have any size.

    Args:
        probes: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
        gallery: the images to search in, as `probes`.
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        top: ranks to keep for each probe, 1 or more; None keeps all.
        threshold: a probe whose nearest image is farther than this is `RankedList.unknown`; None: none is.
        options: options of matching that replace the recipe's, such as {"beta": 0.2} or {"half": "float16"}.
        stages: what follows on the model's distances: a shortlist, re-ranking. Lists then have no more ranks than the
            shortlist.
        rerank: the model that ranks the shortlist, and that the options are of; None is `model` itself.
        device: where the network computes and images are compared: `auto`, `cpu`, `cuda` or `cuda:N`. None is where a
            loaded checkpoint is, and the CPU for others.
        workers: threads that read files ahead, 0 or more; None: one for each processor, 8 at most.
        progress: show progress bars.

    Returns:
        A ranked list for each probe that could be matched. `problems` says which images were left out.

    Raises:
        SearchError: a path does not exist, no gallery image can be read, or a wrong `top`, `threshold`, option
            or stage.
        CheckpointError: the checkpoint is missing or damaged.
        DeviceError: there is no such device.

    Example:
        >>> import torch
        >>> found = search(torch.rand(1, 3, 60, 64), torch.rand(5, 3, 128, 64), top=2)
        >>> [(match.rank, match.name) for match in found[0].matches]  # doctest: +ELLIPSIS
        [(1, 'image ...'), (2, 'image ...')]
    """
    if top is not None and (type(top) is not int or top < 1):
        raise SearchError(f"expected a whole number, 1 or more, or None, got {top!r}", argument="top")
    check_threshold(threshold)
    stages = stages or Stages()
    first = find_model(model, device)
    second = with_matching(first if rerank is None else find_model(rerank, device), options or {})
    problems = Problems()
    searched = find_gallery(gallery, problems)
    wanted = find_images(probes, problems)
    method, images, features = embed_gallery(
        lambda sizes: stages.matcher(second if rerank is None else first, second, sizes),
        searched,
        problems,
        workers=workers,
        progress=progress,
    )
    ranker = Ranker(images, top=stages.ranks(top), threshold=threshold)
    ranked = rank_probes(method, wanted, features, ranker, problems, workers=workers, progress=progress)
    lists = tuple(ranked)  # first: it finds problems, too
    return SearchResult(method.name, tuple(images), lists, tuple(problems), tuple(problems.notes))


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
    features: Sequence[Any],
    ranker: Ranker,
    problems: Problems,
    *,
    judge: Judge | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[RankedList]:
    """The ranked list of each probe, as soon as it is known. No more than `CHUNK` rows of distances are held.

    Args:
        matcher: makes the distances.
        probes: what to look for.
        features: what the matcher's `embed` made of the gallery.
        ranker: makes the lists of this gallery.
        problems: takes the probes that cannot be read or matched; they have no list.
        judge: is called with some probes and their distances (P, G) before the lists of these probes are given.
        workers: threads that read files, as of `reidops_models.data.read_images`.
        progress: show a bar of probes, and one of the pairs that are compared.
    """
    reading = read_each(probes, problems, workers=workers, progress=progress, name="probes")
    while some := list(islice(reading, CHUNK)):
        for block, distances in _match_block(matcher, some, features, problems, progress):
            if judge is not None:
                judge(block, distances)
            yield from map(ranker, block, distances)


def _match_block(
    matcher: Matcher,
    probes: Sequence[tuple[SearchImage, Tensor]],
    features: Sequence[Any],
    problems: Problems,
    progress: bool,
) -> Iterator[tuple[Sequence[SearchImage], Tensor]]:
    """The probes that can be matched, and their distances; in one piece, where none of them spoils the others."""
    try:
        embedded = matcher.embed((pixels for _, pixels in probes), role="probe")
        distances = matcher.distances(embedded, features, progress=progress)
    except ValueError as error:
        if len(probes) == 1:
            problems.add(probes[0][0], f"{probes[0][0]}: cannot be matched: {error}")
            return
        for one in probes:  # one of them spoils the others, which are still matched
            yield from _match_block(matcher, [one], features, problems, progress)
        return
    images = [image for image, _ in probes]
    finite = distances.isfinite().all(dim=1)
    for probe, is_finite in zip(images, finite.tolist(), strict=True):
        if not is_finite:
            problems.add(probe, f"{probe}: cannot be matched: its distances are not finite")
    kept = [probe for probe, is_finite in zip(images, finite.tolist(), strict=True) if is_finite]
    if kept:
        yield kept, distances if len(kept) == len(images) else distances[finite]


def check_threshold(threshold: object) -> None:
    """Refuse what is no distance.

    Raises:
        SearchError: neither None nor a finite number.
    """
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool) and math.isfinite(threshold)
    if threshold is not None and not is_number:
        raise SearchError(f"expected a finite number or None, got {threshold!r}", argument="threshold")
