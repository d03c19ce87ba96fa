"""Probes in a gallery that several machines hold: each actor has a part of it, and what they find is merged exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from reidops_models.distributed.cluster import (
    PATIENCE,
    POLL,
    ClusterError,
    Watch,
    cause,
    everywhere,
    failure,
    places,
    ray_errors,
    sent,
)
from reidops_models.distributed.shard import UNKNOWN, Labels, Right, Shard
from reidops_models.evaluation.ranking import DEFAULT_RANKS, RankingResult, judge
from reidops_models.gallery import Gallery, GalleryError, GallerySearch, Nearest, merge_nearest
from reidops_models.gallery.features import on_device
from reidops_models.gallery.search import rank_entries
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageSource, Problems, SearchImage, find_images
from reidops_models.retrieval.model import with_matching
from reidops_models.retrieval.ranked_lists import RankedList
from reidops_models.retrieval.ranking import TOP, check_threshold

HELD = 1 << 30  # bytes of features that an actor keeps in memory
TABLE = 256 << 20  # bytes of distances that an actor keeps for an evaluation
PROBES = 32  # compared together in an evaluation, at most
MERGED = 32  # lists in one sort: of two at a time most would be sorted again and again


class Part(NamedTuple):
    """What an actor holds.

    Attributes:
        fragments: ids of the gallery's fragments.
        rows: pictures in them.
    """

    fragments: tuple[int, ...]
    rows: int


class ShardedGallery:
    """A gallery whose fragments are spread over the actors of a Ray cluster; use it in a `with` block.

    Ranks and distances are the bits of `Gallery.search` on machines of one kind: an actor reads whole fragments, in the
    blocks in which one process reads them, and lists of the nearest are merged exactly
    (`reidops_models.gallery.nearest`). An actor that is lost with its node is started anew by Ray on another one, and
    what it was asked is asked again.

    The gallery is read as it was when it was opened. All nodes must see it under the same path.

    Args:
        gallery: with its checkpoint, one picture at least.
        options: options of matching that replace the recipe's, such as {"beta": 0.2}.
        gpus: of each actor. None: 1 where the cluster has GPUs, otherwise 0.
        shards: actors at most. None: one for each GPU, or for each processor.
        held: bytes of features that an actor keeps in memory; it reads a larger part anew for each pass.
        patience: seconds to wait for a node that replaces a lost one.

    Raises:
        GalleryError: it is empty, or its checkpoint was not given.
        SearchError: a wrong option.
        ClusterError: no node has room for an actor.

    Example:
        >>> with connected("10.0.0.1:6379"), ShardedGallery(Gallery.open("people.lance")) as people:  # doctest: +SKIP
        ...     found = people.search("crops/", top=10)
    """

    def __init__(
        self,
        gallery: Gallery,
        options: Mapping[str, Any] | None = None,
        *,
        gpus: float | None = None,
        shards: int | None = None,
        held: int = HELD,
        patience: float = PATIENCE,
    ) -> None:
        import ray

        if not len(gallery):
            raise GalleryError(f"{gallery.path}: has no pictures")
        gpus = min(1.0, places({"GPU": 1})) if gpus is None else gpus
        needs = {"GPU": gpus} if gpus else {"CPU": 1.0}
        room = places(needs)
        if not room:
            raise ClusterError(f"Ray: no node has {gpus:g} GPU for a part of the gallery")
        self._gallery = gallery
        self._matcher = gallery.matcher(options)
        self._watch = Watch(needs, patience)
        self._parts = divide({one.fragment_id: one.count_rows() for one in gallery.store.dataset.get_fragments()},
                             shards or room)  # fmt: skip
        self._keys = count()
        # Where nothing is said of processors, an actor takes one to be placed and none to live. So the actors of a lost
        # node find room on the others.
        takes: dict[str, Any] = {"num_gpus": gpus, "num_cpus": 0} if gpus else {}
        actor = ray.remote(Shard).options(max_restarts=-1, max_task_retries=-1, scheduling_strategy="SPREAD", **takes)
        self._checkpoint = sent(with_matching(gallery.checkpoint, options or {}))
        facts = (everywhere(gallery.path), gallery.store.dataset.version)
        rest = (self._checkpoint, gallery.probe_sizes, held)
        self._actors: list[Any] = [actor.remote(*facts, part.fragments, *rest) for part in self._parts]

    def __enter__(self) -> ShardedGallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the actors."""
        import ray

        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def __len__(self) -> int:
        return sum(part.rows for part in self._parts)

    def search(
        self,
        probes: ImageSource | Iterable[ImageSource],
        *,
        top: int = TOP,
        threshold: float | None = None,
        progress: bool = False,
    ) -> GallerySearch:
        """`Gallery.search`, by the actors: the same arguments and errors, and the same bits.

        Raises:
            ClusterError: no node is left that can do the work.
        """
        problems = Problems()
        images = find_images(probes, problems)
        ranked = tuple(self.rank(images, problems, top=top, threshold=threshold, progress=progress))
        return GallerySearch(self._matcher.name, ranked, tuple(problems), tuple(problems.notes))

    def rank(
        self,
        probes: Sequence[SearchImage],
        problems: Problems,
        *,
        top: int = TOP,
        threshold: float | None = None,
        progress: bool = False,
    ) -> Iterator[RankedList]:
        """`Gallery.rank`, by the actors."""
        check_threshold(threshold)
        if type(top) is not int or top < 1:
            raise SearchError(f"expected a whole number, 1 or more, got {top!r}", argument="top")
        return rank_entries(
            self._gallery.store,
            self._matcher,
            probes,
            problems,
            top=top,
            threshold=threshold,
            nearest=self._nearest,
            progress=progress,
        )

    def evaluate(
        self, probes: Sequence[SearchImage], *, ranks: Sequence[int] = DEFAULT_RANKS, progress: bool = False
    ) -> RankingResult:
        """What the ranking of the whole gallery is worth, by Market-1501's protocol: `evaluate_ranking` of all pairs.

        No rank is cut off, and no actor gives back more than a few numbers for each right picture. The actors first
        give back the distances of the right pictures, and then how many of theirs are nearer than each of these.

        Args:
            probes: with their people and cameras. Pictures of the gallery whose person is not known are junk.
            ranks: at which the CMC is given.
            progress: show a progress bar, over the probes.

        Raises:
            ClusterError: no node is left that can do the work.
            SearchError: the person of a probe is not known.
        """
        from tqdm.auto import tqdm

        if unknown := [image for image in probes if image.pid is None]:
            raise SearchError(f"{unknown[0]}: the person is not known", argument="probes")
        size = max(1, min(PROBES, TABLE // (4 * max(part.rows for part in self._parts))))
        found = []
        with tqdm(total=len(probes), unit="probe", disable=not progress, leave=False) as bar:
            for start in range(0, len(probes), size):
                found += self._ranks(probes[start : start + size])
                bar.update(len(probes[start : start + size]))
        pids = np.array([image.pid for image in probes], np.int64)
        return RankingResult(probe_pids=pids, **judge(found, "step")._asdict(), ranks=tuple(ranks))

    def _nearest(self, features: Sequence[Any], k: int, bar: Any) -> Nearest:
        def answers() -> Iterator[Nearest]:
            for part, found in self._ask(lambda actor, probes: actor.nearest.remote(probes, k), features):
                bar.update(part.rows)
                yield found

        return merge_answers(answers(), k)

    def _ranks(self, probes: Sequence[SearchImage]) -> list[np.ndarray]:
        """The ranks of the right pictures of each probe."""
        features = self._matcher.embed((image.read() for image in probes), role="probe")
        pids, camids = ([UNKNOWN if value is None else value for value in values] for values in
                        zip(*((image.pid, image.camid) for image in probes)))  # fmt: skip
        labels = Labels(np.array(pids, np.int64), np.array(camids, np.int64))
        key = next(self._keys)
        parts = [found for _, found in self._ask(lambda a, p: a.right.remote(key, p, labels), features)]
        right = [Right(*map(np.concatenate, zip(*(part[i] for part in parts)))) for i in range(len(probes))]
        ranks = [np.ones(len(own.numbers), np.int64) for own in right]
        for _, counts in self._ask(lambda a, p: a.nearer.remote(key, p, labels, right), features):
            ranks = [rank + more for rank, more in zip(ranks, counts, strict=True)]
        return ranks

    def _ask(self, call: Callable[[Any, Any], Any], features: Sequence[Any]) -> Iterator[tuple[Part, Any]]:
        """What each actor answers, as soon as it does."""
        import ray

        self._watch.start()
        shared = ray.put([on_device(one, "cpu") for one in features])
        waiting = {call(actor, shared): part for actor, part in zip(self._actors, self._parts, strict=True)}
        while waiting:
            done, _ = ray.wait(list(waiting), timeout=POLL)
            self._watch.look()
            for answer in done:
                try:
                    yield waiting.pop(answer), ray.get(answer)
                except ray_errors() as error:
                    if found := cause(error, GalleryError):
                        raise GalleryError(str(found)) from error
                    raise failure(error) from error


def merge_answers(answers: Iterable[Nearest], k: int) -> Nearest:
    """The k nearest of the lists of all parts, in whatever order they come; a few of them are held at a time.

    Args:
        answers: one or more.
        k: 1 or more.
    """
    held: list[Nearest] = []
    for found in answers:
        held.append(found)
        if len(held) == MERGED:
            held = [merge_nearest(held, k)]
    return merge_nearest(held, k)


def divide(rows: Mapping[int, int], parts: int) -> list[Part]:
    """Fragments for each of some actors, so that all have about as many pictures; fewer parts where there are fewer.

    Args:
        rows: pictures in each fragment, by its id. Empty fragments are left out.
        parts: 1 or more.

    Example:
        >>> divide({0: 5, 1: 9, 2: 4}, 2)
        [Part(fragments=(1,), rows=9), Part(fragments=(0, 2), rows=9)]
    """
    filled = {key: size for key, size in rows.items() if size}
    found: list[list[int]] = [[] for _ in range(min(parts, len(filled)))]
    sizes = [0] * len(found)
    for key in sorted(filled, key=lambda key: (-filled[key], key)):  # the largest first, each to who has the fewest
        place = sizes.index(min(sizes))
        found[place].append(key)
        sizes[place] += filled[key]
    return [Part(tuple(sorted(keys)), size) for keys, size in zip(found, sizes, strict=True)]
