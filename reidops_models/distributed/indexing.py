"""Pictures into a gallery by many workers: a pipeline of Ray Data, from files to Lance fragments."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reidops_models.checkpoint import Checkpoint
from reidops_models.distributed.cluster import (
    PATIENCE,
    ClusterError,
    Watch,
    cause,
    everywhere,
    failure,
    places,
    ray_errors,
    sent,
)
from reidops_models.distributed.fragments import commit_fragments
from reidops_models.distributed.pictures import COLUMN, FragmentWriter, Planned, Written, plan_table, read_files
from reidops_models.gallery import Added, Gallery, GalleryError
from reidops_models.gallery.adding import ATTEMPTS, BATCH, progress_bar, rows_of_a_commit
from reidops_models.gallery.entries import default_id, fingerprint
from reidops_models.gallery.store import Store
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import NamedFile, Problems, name_images

if TYPE_CHECKING:
    from ray.data import Dataset

READER = {"CPU": 0.25}  # of a worker that reads files; with one that embeds it takes a processor
WRITER = {"CPU": 0.75}
EVERY = 10.0  # seconds between two commits, about

PathSource = str | os.PathLike[str]


def add_pictures(
    gallery: Gallery,
    images: PathSource | Iterable[PathSource],
    *,
    gpus: float | None = None,
    rows: int | None = None,
    every: float = EVERY,
    patience: float = PATIENCE,
    problems: Problems | None = None,
    progress: bool = False,
) -> Added:
    """`Gallery.add` on the cluster to which this process is :func:`connected`, with the same guarantees.

    Workers read, embed and write. This process commits what they have written, in the gallery's order, every few
    seconds, each time all of it or nothing. Whatever stops it, adding the same pictures again goes on from there. Ray
    does again what is lost with a node. All nodes must see the pictures and the gallery under the same paths, so on
    shared folders or an object store.

    Several processes may add at once. One that finds that another has committed pictures in the meantime makes anew
    what it has not committed, so it is better to add from one at a time.

    Args:
        gallery: with its checkpoint.
        images: folders and image files.
        gpus: of each worker that embeds. None: 1 where the cluster has GPUs, otherwise 0.
        rows: pictures in a fragment; None: 64 to 512, by their size, as in a commit of `Gallery.add`.
        every: seconds between two commits, about; 0 commits every fragment by itself.
        patience: seconds to wait for a node that replaces a lost one.
        problems: takes the pictures that cannot be read.
        progress: show a progress bar.

    Raises:
        ClusterError: no node is left that can do the work. What was committed before stays.
        GalleryError: it cannot be written. What was committed before stays.
        SearchError: a path does not exist, a folder has no image files, or a picture is in memory.
    """
    problems = Problems() if problems is None else problems
    sources = name_images(images, problems)
    files = [source for source in sources if isinstance(source, NamedFile)]
    if len(files) < len(sources):
        raise SearchError("expected folders and image files, because workers read them; got a picture in memory")
    gpus = min(1.0, places({"GPU": 1})) if gpus is None else gpus
    with progress_bar(len(files), progress) as bar:
        adding = DistributedAdding(gallery.store, gallery.checkpoint, problems, gpus, rows, every, patience, bar.update)
        return adding.run(files)


@dataclass
class DistributedAdding:
    """One adding to a gallery; the arguments are those of :func:`add_pictures`."""

    store: Store
    checkpoint: Checkpoint
    problems: Problems
    gpus: float
    rows: int | None
    every: float
    patience: float
    counted: Callable[[int], object]
    new: int = field(default=0, init=False)
    updated: int = field(default=0, init=False)
    unchanged: int = field(default=0, init=False)

    def run(self, files: Sequence[NamedFile]) -> Added:
        """Add files; read again from the gallery what is left to do whenever another writer was first."""
        named = {default_id(file): file for file in files}
        self._pass_over(len(files) - len(named))
        for _ in range(ATTEMPTS):
            self.store.refresh()
            known = self.store.known()
            if self._carry_out(list(self._plan(named, known)), known, named):
                return Added(self.new, self.updated, self.unchanged, tuple(self.problems), tuple(self.problems.notes))
        raise GalleryError(f"{self.store.path}: other writers were first {ATTEMPTS} times: try again later")

    def _plan(self, named: dict[str, NamedFile], known: Mapping[str, tuple[int, str]]) -> Iterator[Planned]:
        """The files that are new or have changed; the others leave `named`."""
        highest = max((number for number, _ in known.values()), default=-1)
        for identifier, file in list(named.items()):
            try:
                mark = fingerprint(file)
            except OSError as error:
                self._leave_out(named, identifier, file.path, str(error))
                continue
            number, kept = known.get(identifier, (-1, ""))
            if kept == mark:
                del named[identifier]
                self._pass_over(1)
                continue
            if number < 0:
                number = highest = highest + 1
            yield Planned(number, identifier, mark, str(file.path.absolute()), file.name)

    def _carry_out(
        self, plan: Sequence[Planned], known: Mapping[str, tuple[int, str]], named: dict[str, NamedFile]
    ) -> bool:
        """Whether all was committed. If not, another writer has come between; what was committed has left `named`."""
        planned = {file.id: file for file in plan}
        waiting: list[Written] = []
        last = time.monotonic()
        for written in self._written(plan):
            if written.failure:
                raise GalleryError(written.failure)
            for identifier, problem in written.problems:
                self._leave_out(named, identifier, problem.image, problem.message)
            waiting.append(written)
            if time.monotonic() - last >= self.every:
                if not self._commit(waiting, planned, known, named):
                    return False
                waiting, last = [], time.monotonic()
        return self._commit(waiting, planned, known, named)

    def _commit(
        self,
        waiting: Sequence[Written],
        planned: Mapping[str, Planned],
        known: Mapping[str, tuple[int, str]],
        named: dict[str, NamedFile],
    ) -> bool:
        ids = [identifier for written in waiting for identifier in written.ids]
        if not ids:
            return True
        fragments = [fragment for written in waiting for fragment in written.fragments]
        replaced = [planned[identifier].number for identifier in ids if identifier in known]
        for _ in range(ATTEMPTS):
            if commit_fragments(self.store, fragments, replaced):
                self.new += len(ids) - len(replaced)
                self.updated += len(replaced)
                for identifier in ids:
                    del named[identifier]
                self.counted(len(ids))
                return True
            self.store.refresh()
            if self._overtaken(planned, known, named):
                return False
        raise GalleryError(f"{self.store.path}: other writers were first {ATTEMPTS} times: try again later")

    def _overtaken(
        self, planned: Mapping[str, Planned], known: Mapping[str, tuple[int, str]], named: Mapping[str, NamedFile]
    ) -> bool:
        """Whether another writer has added, changed or removed pictures that the plan is about, or has its numbers."""
        own = {(file.id, file.number, file.fingerprint) for file in planned.values() if file.id not in named}
        now = self.store.known()
        added = {(identifier, *value) for identifier, value in now.items() if known.get(identifier) != value} - own
        numbers = {file.number for file in planned.values()}
        if any(identifier in planned or number in numbers for identifier, number, _ in added):
            return True
        return any(identifier in known and identifier not in now for identifier in planned)

    def _written(self, plan: Sequence[Planned]) -> Iterator[Written]:
        """What the workers have written, in the order of the plan."""
        if not plan:
            return
        writer = {**WRITER, "GPU": self.gpus}
        workers = places(writer)
        if not workers:
            raise ClusterError(f"Ray: no node has {writer['CPU']:g} CPU and {self.gpus:g} GPU for a worker")
        size = self.rows or rows_of_a_commit(self.store.facts.layout.bytes_per_picture)
        if self.rows is None:  # few pictures are still spread over all workers
            share = -(-len(plan) // (2 * workers))
            size = min(size, -(-share // BATCH) * BATCH)
        blocks = [plan_table(plan[start : start + size]) for start in range(0, len(plan), size)]
        watch = Watch(writer, self.patience)
        data = self._pipeline(blocks, size, min(workers, len(blocks)))
        watch.over(data)
        try:
            for batch in data.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
                yield from batch[COLUMN]
        except ray_errors() as error:
            raise failure(error) from error
        except Exception as error:  # whatever Ray Data makes of what the watch has raised
            if found := cause(error, ClusterError):
                raise ClusterError(str(found)) from error
            raise
        finally:
            watch.stop()

    def _pipeline(self, blocks: Sequence[Any], size: int, workers: int) -> Dataset:
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        self._sent = sent(self.checkpoint)
        data = (
            ray.data.from_arrow(list(blocks))
            .map_batches(read_files, batch_size=None, batch_format="pyarrow", num_cpus=READER["CPU"])
            .map_batches(
                FragmentWriter,
                fn_constructor_args=(everywhere(self.store.path), self._sent),
                batch_size=size,
                batch_format="numpy",
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
                num_cpus=WRITER["CPU"],
                num_gpus=self.gpus,
            )
        )
        data.context.execution_options.preserve_order = True
        data.context.enable_progress_bars = False
        return data

    def _pass_over(self, count: int) -> None:
        self.unchanged += count
        self.counted(count)

    def _leave_out(self, named: dict[str, NamedFile], identifier: str, image: object, message: str) -> None:
        self.problems.add(image, message)
        del named[identifier]
        self.counted(1)
