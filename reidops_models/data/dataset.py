"""What a re-identification data set is: labelled image files in three splits, and probe sets beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

__all__ = ["DISTRACTOR", "UNKNOWN", "DatasetError", "ReidDataset", "Sample"]

UNKNOWN = -1
"""Identity or camera that is not known. In Market-1501 identity -1 is junk, which counts neither for nor against."""

DISTRACTOR = 0
"""Identity of Market-1501's distractors: gallery images that show none of the probes' people."""


class DatasetError(ValueError):
    """A data set that cannot be loaded. The message is one line that names the folder or the file."""


@dataclass(frozen=True)
class Sample:
    """One image of one person: the file, the identity and the camera, both as the file name numbers them."""

    path: Path
    pid: int = UNKNOWN
    camid: int = UNKNOWN


@dataclass(frozen=True)
class ReidDataset:
    """A data set on disk: lists of files, nothing read yet.

    Attributes:
        name: which data set, for tables and messages.
        root: its folder.
        train: images to learn from; empty for a set that serves evaluation only.
        query: the standard probes.
        gallery: what probes are searched in; junk is left out, distractors are kept.
        extra_probes: further probe sets by folder name, such as `partial_query`.
        validation: a set of other identities on which to choose parameters, or None.
        junk: how many gallery files were left out as junk.
        variant: which of several layouts or readings of the set this is; empty where there is one.
        distractor: the identity of distractors, gallery images that each show somebody who is searched for by no probe.
            None: there are none, and identity 0 is a person like any other.
        people: how many identities a split is said to have, by its name, where the set is split by identity.
    """

    name: str
    root: Path
    train: Sequence[Sample]
    query: Sequence[Sample]
    gallery: Sequence[Sample]
    extra_probes: Mapping[str, Sequence[Sample]] = field(default_factory=lambda: MappingProxyType({}))
    validation: ReidDataset | None = None
    junk: int = 0
    variant: str = ""
    distractor: int | None = None
    people: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def probe_sets(self) -> tuple[str, ...]:
        """Names that :meth:`probes` knows, `query` first."""
        return ("query", *self.extra_probes)

    def probes(self, name: str = "query") -> Sequence[Sample]:
        """The probe set of that name."""
        if name == "query":
            return self.query
        if name not in self.extra_probes:
            raise DatasetError(f"{self.root}: no probe set {name!r}; this data set has {', '.join(self.probe_sets)}")
        return self.extra_probes[name]
