"""A model on a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reidops_models.checkpoint import Checkpoint
from reidops_models.data import ImageError, ReidDataset
from reidops_models.evaluation import Calibration
from reidops_models.matching import MEMORY, DistanceTable, Images, Matcher, MatchingError, distance_tables
from reidops_models.retrieval.distance_files import DistanceFile
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageFile, sample_images
from reidops_models.retrieval.model import Model, find_model, matching_facts, with_matching
from reidops_models.retrieval.reading import read_whole
from reidops_models.retrieval.results import Evaluation, MethodResult
from reidops_models.retrieval.scores import Labels, Scorer, ShortlistScorer
from reidops_models.retrieval.stages import Stages, exact_cost

PARTIAL = "partial_query"  # the probe set that a data set of partial people has
SCORED = 32  # a part of `memory` for distances that are scored together; scoring them takes several times as much


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
    stages: Stages | None = None,
    rerank: Model | None = None,
    calibration: Calibration | None = None,
    memory: int = MEMORY,
    workers: int | None = None,
    progress: bool = False,
) -> Evaluation:
    """Rank a data set's gallery for each of its probes, by the methods of a model.

    Neither all features nor all distances are held: `distance_tables` says what is, and what lies in temporary files.

    Args:
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        dataset: what `load_dataset` returns.
        probes: the probe set; by default `partial_query` where there is one, else `query`.
        methods: the methods to compute, such as ["dsr-single-scale"]; by default all of the model.
        rivals: also the methods that the paper compares with. They may be slow.
        shots: rank people by the mean distance to this many of their images, drawn at random. None ranks all images.
        repeats: draws of `shots`.
        options: options of matching that replace the recipe's, such as {"beta": 0.2}.
        stages: what follows on the model's distances: a shortlist, re-ranking. The method with its stages is the last
            row, after the `methods` that were named. It takes the gallery's features in memory.
        rerank: the model that ranks the shortlist, and that the options are of; None is `model` itself.
        calibration: of one of the methods, made on other people; what it says is held against these ones.
        memory: bytes to be held at a time beside the network, about.
        workers: threads that read files ahead, 0 or more; None: one for each processor, 8 at most.
        progress: show progress bars.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        DatasetError: the data set has no such probe set.
        ImageError: an image cannot be read.
        SearchError: an argument of the wrong kind, an unknown method or option, a calibration of something else or of
            these very people, images that a method cannot match, or no probe has a right image in the gallery.

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
    for name, value in (("shots", shots), ("repeats", repeats), ("memory", memory)):
        if value is not None and (type(value) is not int or value < 1):
            raise SearchError(f"expected a whole number, 1 or more, got {value!r}", argument=name)
    first = find_model(model)
    named = first if rerank is None else find_model(rerank)
    checkpoint = with_matching(named, options or {}, others=True, rivals=rivals)
    usual = PARTIAL if PARTIAL in dataset.probe_sets else "query"
    probe_set = usual if probes is None else probes
    left, right = sample_images(dataset.probes(probe_set), dataset.root), sample_images(dataset.gallery, dataset.root)
    labels = Labels.of(left, right, dataset.distractor)
    if labels is None:
        raise SearchError(f"{dataset.root}: an identity or a camera of {probe_set} or the gallery is not known")
    sizes = [image.size for image in right]
    matchers = _chosen(checkpoint.matchers(sizes, rivals=rivals), methods)
    if stages:
        staged = stages.matcher(checkpoint if rerank is None else first, checkpoint, sizes)
        matchers = [*(matchers if methods else []), staged]
    used = _usable(calibration, checkpoint, matchers, right)
    results = []
    for matcher, distances in _match(matchers, left, right, memory, workers, progress):
        place = f"{dataset.root}: {probe_set}"
        result = _score(matcher.name, distances, labels, place, shots, repeats, memory, ShortlistScorer(labels))
        chosen = calibration if matcher is used else None
        results.append(replace(result, matcher=matcher, calibration=chosen, remark=exact_cost(matcher)))
    return Evaluation(
        title=f"{probe_set} in {dataset.root.name}{_draws(shots, repeats)}",
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
        labels=labels,
        draws=1 if shots is None else repeats,
    )


def score_distances(
    content: DistanceFile, title: str, *, shots: int | None = None, repeats: int = 10, memory: int = MEMORY
) -> Evaluation:
    """Score distances that were made elsewhere, by the rules of :func:`evaluate`.

    Args:
        content: what `read_distances` returns.
        title: what was searched in what.
        shots, repeats, memory: as of :func:`evaluate`.

    Raises:
        SearchError: no probe has a right image in the gallery.
    """
    results = [
        _score(name, table, content.labels, title, shots, repeats, memory) for name, table in content.tables.items()
    ]
    probes, gallery = len(content.labels.probe_pids), len(content.labels.gallery_pids)
    return Evaluation(
        title=f"{title}{_draws(shots, repeats)}",
        facts={
            "data": title,
            "probes": probes,
            "gallery": gallery,
            "shots": shots,
            "repeats": None if shots is None else repeats,
        },
        methods=results,
        labels=content.labels,
        draws=1 if shots is None else repeats,
        names=(content.probe_names, content.gallery_names),
    )


def _score(
    name: str,
    distances: DistanceTable,
    labels: Labels,
    place: str,
    shots: int | None,
    repeats: int,
    memory: int,
    shortlists: ShortlistScorer | None = None,
) -> MethodResult:
    """What one method's distances are worth; `place` is named where nothing can be scored."""
    scorer = Scorer(labels, shots, repeats)
    for rows, block in distances.blocks(memory // SCORED):
        scorer.add(rows, block)
        if shortlists is not None:
            shortlists.add(rows, block)
    scores = scorer.result()
    if not scores.ranking.valid.any():
        raise SearchError(f"{place}: {labels.why_no_right_image()}")
    return MethodResult(name, distances, *scores, shortlist=None if shortlists is None else shortlists.result())


def _draws(shots: int | None, repeats: int) -> str:
    return "" if shots is None else f", {shots} shot{'s' if shots > 1 else ''}, {repeats} draws"


def method_name(matcher: Matcher) -> str:
    """A method's name as a caller gives it: `DSR single-scale` is `dsr-single-scale`."""
    return matcher.name.lower().replace(" ", "-")


def _chosen(matchers: Sequence[Matcher], methods: Sequence[str] | None) -> list[Matcher]:
    known = {method_name(matcher): matcher for matcher in matchers}
    for name in methods or []:
        if name not in known:
            raise SearchError(f"unknown {name!r}; known: {', '.join(known)}", argument="methods")
    return [matcher for name, matcher in known.items() if not methods or name in methods]


def _usable(
    calibration: Calibration | None, checkpoint: Checkpoint, matchers: Sequence[Matcher], gallery: Sequence[ImageFile]
) -> Matcher | None:
    """The matcher whose distances a calibration is of."""
    if calibration is None:
        return None
    expected = {"checkpoint": checkpoint.identity, "options": matching_facts(checkpoint)}
    for name, value in expected.items():
        if (made_of := getattr(calibration, name)) != value:
            raise SearchError(f"it is of the {name} {made_of}, and this is {value}", argument="calibration")
    if calibration.gallery == digest_of(gallery):
        raise SearchError("it was made on this very gallery, so it would judge itself", argument="calibration")
    for matcher in matchers:
        if matcher.name == calibration.method:
            return matcher
    raise SearchError(f"it is of the method {calibration.method!r}, which is not evaluated", argument="calibration")


def digest_of(gallery: Sequence[ImageFile]) -> str:
    """A digest of the files of a gallery, whatever their names: the same people again have the same."""
    digest = hashlib.sha256()
    for file in sorted(hashlib.sha256(image.path.read_bytes()).digest() for image in gallery):
        digest.update(file)
    return digest.hexdigest()[:16]


def _match(
    matchers: Sequence[Matcher],
    probes: Sequence[ImageFile],
    gallery: Sequence[ImageFile],
    memory: int,
    workers: int | None,
    progress: bool,
) -> Iterator[tuple[Matcher, DistanceTable]]:
    """Each method with its (P, G) distances. Methods of one embedding share their features."""
    left, right = (
        Images(lambda side=side: read_whole(side, workers), len(side))  # type: ignore[misc]
        for side in (probes, gallery)
    )
    try:
        yield from distance_tables(matchers, left, right, memory=memory, progress=progress)
    except MatchingError as error:
        if isinstance(error.__cause__, ImageError):
            raise error.__cause__ from None
        raise SearchError(str(error)) from error
