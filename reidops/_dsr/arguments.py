"""The arguments of ``dsr_distance``, parsed once: two sides of known shapes, and how to solve."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

from torch import Tensor

from .._common.arguments import check_alike, check_choice, check_count, check_tensor, describe
from .._common.registration import reverse_mode_only
from .._ops.sparse_reconstruct import check_solving
from . import blocks

OP = "dsr_distance"
METHODS = ("lasso", "ridge", "joint")

Maps = Tensor | Sequence[Tensor]  # (images, C, h, w), or maps (C, h, w)
Shape = tuple[int, int]


class Solving(NamedTuple):
    """What to solve and how."""

    beta: float
    scales: tuple[int, ...]
    method: str
    solver: str
    tolerance: float
    max_iterations: int
    gradient: str
    return_gap: bool

    @property
    def gallery_scales(self) -> tuple[int, ...]:
        """The block sizes that a dictionary needs: for a lasso only 1 x 1, where that is among them.

        An average of k^2 atoms with weight w is each of them with w / k^2: the same fit at no larger |w|_1. Pooled
        atoms therefore change neither the optimum nor, since the optimal fit Yw is unique, any error. (A ridge spreads
        its weights over them, so they do change it.)
        """
        return (1,) if 1 in self.scales and self.method != "ridge" else self.scales


class MapSet(NamedTuple):
    """The feature maps of one side, all of one dtype, on one device and with as many channels."""

    name: str  #: as the caller knows it: "probe" or "gallery"
    maps: Maps
    shapes: list[Shape]  #: (h, w) of each map
    sample: Tensor | None  #: has the dtype, the device and, as dimension -3, the channels; None for an empty sequence

    @property
    def length(self) -> int:
        """The number of maps."""
        return len(self.shapes)

    @property
    def channels(self) -> int:
        """C of every map; the side is not empty."""
        assert self.sample is not None
        return self.sample.shape[-3]

    @property
    def device(self) -> str:
        """The kind of device that the maps are on; the side is not empty."""
        assert self.sample is not None
        return self.sample.device.type

    def named(self, index: int) -> str:
        """What an error calls one of the maps."""
        return self.name if isinstance(self.maps, Tensor) else f"{self.name}[{index}]"


class Problem(NamedTuple):
    """All that was asked: P probes against K dictionaries, each made of some gallery images."""

    probes: MapSet
    weights: Maps | None  #: (h, w) for each probe
    gallery: MapSet
    groups: list[list[int]] | None  #: gallery images of each dictionary; None: each image is one
    solving: Solving
    memory_budget: int | None
    progress: bool

    @property
    def members(self) -> list[list[int]]:
        """The gallery images of each dictionary."""
        return [[i] for i in range(self.gallery.length)] if self.groups is None else self.groups

    def probes_in(self, cut: slice) -> tuple[Maps, Maps | None, list[Shape]]:
        """Some of the probes: maps, weights if there are any, and shapes."""
        weights = None if self.weights is None else self.weights[cut]
        return self.probes.maps[cut], weights, self.probes.shapes[cut]

    def rows(self) -> list[int]:
        """Blocks of each probe."""
        return [blocks.count(*shape, self.solving.scales) for shape in self.probes.shapes]

    def atoms(self) -> list[int]:
        """Atoms of each dictionary."""
        scales, shapes = self.solving.gallery_scales, self.gallery.shapes
        return [sum(blocks.count(*shapes[i], scales) for i in images) for images in self.members]


def parse_maps(name: str, maps: object) -> MapSet:
    """One side, checked.

    Raises:
        TypeError: not floating-point maps, or maps of different dtypes.
        ValueError: maps on different devices, or with different numbers of channels.
    """
    if isinstance(maps, Tensor):
        check_tensor(OP, name, maps, "(images, C, h, w)", 4, 4)
        return MapSet(name, maps, [(maps.shape[-2], maps.shape[-1])] * len(maps), maps)
    if not isinstance(maps, Sequence):
        raise TypeError(f"{OP}: {name} must be a tensor (images, C, h, w) or a sequence of maps, got {describe(maps)}")
    for i, feature_map in enumerate(maps):
        check_tensor(OP, f"{name}[{i}]", feature_map, "(C, h, w)", 3, 3)
        _check_same(f"{name}[{i}]", feature_map, f"{name}[0]", maps[0])
    shapes = [(feature_map.shape[-2], feature_map.shape[-1]) for feature_map in maps]
    return MapSet(name, maps, shapes, maps[0] if maps else None)


def parse_solving(
    beta: float,
    scales: object,
    method: str,
    solver: str,
    tolerance: float,
    max_iterations: int,
    gradient: str,
    return_gap: bool,
) -> Solving:
    """How to solve, checked."""
    check_choice(OP, "method", method, METHODS)
    check_solving(OP, beta, method, solver, gradient, tolerance, max_iterations)
    if method == "joint" and gradient == "implicit":
        raise ValueError(f"{OP}: gradient must be 'constant' for method 'joint', got 'implicit'")
    return Solving(beta, _parse_scales(scales), method, solver, tolerance, max_iterations, gradient, bool(return_gap))


def parse_problem(
    probe: object,
    gallery: object,
    solving: Solving,
    groups: object,
    probe_weight: object,
    memory_budget: int | None,
    progress: bool,
) -> Problem:
    """Everything together: both sides must fit each other, and every map one of the scales."""
    probes, images = parse_maps("probe", probe), parse_maps("gallery", gallery)
    if memory_budget is not None:
        check_count(OP, "memory_budget", memory_budget)
    for side in (probes, images):
        _check_fit(side, solving.scales)
    members = None if groups is None else _parse_groups(groups, images.length)
    weights = None if probe_weight is None else _parse_weights(probe_weight, probes)
    # Two tensors say what their maps are like even where they have none; an empty sequence says nothing.
    both_tensors = isinstance(probes.maps, Tensor) and isinstance(images.maps, Tensor)
    if probes.sample is not None and images.sample is not None and (both_tensors or (probes.length and images.length)):
        _check_same("gallery", images.sample, "probe", probes.sample)
    for maps in (probes.maps, images.maps, () if weights is None else weights):
        reverse_mode_only(OP, *((maps,) if isinstance(maps, Tensor) else maps))
    return Problem(probes, weights, images, members, solving, memory_budget, progress)


def _check_same(name: str, feature_map: Tensor, other_name: str, other: Tensor) -> None:
    check_alike(OP, name, feature_map, other_name, other)
    if feature_map.shape[-3] != other.shape[-3]:
        raise ValueError(
            f"{OP}: {name} must have as many channels as {other_name}, {other.shape[-3]}, got {describe(feature_map)}"
        )


def _check_fit(side: MapSet, scales: tuple[int, ...]) -> None:
    # All maps of a tensor have one size, and an empty tensor has it too.
    shapes = [(side.maps.shape[-2], side.maps.shape[-1])] if isinstance(side.maps, Tensor) else side.shapes
    for i, (height, width) in enumerate(shapes):
        if not blocks.fitting(height, width, scales):
            raise ValueError(
                f"{OP}: {side.named(i)} must be at least as large as one of scales {scales}, got a map of "
                f"{height} x {width}"
            )


def _parse_scales(scales: object) -> tuple[int, ...]:
    expected = "distinct ints >= 1, such as (1, 2, 3)"
    if not isinstance(scales, Sequence) or any(isinstance(k, bool) or not isinstance(k, int) for k in scales):
        raise TypeError(f"{OP}: scales must be {expected}, got {describe(scales)}")
    if not scales or min(scales) < 1 or len(set(scales)) < len(scales):
        raise ValueError(f"{OP}: scales must be {expected}, got {scales!r}")
    return tuple(scales)


def _parse_groups(groups: object, images: int) -> list[list[int]]:
    """Indices of the images of each label, labels in the order of their first image."""
    expected = f"one integer for each of {images} gallery images"
    if hasattr(groups, "tolist"):  # a tensor, or an array
        groups = groups.tolist()
    if not isinstance(groups, Sequence) or any(isinstance(k, bool) or not isinstance(k, Integral) for k in groups):
        raise TypeError(f"{OP}: groups must be {expected}, got {describe(groups)}")
    if len(groups) != images:
        raise ValueError(f"{OP}: groups must be {expected}, got {len(groups)}")
    members: dict[int, list[int]] = {}
    for i, label in enumerate(groups):
        members.setdefault(int(label), []).append(i)
    return list(members.values())


def _parse_weights(weights: object, probes: MapSet) -> Maps:
    """A map of weights for each probe, of its size, on its device and in its dtype."""
    name = "probe_weight"
    if isinstance(weights, Tensor):
        check_tensor(OP, name, weights, "(P, h, w)", 3, 3)
    elif not isinstance(weights, Sequence):
        raise TypeError(f"{OP}: {name} must be a tensor (P, h, w) or a sequence of maps, got {describe(weights)}")
    if len(weights) != probes.length:
        raise ValueError(f"{OP}: {name} must have a map for each of {probes.length} probes, got {len(weights)}")
    for i, (weight, feature_map, shape) in enumerate(zip(weights, probes.maps, probes.shapes, strict=True)):
        check_tensor(OP, f"{name}[{i}]", weight, "(h, w)", 2, 2)
        check_alike(OP, f"{name}[{i}]", weight, f"probe[{i}]", feature_map)
        if tuple(weight.shape) != shape:
            raise ValueError(f"{OP}: {name}[{i}] must have the size of probe[{i}], {shape}, got {describe(weight)}")
    return weights
