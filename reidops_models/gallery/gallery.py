"""The gallery: pictures and their features, kept in a folder or on an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from reidops_models.checkpoint import shipped_checkpoint
from reidops_models.devices import Device
from reidops_models.evaluation import Calibration
from reidops_models.gallery.adding import Added, Adding, progress_bar
from reidops_models.gallery.errors import GalleryError, NoGalleryError
from reidops_models.gallery.facts import new_facts
from reidops_models.gallery.maintenance import Compacted, check_store, compact_store
from reidops_models.gallery.reader import GalleryReader
from reidops_models.gallery.store import CALIBRATION, PROBE_SIZES, Store
from reidops_models.paper import paper_names
from reidops_models.retrieval.images import ImageSource, Problem, Problems, name_images
from reidops_models.retrieval.model import Model, find_model


class Gallery(GalleryReader):
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

    @staticmethod
    def build(
        path: str | os.PathLike[str],
        images: ImageSource | Iterable[ImageSource] = (),
        model: Model = "dsr",
        *,
        dtype: str = "float16",
        problems: Problems | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> Gallery:
        """A gallery of pictures, new or gone on with where there is one of this checkpoint.

        Args:
            path: where it is or will be.
            images: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
            model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
            dtype: in which features are kept, "float16" or "float32". An existing gallery keeps its own.
            problems: takes the pictures that cannot be read.
            workers: threads that read; None: one for each processor, 8 at most.
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
        except NoGalleryError:
            gallery = Gallery(Store.create(name, new_facts(checkpoint, dtype)), checkpoint)
        gallery.add(images, problems=problems, workers=workers, progress=progress)
        return gallery

    @staticmethod
    def open(path: str | os.PathLike[str], model: Model | None = None, *, device: Device | None = None) -> Gallery:
        """A gallery that is there.

        Args:
            path: where it is.
            model: the checkpoint that made it, as in :meth:`build`. None: the shipped one of its model, if that made
                it; otherwise only what needs no network can be done.
            device: where its network shall compute, as of `Checkpoint.to`; None leaves a loaded one where it is.

        Raises:
            GalleryError: there is no gallery, or another checkpoint made it.
            DeviceError: there is no such device.
            CheckpointError: the checkpoint is missing or damaged.
        """
        store = Store.open(os.fspath(path))
        facts = store.facts
        if model is not None:
            checkpoint = find_model(model, device)
            found = checkpoint.identity
            if found != facts.identity:
                raise GalleryError(f"{store.path}: of another checkpoint, {facts.identity}; the one given is {found}")
            return Gallery(store, checkpoint)
        if facts.model in paper_names() and shipped_checkpoint(facts.model).is_file():
            shipped = find_model(facts.model, device)
            if shipped.identity == facts.identity:
                return Gallery(store, shipped)
        return Gallery(store, None)

    def add(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        ids: Sequence[str] | None = None,
        commit: int | None = None,
        problems: Problems | None = None,
        workers: int | None = None,
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
            workers: threads that read; None: one for each processor, 8 at most.
            progress: show a progress bar.

        Returns:
            The numbers of new, updated and unchanged pictures, and the problems.

        Raises:
            GalleryError: it cannot be written, or `ids` does not fit. What was committed before stays.
            SearchError: as in :meth:`build`.
        """
        return self._add(images, ids, commit, problems, workers, progress)

    def update(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        ids: Sequence[str] | None = None,
        problems: Problems | None = None,
        workers: int | None = None,
        progress: bool = False,
    ) -> Added:
        """Embed pictures anew that are there, whether or not they have changed. They keep their numbers.

        Arguments and errors are those of :meth:`add`. A picture that is not there is an error, too: nothing is done.
        """
        return self._add(images, ids, None, problems, workers, progress, update=True)

    def _add(
        self,
        images: ImageSource | Iterable[ImageSource],
        ids: Sequence[str] | None,
        commit: int | None,
        problems: Problems | None,
        workers: int | None,
        progress: bool,
        update: bool = False,
    ) -> Added:
        problems = Problems() if problems is None else problems
        sources = name_images(images, problems)
        if ids is not None and (len(ids) != len(sources) or len(set(ids)) != len(ids)):
            raise GalleryError(f"ids: expected {len(sources)} different ones, one for each picture, got {len(ids)}")
        matcher = self.checkpoint.methods().main
        adding = Adding(self._store, matcher, problems, rows=commit, always=update, workers=workers)
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

    def fix_probe_scale(self, fixed: bool = True) -> None:
        """Keep the scale of probes as it is now, whatever is added later; or let it follow the pictures again."""
        self._store.set(PROBE_SIZES, self.probe_sizes if fixed else None)

    def calibrate(self, calibration: Calibration | None) -> None:
        """Keep what distances mean with the gallery, :meth:`threshold_at`; None forgets it.

        Args:
            calibration: of the gallery's checkpoint and method (`reidops_models.evaluation.calibrate`).

        Raises:
            GalleryError: it is of another checkpoint or method.
        """
        if calibration is not None:
            expected = self.facts.identity, self.facts.method
            found = calibration.checkpoint, calibration.method
            if found != expected:
                raise GalleryError(
                    f"{self.path}: expected a calibration of {' by '.join(expected)}, got one of {' by '.join(found)}"
                )
        self._store.set(CALIBRATION, None if calibration is None else calibration.to_dict())
