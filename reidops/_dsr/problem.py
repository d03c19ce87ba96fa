"""All that is asked of DSR in one call, checked: two sides, what to solve, how, and in which dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .._common.arguments import check_choice, check_count, describe, is_autocast
from .._common.precision import computing_dtype, result_dtype
from .._common.registration import reverse_mode_only
from .._ops.sparse_reconstruct import check_solving
from . import blocks
from .arguments import (
    Maps,
    MapSet,
    Purpose,
    check_fit,
    check_same,
    parse_groups,
    parse_maps,
    parse_purpose,
    parse_weights,
)
from .dictionaries import Dictionaries
from .gallery import Gallery, GalleryOfMaps, PreparedGallery
from .probes import Probes, lay_out, split_maps

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Solving(NamedTuple):
    """How to solve."""

    solver: str
    tolerance: float
    max_iterations: int
    gradient: str
    return_gap: bool
    precision: str


class Options(NamedTuple):
    """What a caller says about both sides; None: nothing."""

    scales: object
    method: str | None
    beta: float | None
    groups: object
    probe_weight: object


class Problem(NamedTuple):
    """P probes against G dictionaries; neither side is empty."""

    probes: MapSet
    weights: Maps | None  #: (h, w) for each probe
    gallery: Gallery
    solving: Solving
    product: torch.dtype  #: in which maps are multiplied
    sums: torch.dtype  #: of the sums, float32 or float64
    rounds: bool  #: whether maps are rounded to be multiplied, which a certificate has to count
    answer: torch.dtype
    memory_budget: int | None
    progress: bool

    @property
    def purpose(self) -> Purpose:
        """What to solve."""
        return self.gallery.purpose

    def side(self, chosen: Sequence[int] | None = None) -> Probes:
        """Some of the probes, or all, laid out."""
        if chosen is None:
            return self._laid_out(self.probes.maps, self.weights, None)
        weights = None if self.weights is None else _some(self.weights, chosen)
        return self._laid_out(_some(self.probes.maps, chosen), weights, chosen)

    def sides(self, cuts: Sequence[range]) -> Iterator[Probes]:
        """One after another, the probes of each cut, laid out; the cuts follow one another."""
        maps = _pieces(self.probes.maps, cuts)
        weights: Sequence[Maps | None] = [None] * len(cuts) if self.weights is None else _pieces(self.weights, cuts)
        for some, weight, cut in zip(maps, weights, cuts, strict=True):
            yield self._laid_out(some, weight, cut)

    def _laid_out(self, maps: Maps, weights: Maps | None, chosen: Sequence[int] | None) -> Probes:
        sizes = self.probes.sizes
        if chosen is not None and not isinstance(self.probes.maps, Tensor):
            sizes = [sizes[i] for i in chosen]
        return lay_out(maps, weights, sizes, self.purpose.scales, self.product, self.sums)

    def rows(self) -> list[int]:
        """Blocks of each probe."""
        return [blocks.count(*shape, self.purpose.scales) for shape in self.probes.shapes]


class Sides(NamedTuple):
    """Both sides as they came, checked; either may be empty."""

    probes: MapSet
    weights: Maps | None
    images: MapSet | None  #: None where the gallery is prepared
    groups: list[list[int]] | None
    prepared: Dictionaries | None
    purpose: Purpose

    @property
    def dictionaries(self) -> int:
        """How many there are."""
        if self.prepared is not None:
            return len(self.prepared)
        assert self.images is not None
        return self.images.length if self.groups is None else len(self.groups)

    @property
    def gallery_dtype(self) -> torch.dtype:
        """The dtype that the gallery's maps come in; it is not empty."""
        if self.prepared is not None:
            return self.prepared.storage
        assert self.images is not None
        return self.images.dtype

    def constant(self) -> Sides:
        """The same without gradients."""
        weights = None if self.weights is None else constant(self.weights)
        images = None if self.images is None else self.images._replace(maps=constant(self.images.maps))
        return self._replace(
            probes=self.probes._replace(maps=constant(self.probes.maps)), weights=weights, images=images
        )


def parse_sides(op: str, probe: object, gallery: object, options: Options) -> Sides:
    """Both sides must fit each other, and every map one of the scales; None stands for what was not given."""
    probes = parse_maps(op, "probe", probe)
    prepared = gallery if isinstance(gallery, Dictionaries) else None
    default = Purpose() if prepared is None else prepared.purpose
    purpose = parse_purpose(
        op,
        default.scales if options.scales is None else options.scales,
        default.method if options.method is None else options.method,
        default.beta if options.beta is None else options.beta,
    )
    check_fit(op, probes, purpose.scales)
    images = members = None
    if prepared is not None:
        _check_prepared(op, purpose, prepared, options.groups, probes)
    else:
        images = parse_maps(op, "gallery", gallery)
        check_fit(op, images, purpose.scales)
        members = None if options.groups is None else parse_groups(op, options.groups, images.length)
    weights = None if options.probe_weight is None else parse_weights(op, options.probe_weight, probes)
    if images is not None and probes.sample is not None and images.sample is not None:
        # Two tensors say what their maps are like even where they have none; an empty sequence says nothing.
        both_tensors = isinstance(probes.maps, Tensor) and isinstance(images.maps, Tensor)
        if both_tensors or (probes.length and images.length):
            check_same(op, "gallery", images.sample, "probe", probes.sample)
    for maps in (probes.maps, () if images is None else images.maps, () if weights is None else weights):
        reverse_mode_only(op, *((maps,) if isinstance(maps, Tensor) else maps))
    return Sides(probes, weights, images, members, prepared, purpose)


def parse_problem(op: str, sides: Sides, solving: Solving, memory_budget: int | None, progress: bool) -> Problem | None:
    """The problem, or None where a side is empty."""
    check_solving(
        op, sides.purpose.beta, sides.purpose.method, solving.solver, solving.gradient, solving.tolerance,
        solving.max_iterations,
    )  # fmt: skip
    check_choice(op, "precision", solving.precision, tuple(PRECISIONS))
    if memory_budget is not None:
        check_count(op, "memory_budget", memory_budget)
    probe = sides.probes.sample
    if not sides.probes.length or not sides.dictionaries or probe is None:
        return None
    answer = result_dtype(probe)
    given = sides.probes.dtype, sides.gallery_dtype
    product, sums = _dtypes(op, sides.purpose, solving, given, computing_dtype(answer))
    if sides.prepared is not None:
        gallery: Gallery = PreparedGallery(sides.prepared)
    else:
        assert sides.images is not None
        gallery = GalleryOfMaps(sides.images, sides.groups, sides.purpose, product)
    rounds = product.itemsize == 2 and given != (product, product)
    return Problem(
        sides.probes, sides.weights, gallery, solving, product, sums, rounds, answer, memory_budget, progress
    )


def _dtypes(
    op: str, purpose: Purpose, solving: Solving, given: tuple[torch.dtype, torch.dtype], computing: torch.dtype
) -> tuple[torch.dtype, torch.dtype]:
    """In which dtype maps are multiplied, and in which their products are summed.

    Ridge is in float64 throughout: its penalty may be smaller than the rounding of float32, and twice the product is
    cheaper than residuals, which are as long as the features.
    """
    narrow = PRECISIONS[solving.precision]
    if narrow is not None and torch.float64 in given:
        raise ValueError(f"{op}: precision must be 'float32' for float64 maps, got {solving.precision!r}")
    if purpose.method == "ridge":
        return torch.float64, torch.float64
    if narrow is None and given[0] == given[1] and given[0].itemsize == 2:
        narrow = given[0]
    return (computing if narrow is None else narrow), computing


def _check_prepared(op: str, purpose: Purpose, prepared: Dictionaries, groups: object, probes: MapSet) -> None:
    for name, given, fixed in zip(Purpose._fields, purpose, prepared.purpose):
        if given != fixed:
            raise ValueError(
                f"{op}: {name} must be left out or be that of the prepared gallery, {fixed!r}, got {given!r}"
            )
    if groups is not None:
        raise ValueError(f"{op}: groups must be left out for a prepared gallery: they are fixed when it is made")
    if probes.sample is None:
        return
    sample = probes.sample
    if sample.shape[-3] != prepared.channels:
        raise ValueError(
            f"{op}: probe must have as many channels as the prepared gallery, {prepared.channels}, got "
            f"{describe(sample)}"
        )
    if sample.device != prepared.device:
        raise ValueError(
            f"{op}: probe must be on the prepared gallery's device {prepared.device}, got {describe(sample)}"
        )
    double = (sample.dtype == torch.float64, prepared.storage == torch.float64)
    if double[0] != double[1] and not is_autocast(sample):
        raise TypeError(
            f"{op}: probe must be float64 where the prepared gallery is, {prepared.storage}, got {describe(sample)}"
        )


def constant(maps: Maps) -> Maps:
    """Maps without gradients."""
    return maps.detach() if isinstance(maps, Tensor) else [one.detach() for one in maps]


def _pieces(maps: Maps, cuts: Sequence[range]) -> Sequence[Maps]:
    if isinstance(maps, Tensor):
        return split_maps(maps, cuts)
    return [maps[cut.start : cut.stop] for cut in cuts]


def _some(maps: Maps, chosen: Sequence[int]) -> Maps:
    if isinstance(maps, Tensor):
        return maps[torch.tensor(chosen, device=maps.device)]
    return [maps[i] for i in chosen]
