"""What every matcher offers: features once per image, distances for all pairs, and an explanation of one pair.

Images are float tensors `(3, H, W)`, RGB in [0, 1], of any size; a matcher resizes what it must by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any, Literal, Protocol

from torch import Tensor

from reidops_models.matching.explanations import Explanation

Role = Literal["probe", "gallery"]


class Matcher(Protocol):
    """One way to compare images; a row of a table of results.

    `embed` is called once for each set of images, `distances` as often as there are sets to compare. What stands for
    an image in between is the matcher's own affair: a vector, a map, or all that a network of pairs needs of it.

    Attributes:
        name: of the row.
        embedding: what `embed` makes. Of the matchers that a paper builds together, those with one embedding make the
            same, so that what one has embedded serves the next.
    """

    name: str
    embedding: str

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> Sequence[Any]:
        """Features of each image, in order. `role` says on which side of the comparison the images will stand."""
        ...

    def distances(self, probes: Sequence[Any], gallery: Sequence[Any], *, progress: bool = False) -> Tensor:
        """(P, G) float32 distances between embedded probes and embedded gallery images; smaller is more alike."""
        ...

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """How one probe image was matched to one gallery image; None where a matcher compares images as a whole."""
        ...


def probe_scale(gallery_sizes: Iterable[tuple[int, int]], image_size: tuple[int, int]) -> float:
    """The factor by which to resize a probe so that it keeps its scale relative to the gallery.

    A gallery image shows a whole person and is resized to the training size. A partial probe must not be resized to
    that size, for it would be stretched; it is resized by the factor that its whole image would have been, which is
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
