"""What every matcher offers: features once per image, distances for all pairs, and an explanation of one pair.

Images are float tensors `(3, H, W)`, RGB in [0, 1], of any size; a matcher resizes what it must by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from reidops_models.matching.explanations import Explanation

Role = Literal["probe", "gallery"]


@dataclass(frozen=True)
class Embedding:
    """What stands for an image between `embed` and `distances`: two matchers with equal embeddings make the same.

    Attributes:
        kind: what it is: a vector, a map, the image itself.
        network: what made it, None without a network. Two networks are equal only if they are one object.
        options: every other value that changes it, such as the size to which images are resized.

    Example:
        >>> Embedding("histogram", options=(8,)) == Embedding("histogram", options=(16,))
        False
    """

    kind: str
    network: nn.Module | None = None
    options: tuple[Hashable, ...] = ()


class Matcher(Protocol):
    """One way to compare images; a row of a table of results.

    `embed` is called once for each set of images, `distances` as often as there are sets to compare. What stands for
    an image in between is the matcher's own affair: a vector, a map, or all that a network of pairs needs of it.

    Attributes:
        name: of the row.
        embedding: what `embed` makes. Matchers with equal embeddings make the same, so what one has embedded serves
            the other.

    Where the distance of a pair depends on the whole gallery, and not on the two images alone, a matcher has an
    attribute `joint = True`: its `distances` then gets all gallery images at once, and some of the probes. Any other
    may get the gallery in parts. One that works in tiles of pairs may have `memory_budget`, bytes, which others may
    lower.
    """

    name: str

    @property
    def embedding(self) -> Embedding: ...

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> Sequence[Any]:
        """Features of each image, in order. `role` says on which side of the comparison the images will stand."""
        ...

    def distances(self, probes: Sequence[Any], gallery: Sequence[Any], *, progress: bool = False) -> Tensor:
        """(P, G) float32 distances between embedded probes and embedded gallery images; smaller is more alike."""
        ...

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """How one probe image was matched to one gallery image; None where a matcher compares images as a whole."""
        ...


def is_joint(matcher: Matcher) -> bool:
    """Whether a matcher compares a probe with the whole gallery at once."""
    return bool(getattr(matcher, "joint", False))


@runtime_checkable
class DerivedMatcher(Matcher, Protocol):
    """A matcher whose distances follow from other rows of its table.

    Where these rows are there already, `combine` makes its row from them. It can still embed and compare by itself.

    Attributes:
        sources: the names of these rows.
    """

    sources: tuple[str, ...]

    def combine(self, distances: Mapping[str, Tensor]) -> Tensor:
        """(P, G) distances of some probes and the whole gallery from those of the sources, by name."""
        ...


@runtime_checkable
class PairMatcher(Matcher, Protocol):
    """A matcher that has a way of its own to compare chosen pairs. `compare_pairs` serves every matcher."""

    def pairs(
        self, probes: Sequence[Any], gallery: Sequence[Any], candidates: Tensor, *, progress: bool = False
    ) -> Tensor:
        """(P, K) float32 distances of probe p and gallery image `candidates[p, k]`; infinite where that is -1.

        They are those of `distances`, up to rounding.
        """
        ...


@runtime_checkable
class QuickMatcher(Matcher, Protocol):
    """A matcher whose features follow from those of another matcher, so that no image is read for them.

    Attributes:
        source: what the other matcher embeds.
    """

    @property
    def source(self) -> Embedding: ...

    def derive(self, embedded: Sequence[Any]) -> Sequence[Any]:
        """What `embed` would make of the images, from what the other matcher has made of them."""
        ...


def probe_scale(gallery_sizes: Iterable[tuple[int, int]], image_size: tuple[int, int]) -> float:
    """The factor by which to resize a probe so that it keeps its scale relative to the gallery.

    A gallery image shows a whole person and is resized to the training size. A partial probe must not be resized to
    that size, because that would stretch it. It is resized by the factor that its whole image would have been, which is
    not known. It is taken to be the gallery's: the median over its images of training height / image height. Where
    all gallery images have the training size, as in the synthetic benchmark, it is 1 and no probe is resized.

    Args:
        gallery_sizes: (height, width) of each gallery image in pixels.
        image_size: (height, width) of the network's training images.

    Example:
        >>> probe_scale([(256, 128), (256, 100), (500, 200)], image_size=(128, 64))
        0.5
    """
    heights = [height for height, _ in gallery_sizes]
    return median(image_size[0] / height for height in heights) if heights else 1.0
