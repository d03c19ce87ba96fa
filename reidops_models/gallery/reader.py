"""The side of a gallery that changes nothing: what is in it, and what is near a probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reidops_models.checkpoint import Checkpoint
from reidops_models.evaluation import Calibration
from reidops_models.gallery.entries import GalleryEntry
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.facts import Facts
from reidops_models.gallery.features import DESCRIPTOR
from reidops_models.gallery.search import GallerySearch, Pass, rank_entries
from reidops_models.gallery.shortlist import shortlist_pass
from reidops_models.gallery.sizes import middle_sizes
from reidops_models.gallery.store import CALIBRATION, PROBE_SIZES, Store
from reidops_models.matching import Matcher, probe_scale
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.images import ImageSource, Problems, SearchImage, find_images
from reidops_models.retrieval.model import matching_facts, with_matching
from reidops_models.retrieval.ranked_lists import RankedList
from reidops_models.retrieval.ranking import TOP, check_threshold


class GalleryReader:
    """What `Gallery` offers without changing anything."""

    def __init__(self, store: Store, checkpoint: Checkpoint | None) -> None:
        self._store = store
        self._checkpoint = checkpoint

    @property
    def path(self) -> str:
        """Where it is: a folder, or the address of an object store."""
        return self._store.path

    @property
    def facts(self) -> Facts:
        """What holds of all of it: model, method, the checkpoint's identity, and what is kept of a picture."""
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
            raise GalleryError(
                f"{self.path}: needs its checkpoint, {self.facts.identity}, which is not the shipped one of "
                f"{self.facts.model}"
            )
        return self._checkpoint

    def __len__(self) -> int:
        return len(self._store)

    def __iter__(self) -> Iterator[GalleryEntry]:
        return self._store.entries()

    def __getitem__(self, number: int) -> GalleryEntry:
        """The entry of a number, such as the `index` of a match.

        Raises:
            KeyError: there is none.
        """
        return self._store.take([number])[number]

    def __repr__(self) -> str:
        return f"Gallery({self.path!r}, {len(self)} pictures by {self.facts.method}, {self.facts.identity})"

    def describe(self) -> dict[str, str]:
        """What it is, as words: pictures, people, checkpoint, what is kept of a picture, bytes, versions, scale."""
        facts, layout = self.facts, self.facts.layout
        kept = ", ".join(f"{leaf.column} {'x'.join(map(str, leaf.shape))} {leaf.dtype}" for leaf in layout.leaves)
        sizes, found = self.probe_sizes, self.calibration
        scale = probe_scale(sizes, self.checkpoint.recipe.images.size) if self._checkpoint is not None else None
        policy = "fixed" if self._store.setting(PROBE_SIZES) is not None else "follows the images"
        return {
            "images": str(len(self)),
            "people": str(self._store.count_people()),
            "method": facts.method,
            "checkpoint": facts.identity,
            "kept": f"{kept}: {layout.bytes_per_picture / 1024:.1f} KiB an image",
            "on the disk": f"{self._store.bytes / 1e6:.1f} MB in {self._store.files} files",
            "version": str(self._store.dataset.version),
            "probe scale": f"{'needs the checkpoint' if scale is None else f'{scale:g}'}, {policy}",
            "calibration": "none" if found is None else f"{found.data}, {found.people} people",
            "made by": f"reidops {facts.version}",
        }

    def refresh(self) -> None:
        """Go on to the latest version. Until then a gallery is read as it was when it was opened or changed here."""
        self._store.refresh()

    def search(
        self,
        probes: ImageSource | Iterable[ImageSource],
        *,
        top: int = TOP,
        shortlist: int | None = None,
        threshold: float | None = None,
        options: Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> GallerySearch:
        """Rank the gallery's pictures by their distance to each probe, by the method of the gallery's model.

        Args:
            probes: folders, image files, tensors (3, H, W) or (B, 3, H, W) in [0, 1], or any number of these.
            top: ranks to keep for each probe, 1 or more.
            shortlist: pictures that are compared with each probe, those with the nearest descriptors; no list has more
                ranks. None compares all.
            threshold: a probe whose nearest picture is farther than this is `RankedList.unknown`, :meth:`threshold_at`;
                None: none is.
            options: options of matching that replace the recipe's, such as {"beta": 0.2}.
            progress: show a progress bar.

        Returns:
            A ranked list for each probe that could be matched. `problems` says which were left out.

        Raises:
            GalleryError: it is empty, its checkpoint was not given, or it cannot be read.
            SearchError: a path does not exist, or a wrong `top`, `shortlist`, `threshold` or
                option.
        """
        problems = Problems()
        matcher = self.matcher(options)
        images = find_images(probes, problems)
        ranking = self.rank(
            images, problems, matcher=matcher, top=top, shortlist=shortlist, threshold=threshold, progress=progress
        )
        ranked = tuple(ranking)  # first: it finds problems, too
        return GallerySearch(matcher.name, ranked, tuple(problems), tuple(problems.notes))

    def rank(
        self,
        probes: Sequence[SearchImage],
        problems: Problems,
        *,
        matcher: Matcher | None = None,
        top: int = TOP,
        shortlist: int | None = None,
        threshold: float | None = None,
        progress: bool = False,
    ) -> Iterator[RankedList]:
        """The ranked list of each probe, as soon as it is known; :meth:`search` gives all at once.

        Args:
            probes: what `reidops_models.retrieval.images.find_images` found.
            problems: takes the probes that cannot be matched; they have no list.
            matcher: makes the distances, :meth:`matcher`.
            top, shortlist, threshold, progress: as in :meth:`search`.
        """
        check_threshold(threshold)
        if type(top) is not int or top < 1:
            raise SearchError(f"expected a whole number, 1 or more, got {top!r}", argument="top")
        if not len(self):
            raise GalleryError(f"{self.path}: has no pictures")
        method = self.matcher() if matcher is None else matcher
        nearest = None if shortlist is None else self._shortlist_pass(method, shortlist)
        return rank_entries(
            self._store,
            method,
            probes,
            problems,
            top=top,
            threshold=threshold,
            nearest=nearest,
            progress=progress,
        )

    def matcher(self, options: Mapping[str, Any] | None = None) -> Matcher:
        """What compares its pictures, with the probe scale of the gallery.

        Args:
            options: as in :meth:`search`.
        """
        return with_matching(self.checkpoint, options or {}).methods(self.probe_sizes).main

    def _shortlist_pass(self, method: Matcher, shortlist: int) -> Pass:
        if type(shortlist) is not int or shortlist < 1:
            raise SearchError(f"expected a whole number, 1 or more, got {shortlist!r}", argument="shortlist")
        layout = self.facts.layout
        if layout.descriptor is None or layout.columns == [DESCRIPTOR]:
            why = "has no descriptors" if layout.descriptor is None else "compares descriptors, none is ranked again"
            raise SearchError(f"{method.name} {why}", argument="shortlist")
        return shortlist_pass(self._store, method, getattr(method, "metric", "cosine"), shortlist)

    @property
    def probe_sizes(self) -> list[tuple[int, int]]:
        """The one or two sizes in the middle of all, by height in pixels: the scale of probes follows.

        `reidops_models.matching.probe_scale` is a median over all pictures of a gallery, so these give the same. It
        follows the pictures that are added, and a search is always that of the pictures that are there. Where it must
        stay, because thresholds were chosen at it, `fix_probe_scale` keeps it.
        """
        fixed = self._store.setting(PROBE_SIZES)
        return middle_sizes(self._store.sizes()) if fixed is None else [(height, width) for height, width in fixed]

    @property
    def calibration(self) -> Calibration | None:
        """What its distances mean; None where nobody has said (`calibrate`)."""
        values = self._store.setting(CALIBRATION)
        return None if values is None else Calibration.from_dict(values, origin=self.path)

    def threshold_at(self, fpr: float, options: Mapping[str, Any] | None = None) -> float:
        """The distance up to which a pair is accepted, so that at most the share `fpr` of the wrong pairs is.

        Args:
            fpr: a false positive rate in (0, 1), such as 0.01.
            options: those of the search, because a threshold holds for the options that the calibration was made with.

        Raises:
            GalleryError: it has no calibration, or that was made with other options.
            CalibrationError: the calibration cannot tell at this rate.
        """
        found = self.calibration
        if found is None:
            raise GalleryError(f"{self.path}: has no calibration, so a false positive rate has no threshold")
        used = matching_facts(with_matching(self.checkpoint, options or {}))
        different = [name for name, value in found.options.items() if used.get(name, value) != value]
        if different:
            made = ", ".join(f"{name} {found.options[name]}" for name in different)
            raise GalleryError(
                f"{self.path}: its calibration was made with {made}, so it does not hold for this search"
            )
        return found.threshold_of(fpr)
