"""Some probes' blocks, laid out for the products with many dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import blocks
from .arguments import Maps, Shape


class Probes(NamedTuple):
    """P probes of R1 blocks of 1 x 1, and R blocks, together."""

    sizes: list[Shape]  #: (h, w) of each; only one where all have it
    scales: tuple[int, ...]
    cells: Tensor  #: (B, C, R1 / B), the 1 x 1 blocks: B is P where all have one size, else 1
    columns: Tensor  #: (R, C), the block sets, constant for gradients
    energy: Tensor  #: (R,), ||x||^2 of each block
    weight: Tensor | None  #: (R,), of each block in its probe's mean; None: all alike

    @property
    def blocks(self) -> list[int]:
        """Blocks of each size."""
        return [blocks.count(*size, self.scales) for size in self.sizes]

    @property
    def alike(self) -> bool:
        """Whether all probes have one size."""
        return len(self.sizes) == 1


def lay_out(
    maps: Maps,
    weights: Maps | None,
    sizes: list[Shape],
    scales: tuple[int, ...],
    product: torch.dtype,
    sums: torch.dtype,
) -> Probes:
    """Lays probes out.

    Args:
        maps: of the probes.
        weights: ``(h, w)``, one weight per location, or None.
        sizes: of the maps, or the one of all.
        scales: sizes of the blocks.
        product: the dtype in which maps are multiplied.
        sums: the dtype of the sums, float32 or float64.
    """
    if all(size == sizes[0] for size in sizes):
        sizes = sizes[:1]
    cells = _together(maps, len(sizes) == 1).to(product)
    pooled = blocks.pooled(sizes, scales)
    sets = _pool(cells.to(sums), sizes, scales) if pooled else cells  # averages are not rounded to a half type
    rows = sets.mT.flatten(0, 1).contiguous()
    energy = rows.to(sums).square().sum(1)  # along memory, so that it does not depend on what stands beside it
    columns = rows.detach()
    if columns.device.type != "cpu":
        columns = columns.to(sums)
    weight = None
    if weights is not None:  # a block weighs the average of its locations
        one_channel = weights[:, None] if isinstance(weights, Tensor) else [one[None] for one in weights]
        weight = _pool(_together(one_channel, len(sizes) == 1).to(sums), sizes, scales).flatten()
    return Probes(sizes, scales, cells, columns, energy, weight)


def pool_rows(products: Tensor, probes: Probes) -> Tensor:
    """Products with the 1 x 1 blocks ``(B, R1 / B, ...)`` -> with the blocks ``(R, ...)``, in one row of memory."""
    if not blocks.pooled(probes.sizes, probes.scales):
        return products.flatten(0, 1)
    if probes.alike:
        return blocks.pool_rows(products, *probes.sizes[0], probes.scales).flatten(0, 1)
    parts = zip(products.split([h * w for h, w in probes.sizes], dim=1), probes.sizes, strict=True)
    return torch.cat([blocks.pool_rows(part, *shape, probes.scales) for part, shape in parts], dim=1)[0]


def mean_error(error: Tensor, probes: Probes) -> Tensor:
    """``(R, G)`` errors of blocks -> ``(P, G)`` distances, eq. 4; with weights m, sum m e / sum m.

    Every sum goes along memory, so that it does not depend on what stands beside it.
    """
    if probes.weight is None:
        return _of_each(error, probes, lambda one: one.mean(-1))
    weighted = _of_each(error * probes.weight[:, None], probes, lambda one: one.sum(-1))
    return weighted / _of_each(probes.weight[:, None], probes, lambda one: one.sum(-1))


def largest_gap(gap: Tensor, probes: Probes) -> Tensor:
    """``(R, G)`` gaps of blocks -> ``(P, G)``, the largest of each probe's blocks; a NaN stays one."""
    return _of_each(gap, probes, lambda one: one.amax(-1))


def _of_each(values: Tensor, probes: Probes, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    """``(R, G)`` -> ``(P, G)``: each probe's blocks reduced, along memory."""
    if probes.alike:
        return reduce(values.unflatten(0, (-1, probes.blocks[0])).mT.contiguous())
    return torch.stack([reduce(one.mT.contiguous()) for one in values.split(probes.blocks)])


def _together(maps: Maps, alike: bool) -> Tensor:
    """``(P, C, hw)`` of maps of one size, without a copy of a tensor; else ``(1, C, R1)``, one map beside another."""
    if isinstance(maps, Tensor):
        return maps.flatten(2)
    if alike:
        return stack_maps(maps).flatten(2)
    return torch.cat([feature_map.flatten(1) for feature_map in maps], dim=1)[None]


def stack_maps(maps: Sequence[Tensor]) -> Tensor:
    """One after another, contiguous.

    Inductor (torch 2.13) makes a view of a stack of one, and its backward then writes over the caller's maps.
    """
    return torch.stack(list(maps)) if len(maps) > 1 else maps[0][None].contiguous()


def split_maps(maps: Tensor, cuts: Sequence[range]) -> Sequence[Tensor]:
    """Maps of cuts that follow one another, as one split: the gradient of a slice is as large as all maps together."""
    start, stop = cuts[0].start, cuts[-1].stop
    together = maps if stop - start == len(maps) else maps[start:stop]
    return together.split([len(cut) for cut in cuts])


def _pool(cells: Tensor, sizes: list[Shape], scales: tuple[int, ...]) -> Tensor:
    if len(sizes) == 1:
        return blocks.pool(cells, *sizes[0], scales)
    sets = zip(cells.split([h * w for h, w in sizes], dim=2), sizes, strict=True)
    return torch.cat([blocks.pool(one, *shape, scales) for one, shape in sets], dim=2)
