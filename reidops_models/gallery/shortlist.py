"""Two stages in a gallery: its descriptors choose a shortlist, and only the maps of that are read and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.dlpack import from_dlpack
from tqdm.auto import tqdm

from reidops_models.gallery.entries import NUMBER
from reidops_models.gallery.features import DESCRIPTOR, Layout, Likeness, tensors_of
from reidops_models.gallery.nearest import Nearest, merge_nearest, nearest_of
from reidops_models.gallery.search import Pass, read_blocks
from reidops_models.gallery.store import TAKEN, Store, one_line
from reidops_models.matching import Matcher, Metric, compare_pairs

DESCRIPTORS = 8192  # that are compared at a time


def shortlist_pass(store: Store, matcher: Matcher, metric: Metric, shortlist: int) -> Pass:
    """A pass over a gallery that compares a shortlist of each probe only.

    Descriptors are those of the column `descriptor`, all of which are read. Of the maps only those in a shortlist are.

    Args:
        store: the gallery, whose pictures have descriptors.
        matcher: ranks the shortlists.
        metric: of the descriptors.
        shortlist: pictures in a shortlist.
    """

    def search(probes: Sequence[Any], k: int, bar: tqdm[Any]) -> Nearest | None:
        left = torch.stack([_descriptor(store.facts.layout, probe) for probe in probes])
        first: Nearest | None = None
        for numbers, right in _descriptors(store):
            distances = _distances(left, right, metric)
            found = nearest_of(distances, numbers, shortlist)
            first = found if first is None else merge_nearest([first, found], shortlist)
            bar.update(len(numbers))
        return None if first is None else _ranked(store, matcher, probes, first, k)

    return search


def _ranked(store: Store, matcher: Matcher, probes: Sequence[Any], first: Nearest, k: int) -> Nearest:
    """The k nearest of each probe's shortlist, by the matcher."""
    found = torch.full(first.numbers.shape, torch.inf, dtype=torch.float32)
    likeness = Likeness(probes[0])
    wanted = first.numbers.unique()
    for some in wanted.split(TAKEN):
        for block in read_blocks(store, numbers=some.tolist()):
            numbers, order = block.numbers.sort()
            place = torch.searchsorted(numbers, first.numbers.contiguous()).clamp(max=len(numbers) - 1)
            inside = numbers[place] == first.numbers
            candidates = torch.where(inside, order[place], -1)
            values = compare_pairs(matcher, probes, likeness(block.tensors), candidates)
            found = torch.where(inside, values, found)
    finite = first.finite & found.isfinite().all(dim=1)
    return merge_nearest([Nearest(found, first.numbers, finite)], k)


def _descriptors(store: Store) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers (B,) and descriptors (B, C) float32 of all pictures."""
    scanner = store.dataset.scanner(columns=[NUMBER, DESCRIPTOR], batch_size=DESCRIPTORS)
    with one_line(store.path):
        for batch in scanner.to_batches():
            if len(batch):
                values = from_dlpack(batch.column(DESCRIPTOR).flatten()).reshape(len(batch), -1)
                yield from_dlpack(batch.column(NUMBER)), values.float()


def _descriptor(layout: Layout, feature: Any) -> Tensor:
    """(C,) of a probe, as the gallery keeps that of a picture."""
    tensors = tensors_of(feature)
    if layout.averaged:
        return tensors[0].float().mean(dim=(1, 2)).cpu()
    return tensors[layout.columns.index(DESCRIPTOR)].float().cpu()


def _distances(left: Tensor, right: Tensor, metric: Metric) -> Tensor:
    if metric == "euclidean":
        return torch.cdist(left, right)
    return 1 - F.normalize(left, dim=1) @ F.normalize(right, dim=1).mT
