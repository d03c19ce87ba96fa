"""Arguments that the functions of DSR share, parsed once: maps of known shapes, scales, groups and weights."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from .._common.arguments import check_alike, check_choice, check_tensor, describe
from .._common.registration import check_memory
from .._ops.sparse_reconstruct import check_penalty
from . import blocks

METHODS = ("lasso", "ridge", "joint")

Maps = Tensor | Sequence[Tensor]  # (images, C, h, w), or maps (C, h, w)
Shape = tuple[int, int]


class Purpose(NamedTuple):
    """What is to be solved: the part that a gallery is prepared for."""

    scales: tuple[int, ...] = (1,)
    method: str = "lasso"
    beta: float = 0.4

    @property
    def gallery_scales(self) -> tuple[int, ...]:
        """The block sizes that a dictionary needs: for a lasso only 1 x 1, where that is among them.

        An average of k^2 atoms with weight w is each of them with w / k^2: the same fit at no larger |w|_1. Pooled
        atoms therefore change neither the optimum nor, since the optimal fit Yw is unique, any error. (A ridge spreads
        its weights over them, so they do change it.)
        """
        has_cells = any(k == 1 for k in self.scales)  # not `in`: compiled, a scale may be a symbol
        return (1,) if has_cells and self.method != "ridge" else self.scales


class MapSet(NamedTuple):
    """The feature maps of one side, all of one dtype, on one device and with as many channels."""

    name: str  #: as the caller knows it: "probe" or "gallery"
    maps: Maps
    sizes: list[Shape]  #: (h, w) of each map; one for all maps of a tensor
    sample: Tensor | None  #: has the dtype, the device and, as dimension -3, the channels; None for an empty sequence

    @property
    def length(self) -> int:
        """The number of maps."""
        return self.maps.shape[0] if isinstance(self.maps, Tensor) else len(self.maps)

    @property
    def shapes(self) -> list[Shape]:
        """(h, w) of each map, one by one."""
        return self.sizes * self.length if isinstance(self.maps, Tensor) else self.sizes

    @property
    def channels(self) -> int:
        """C of every map; the side is not empty."""
        assert self.sample is not None
        return self.sample.shape[-3]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that holds every map, for under autocast they may differ; the side is not empty."""
        assert self.sample is not None
        if isinstance(self.maps, Tensor):
            return self.maps.dtype
        return functools.reduce(torch.promote_types, (one.dtype for one in self.maps), self.sample.dtype)

    @property
    def device(self) -> str:
        """The kind of device that the maps are on; the side is not empty."""
        assert self.sample is not None
        return self.sample.device.type

    def named(self, index: int) -> str:
        """What an error calls one of the maps."""
        return self.name if isinstance(self.maps, Tensor) else f"{self.name}[{index}]"


def parse_maps(op: str, name: str, maps: object) -> MapSet:
    """One side, checked.

    Raises:
        TypeError: not floating-point maps, or maps of different dtypes.
        ValueError: maps on different devices, or with different numbers of channels.
    """
    if isinstance(maps, Tensor):
        check_tensor(op, name, maps, "(images, C, h, w)", 4, 4)
        check_memory(op, **{name: maps})
        return MapSet(name, maps, [(maps.shape[-2], maps.shape[-1])], maps)
    if not isinstance(maps, Sequence):
        raise TypeError(f"{op}: {name} must be a tensor (images, C, h, w) or a sequence of maps, got {describe(maps)}")
    for i, feature_map in enumerate(maps):
        check_tensor(op, f"{name}[{i}]", feature_map, "(C, h, w)", 3, 3)
        check_same(op, f"{name}[{i}]", feature_map, f"{name}[0]", maps[0])
        check_memory(op, **{f"{name}[{i}]": feature_map})
    shapes = [(feature_map.shape[-2], feature_map.shape[-1]) for feature_map in maps]
    return MapSet(name, maps, shapes, maps[0] if maps else None)


def parse_purpose(op: str, scales: object, method: str, beta: float) -> Purpose:
    """What is to be solved, checked."""
    check_choice(op, "method", method, METHODS)
    check_penalty(op, beta, method)
    return Purpose(_parse_scales(op, scales), method, beta)


def check_same(op: str, name: str, feature_map: Tensor, other_name: str, other: Tensor) -> None:
    """Two maps of one dtype, on one device, with as many channels."""
    check_alike(op, name, feature_map, other_name, other)
    if feature_map.shape[-3] != other.shape[-3]:
        raise ValueError(
            f"{op}: {name} must have as many channels as {other_name}, {other.shape[-3]}, got {describe(feature_map)}"
        )


def check_fit(op: str, side: MapSet, scales: tuple[int, ...]) -> None:
    """Each map is as large as one of the scales."""
    for i, (height, width) in enumerate(side.sizes):
        if not blocks.fitting(height, width, scales):
            raise ValueError(
                f"{op}: {side.named(i)} must be at least as large as one of scales {scales}, got a map of "
                f"{height} x {width}"
            )


def parse_groups(op: str, groups: object, images: int) -> list[list[int]]:
    """Indices of the images of each label, labels in the order of their first image."""
    expected = f"one integer for each of {images} gallery images"
    if hasattr(groups, "tolist"):  # a tensor, or an array
        groups = groups.tolist()
    if not isinstance(groups, Sequence) or any(isinstance(k, bool) or not isinstance(k, Integral) for k in groups):
        raise TypeError(f"{op}: groups must be {expected}, got {describe(groups)}")
    if len(groups) != images:
        raise ValueError(f"{op}: groups must be {expected}, got {len(groups)}")
    members: dict[int, list[int]] = {}
    for i, label in enumerate(groups):
        members.setdefault(int(label), []).append(i)
    return list(members.values())


def parse_weights(op: str, weights: object, probes: MapSet) -> Maps:
    """A map of weights for each probe, of its size, on its device and in its dtype."""
    name = "probe_weight"
    if isinstance(weights, Tensor):
        check_tensor(op, name, weights, "(P, h, w)", 3, 3)
    elif not isinstance(weights, Sequence):
        raise TypeError(f"{op}: {name} must be a tensor (P, h, w) or a sequence of maps, got {describe(weights)}")
    count = weights.shape[0] if isinstance(weights, Tensor) else len(weights)  # `len` of a tensor is no symbol
    if count != probes.length:
        raise ValueError(f"{op}: {name} must have a map for each of {probes.length} probes, got {count}")
    if isinstance(weights, Tensor) and isinstance(probes.maps, Tensor):
        _check_weight(op, name, weights, probes.name, probes.maps)
        return weights
    for i, (weight, feature_map) in enumerate(zip(weights, probes.maps, strict=True)):
        check_tensor(op, f"{name}[{i}]", weight, "(h, w)", 2, 2)
        _check_weight(op, f"{name}[{i}]", weight, f"{probes.name}[{i}]", feature_map)
    return weights


def _check_weight(op: str, name: str, weight: Tensor, other_name: str, maps: Tensor) -> None:
    check_alike(op, name, weight, other_name, maps)
    check_memory(op, **{name: weight})
    size = tuple(maps.shape[-2:])
    if tuple(weight.shape[-2:]) != size:
        raise ValueError(f"{op}: {name} must have the size of {other_name}, {size}, got {describe(weight)}")


def _parse_scales(op: str, scales: object) -> tuple[int, ...]:
    expected = "distinct ints >= 1, such as (1, 2, 3)"
    if not isinstance(scales, Sequence) or any(isinstance(k, bool) or not isinstance(k, int) for k in scales):
        raise TypeError(f"{op}: scales must be {expected}, got {describe(scales)}")
    if not scales or min(scales) < 1 or len(set(scales)) < len(scales):
        raise ValueError(f"{op}: scales must be {expected}, got {scales!r}")
    return tuple(scales)
