"""The gallery: pictures and their features, kept in a folder or on an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reidops_models.checkpoint import Checkpoint, shipped_checkpoint
from reidops_models.gallery.adding import Added, Adding, progress_bar
from reidops_models.gallery.entries import GalleryEntry
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.facts import Facts, new_facts
from reidops_models.gallery.maintenance import Compacted, check_store, compact_store
from reidops_models.gallery.search import GallerySearch, rank_entries
from reidops_models.gallery.sizes import middle_sizes
from reidops_models.gallery.store import PROBE_SIZES, Store
from reidops_models.matching import Matcher
from reidops_models.paper import paper_names
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageSource, Problem, Problems, SearchImage, find_images, name_images
from reidops_models.retrieval.model import Model, find_model, with_matching
from reidops_models.retrieval.ranked_lists import RankedList
from reidops_models.retrieval.ranking import TOP, check_threshold


class Gallery:
    """Pictures to search in, that stay: their features are made once, and kept in a Lance dataset.

    The distances and ranks of a search are those of `reidops_models.search` over the same pictures. Features are kept
    in float16, which rounds them; with `dtype="float32"` the distances are the same bits. A search holds only a block
    of features at a time, so its memory does not grow with the gallery.

    Adding commits every few hundred pictures, each time all of them or none. Whatever stops it, adding the same
    pictures again goes on from there. Several processes may add at once.

    Use :meth:`build` or :meth:`open`. `len(gallery)` counts its pictures, and iterating gives their
    :class:`GalleryEntry` in the gallery's order: that in which they were added.

    Attributes:
        path: where it is: a folder, or the address of an object store, such as "s3://bucket/people.lance".
        facts: model, method, identity of the checkpoint, and what is kept of a picture.

    Example:
        >>> import tempfile, torch
        >>> path = tempfile.mkdtemp() + "/people.lance"
        >>> gallery = Gallery.build(path, torch.rand(5, 3, 128, 64), "dsr")
        >>> len(gallery), [entry.name for entry in gallery][:2]
        (5, ['image 0', 'image 1'])
        >>> found = Gallery.open(path).search(torch.rand(1, 3, 60, 64), top=2)
        >>> [match.rank for match in found[0].matches]
        [1, 2]
    """

    def __init__(self, store: Store, checkpoint: Checkpoint | None) -> None:
        self._store = store
        self._checkpoint = checkpoint

    @staticmethod
    def build(
        path: str | os.PathLike[str],
        images: ImageSource | Iterable[ImageSource] = (),
        model: Model = "dsr",
        *,
        dtype: str = "float16",
        problems: Problems | None = None,
        progress: bool = False,
    ) -> Gallery:
        """A gallery of pictures, new or gone on with where there is one of this checkpoint.

        Args:
            path: where it is or will be.
            images: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
            model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
            dtype: in which features are kept, "float16" or "float32". An existing gallery keeps its own.
            problems: takes the pictures that cannot be read.
            progress: show a progress bar.

        Raises:
            GalleryError: what is there is no gallery or another checkpoint's, it cannot be written, or what the model
                makes of a picture is not made of tensors.
            SearchError: a path does not exist, a folder has no image files, or a tensor is not an image.
            CheckpointError: the checkpoint is missing or damaged.
        """
        checkpoint = find_model(model)
        name = os.fspath(path)
        try:
            gallery = Gallery.open(name, checkpoint)
        except GalleryError as error:
            if not str(error).endswith("no such gallery"):
                raise
            gallery = Gallery(Store.create(name, new_facts(checkpoint, dtype)), checkpoint)
        gallery.add(images, problems=problems, progress=progress)
        return gallery

    @staticmethod
    def open(path: str | os.PathLike[str], model: Model | None = None) -> Gallery:
        """A gallery that is there.

        Args:
            path: where it is.
            model: the checkpoint that made it, as in :meth:`build`. None: the shipped one of its model, if that made
                it; otherwise only what needs no network can be done.

        Raises:
            GalleryError: there is no gallery, or another checkpoint made it.
            CheckpointError: the checkpoint is missing or damaged.
        """
        store = Store.open(os.fspath(path))
        facts = store.facts
        if model is not None:
            checkpoint = find_model(model)
            found = checkpoint.identity
            if found != facts.identity:
                raise GalleryError(f"{store.path}: of another checkpoint, {facts.identity}; the one given is {found}")
            return Gallery(store, checkpoint)
        if facts.model in paper_names() and shipped_checkpoint(facts.model).is_file():
            shipped = find_model(facts.model)
            if shipped.identity == facts.identity:
                return Gallery(store, shipped)
        return Gallery(store, None)

    @property
    def path(self) -> str:
        """Where it is."""
        return self._store.path

    @property
    def facts(self) -> Facts:
        """What holds of all of it."""
        return self._store.facts

    @property
    def store(self) -> Store:
        """Its dataset, for what reads or writes a part of it: `reidops_models.gallery.search`, or an actor."""
        return self._store

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint that made it.

        Raises:
            GalleryError: it was not given, and is not the shipped one.
        """
        if self._checkpoint is None:
            facts = self.facts
            raise GalleryError(
                f"{self.path}: needs its checkpoint, {facts.identity}, which is  not the shipped one of {facts.model}"
            )
        return self._checkpoint

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[GalleryEntry]:
        return self._store.entries()

    def __repr__(self) -> str:
        return f"Gallery({self.path!r}, {len(self)} pictures by {self.facts.method}, {self.facts.identity})"

    def refresh(self) -> None:
        """Go on to the latest version. Until then a gallery is read as it was when it was opened or changed here."""
        self._store.refresh()

    def add(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        ids: Sequence[str] | None = None,
        commit: int | None = None,
        problems: Problems | None = None,
        progress: bool = False,
    ) -> Added:
        """Add pictures. One that is there and has not changed is passed over; one that has changed is replaced.

        A file has changed if its size or the time of its last modification has. A picture in memory is its pixels, so
        it is never replaced, but for one that has the same given id.

        Args:
            images: as in :meth:`build`.
            ids: one for each picture, if they are not to be the absolute paths of files; no folders are allowed then.
            commit: pictures in a commit at most; None: 64 to 512, by their size.
            problems: takes the pictures that cannot be read.
            progress: show a progress bar.

        Returns:
            The numbers of new, updated and unchanged pictures, and the problems.

        Raises:
            GalleryError: it cannot be written, or `ids` does not fit. What was committed before stays.
            SearchError: as in :meth:`build`.
        """
        return self._add(images, ids, commit, problems, progress)

    def update(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        ids: Sequence[str] | None = None,
        problems: Problems | None = None,
        progress: bool = False,
    ) -> Added:
        """Embed pictures anew that are there, whether or not they have changed. They keep their numbers.

        Arguments and errors are those of :meth:`add`. A picture that is not there is an error, too: nothing is done.
        """
        return self._add(images, ids, None, problems, progress, update=True)

    def _add(
        self,
        images: ImageSource | Iterable[ImageSource],
        ids: Sequence[str] | None,
        commit: int | None,
        problems: Problems | None,
        progress: bool,
        update: bool = False,
    ) -> Added:
        problems = Problems() if problems is None else problems
        sources = name_images(images, problems)
        if ids is not None and (len(ids) != len(sources) or len(set(ids)) != len(ids)):
            raise GalleryError(f"ids: expected {len(sources)} different ones, one for each picture, got {len(ids)}")
        matcher = self.checkpoint.methods().main
        adding = Adding(self._store, matcher, problems, rows=commit, always=update)
        with progress_bar(len(sources), progress) as bar:
            adding.counted = bar.update
            return adding.run(sources, ids)

    def remove(self, ids: Iterable[str]) -> int:
        """Remove pictures. Their data stays on the disk, in earlier versions, until :meth:`compact`.

        Args:
            ids: of the pictures.

        Returns:
            How many were removed.

        Raises:
            GalleryError: one of them is not there; nothing is removed then.
        """
        self._store.refresh()
        known = self._store.known()
        numbers = []
        for identifier in dict.fromkeys(ids):
            if identifier not in known:
                raise GalleryError(f"{self.path}: no picture {identifier}")
            numbers.append(known[identifier][0])
        if numbers:
            self._store.remove(numbers)
        return len(numbers)

    def search(
        self,
        probes: ImageSource | Iterable[ImageSource],
        *,
        top: int = TOP,
        threshold: float | None = None,
        options: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> GallerySearch:
        """Rank the gallery's pictures by their distance to each probe, by the method of the gallery's model.

        Args:
            probes: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
            top: ranks to keep for each probe, 1 or more.
            threshold: a probe whose nearest picture is farther than this is `RankedList.unknown`; None: none is.
            options: options of matching that replace the recipe's, such as {"beta": 0.2}.
            progress: show a progress bar.

        Returns:
            A ranked list for each probe that could be matched. `problems` says which were left out.

        Raises:
            GalleryError: it is empty, its checkpoint was not given, or it cannot be read.
            SearchError: a path does not exist, or a wrong `top` or option.
        """
        problems = Problems()
        matcher = self.matcher(options)
        images = find_images(probes, problems)
        ranked = tuple(self.rank(images, problems, matcher=matcher, top=top, threshold=threshold, progress=progress))
        return GallerySearch(matcher.name, ranked, tuple(problems), tuple(problems.notes))

    def rank(
        self,
        probes: Sequence[SearchImage],
        problems: Problems,
        *,
        matcher: Matcher | None = None,
        top: int = TOP,
        threshold: float | None = None,
        progress: bool = False,
    ) -> Iterator[RankedList]:
        """The ranked list of each probe, as soon as it is known; :meth:`search` gives all at once.

        Args:
            probes: what `reidops_models.retrieval.images.find_images` found.
            problems: takes the probes that cannot be matched; they have no list.
            matcher: makes the distances, :meth:`matcher`.
            top, threshold, progress: as in :meth:`search`.
        """
        check_threshold(threshold)
        if type(top) is not int or top < 1:
            raise SearchError(f"expected a whole number, 1 or more, got {top!r}", argument="top")
        if not len(self):
            raise GalleryError(f"{self.path}: has no pictures")
        method = self.matcher() if matcher is None else matcher
        return rank_entries(self._store, method, probes, problems, top=top, threshold=threshold, progress=progress)

    def matcher(self, options: Mapping[str, Any] | None = None) -> Matcher:
        """What compares its pictures, with the probe scale of the gallery.

        Args:
            options: as in :meth:`search`.
        """
        return with_matching(self.checkpoint, options or {}).methods(self.probe_sizes).main

    def check(self, *, progress: bool = False) -> list[Problem]:
        """Read everything, and say what is damaged: each problem names a file, or a picture.

        A file that is missing, cut off or cannot be read is named, and so is one whose features are not those that were
        written (a CRC-32 is kept with each picture). No two pictures may have one id or one number.
        """
        return check_store(self._store, progress)

    def compact(self) -> Compacted:
        """Join small files, drop what was removed or replaced, and forget earlier versions.

        What another process reads from an earlier version may be gone then. Files that an interrupted adding left are
        removed when they are a week old, because until then they may be those of an adding that goes on.

        Raises:
            GalleryError: it cannot be written. The gallery stays as it is.
        """
        return compact_store(self._store)

    @property
    def probe_sizes(self) -> list[tuple[int, int]]:
        """The one or two sizes in the middle of all, by height in pixels: the scale of probes follows.

        `reidops_models.matching.probe_scale` is a median over all pictures of a gallery, so these give the same. It
        follows the pictures that are added, and a search is always that of the pictures that are there. Where it must
        stay, because thresholds were chosen at it, :meth:`fix_probe_scale` keeps it.
        """
        fixed = self._store.setting(PROBE_SIZES)
        return middle_sizes(self._store.sizes()) if fixed is None else [(height, width) for height, width in fixed]

    def fix_probe_scale(self, fixed: bool = True) -> None:
        """Keep the scale of probes as it is now, whatever is added later; or let it follow the pictures again."""
        self._store.set(PROBE_SIZES, self.probe_sizes if fixed else None)
