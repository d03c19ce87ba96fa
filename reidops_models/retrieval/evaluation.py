"""A model on a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from reidops_models.data import ReidDataset
from reidops_models.matching import Matcher, MatchingError, distance_tables
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageFile, sample_images
from reidops_models.retrieval.model import Model, find_model, with_matching
from reidops_models.retrieval.results import Evaluation, MethodResult
from reidops_models.retrieval.scores import score, verify

PARTIAL = "partial_query"  # the probe set that a data set of partial people has


def evaluate(
    model: Model,
    dataset: ReidDataset,
    *,
    probes: str | None = None,
    methods: Sequence[str] | None = None,
    rivals: bool = False,
    shots: int | None = None,
    repeats: int = 10,
    options: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Evaluation:
    """Rank a data set's gallery for each of its probes, by the methods of a model.

    Args:
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        dataset: what `load_dataset` returns.
        probes: the probe set; by default `partial_query` where there is one, else `query`.
        methods: the methods to compute, such as ["dsr-single-scale"]; by default all of the model.
        rivals: also the methods that the paper compares with. They may be slow.
        shots: rank people by the mean distance to this many of their images, drawn at random. None ranks all images.
        repeats: draws of `shots`.
        options: options of matching that replace the recipe's, such as {"beta": 0.2}.
        progress: show progress bars.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        DatasetError: the data set has no such probe set.
        ImageError: an image cannot be read.
        SearchError: an argument of the wrong kind, an unknown method or option, images that a method cannot match, or
            no probe has a right image in the gallery.

    Example:
        >>> people = load_dataset("people")  # doctest: +SKIP
        >>> found = evaluate("dsr", people, methods=["dsr-multi-scale"])  # doctest: +SKIP
        >>> found["DSR multi-scale"].mAP  # doctest: +SKIP
        Interval(value=0.71, low=0.63, high=0.79)
    """
    given: object = dataset  # untyped code may pass anything
    if not isinstance(given, ReidDataset):
        kind = type(given).__name__
        raise SearchError(f"expected what load_dataset returns, got an object of type {kind}", argument="dataset")
    for name, value in (("shots", shots), ("repeats", repeats)):
        if value is not None and (type(value) is not int or value < 1):
            raise SearchError(f"expected a whole number, 1 or more, got {value!r}", argument=name)
    checkpoint = with_matching(find_model(model), options or {}, others=True, rivals=rivals)
    usual = PARTIAL if PARTIAL in dataset.probe_sets else "query"
    probe_set = usual if probes is None else probes
    left, right = sample_images(dataset.probes(probe_set), dataset.root), sample_images(dataset.gallery, dataset.root)
    sizes = [image.size for image in right]
    matchers = _chosen(checkpoint.matchers(sizes, rivals=rivals), methods)
    results = []
    for matcher, distances in _match(matchers, left, right, progress):
        ranking = score(distances, left, right, shots, repeats)
        verification = verify(distances, left, right)
        if ranking is None or verification is None:
            raise SearchError(f"{dataset.root}: no probe of {probe_set} has a right image in the gallery")
        results.append(MethodResult(matcher.name, matcher, distances, ranking, verification))
    protocol = "" if shots is None else f", {shots} shot{'s' if shots > 1 else ''}, {repeats} draws"
    return Evaluation(
        title=f"{probe_set} in {dataset.root.name}{protocol}",
        facts={
            "model": checkpoint.recipe.model,
            "data": str(dataset.root),
            "probe set": probe_set,
            "probes": len(left),
            "gallery": len(right),
            "shots": shots,
            "repeats": None if shots is None else repeats,
        },
        probes=left,
        gallery=right,
        methods=results,
        draws=1 if shots is None else repeats,
    )


def method_name(matcher: Matcher) -> str:
    """A method's name as a caller gives it: `DSR single-scale` is `dsr-single-scale`."""
    return matcher.name.lower().replace(" ", "-")


def _chosen(matchers: Sequence[Matcher], methods: Sequence[str] | None) -> list[Matcher]:
    known = {method_name(matcher): matcher for matcher in matchers}
    for name in methods or []:
        if name not in known:
            raise SearchError(f"unknown {name!r}; known: {', '.join(known)}", argument="methods")
    return [matcher for name, matcher in known.items() if not methods or name in methods]


def _match(
    matchers: Sequence[Matcher], probes: Sequence[ImageFile], gallery: Sequence[ImageFile], progress: bool
) -> Iterator[tuple[Matcher, Tensor]]:
    """Each method with its (P, G) distances. Methods of one embedding share their features."""
    sides = ((lambda side=side: (image.read() for image in side)) for side in (probes, gallery))
    try:
        yield from distance_tables(matchers, *sides, progress=progress)
    except MatchingError as error:
        raise SearchError(str(error)) from error
