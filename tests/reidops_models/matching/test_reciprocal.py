"""k-reciprocal re-ranking and query expansion after a matcher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from reidops_models.matching import BlockMatcher, MapAverageMatcher, TwoStageMatcher, in_shortlist
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.matching.reciprocal import ExpansionMatcher, ReciprocalMatcher
from reidops_models.reranking import ReciprocalGallery, expand_distances, neighbour_lists


class Maps(BlockMatcher):
    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.ReLU()).eval(), (12, 8))

    def maps(self, images: Tensor) -> Tensor:
        return F.normalize(self.network(images), dim=1)


class Scores(HistogramMatcher):
    """Distances below 0, as those of CSN."""

    name = "scores"

    def distances(self, *sides: list[Tensor], progress: bool = False) -> Tensor:  # type: ignore[override]
        return super().distances(*sides) - 5


def images(count: int, seed: int = 0, height: int = 12) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    colours = torch.rand(count, 3, 1, 1, generator=generator)
    return list(colours * torch.rand(count, 3, height, 8, generator=generator))


def test_distances_of_dsr_are_taken_both_ways() -> None:
    maps = Maps()
    matcher = ReciprocalMatcher(maps, k1=4, k2=2)
    probes, gallery = matcher.embed(images(3, seed=1, height=7), role="probe"), matcher.embed(images(15))
    table = maps.distances(gallery, gallery).numpy()
    there, back = maps.distances(probes, gallery).double().numpy(), maps.distances(gallery, probes).double().numpy().T
    encoded = ReciprocalGallery(neighbour_lists(table, 15, 14), k1=4, k2=2)
    expected = encoded.rerank(there, np.take_along_axis(back, encoded.nearest(there), axis=1))
    assert_allclose(matcher.distances(probes, gallery).numpy(), expected, rtol=1e-5)
    assert not np.allclose(there, back)


def test_distances_below_zero_are_counted_from_the_least() -> None:
    probes, gallery = images(3, seed=1), images(15)
    found = []
    for one in (HistogramMatcher(4), Scores(4)):
        matcher = ReciprocalMatcher(one, k1=4, k2=2)
        found.append(matcher.distances(matcher.embed(probes), matcher.embed(gallery)).argsort(dim=1))
    assert_close(*found)


def test_after_two_stages_the_shortlist_alone_is_ranked_anew() -> None:
    maps = Maps()
    stages = TwoStageMatcher(MapAverageMatcher(maps), maps, 6)
    matcher = ReciprocalMatcher(stages, k1=3, k2=2)
    probes, gallery = matcher.embed(images(3, seed=1), role="probe"), matcher.embed(images(15))
    before, after = stages.distances(probes, gallery), matcher.distances(probes, gallery)
    inside = in_shortlist(before)
    assert_close(in_shortlist(after), inside)
    assert_close(after[~inside], before[~inside], rtol=0, atol=0)
    assert not torch.allclose(after[inside], before[inside])


@pytest.mark.parametrize("kind", [ReciprocalMatcher, ExpansionMatcher])
def test_probes_do_not_look_at_each_other(kind: type[ReciprocalMatcher] | type[ExpansionMatcher]) -> None:
    matcher = kind(HistogramMatcher(4))
    probes, gallery = matcher.embed(images(3, seed=1)), matcher.embed(images(15))
    alone = torch.cat([matcher.distances([probe], gallery) for probe in probes])
    assert_close(matcher.distances(probes, gallery), alone, rtol=0, atol=1e-6)
    assert matcher.distances([], gallery).shape == (0, 15)
    assert matcher.distances(probes, []).shape == (3, 0)


def test_a_gallery_is_encoded_once_and_another_one_anew() -> None:
    matcher = ReciprocalMatcher(HistogramMatcher(4), k1=4, k2=2)
    probes, gallery, other = (matcher.embed(images(9, seed)) for seed in (1, 2, 3))
    first = matcher.distances(probes, gallery)
    encoded = matcher._encoded
    matcher.distances(probes[:2], gallery)
    assert matcher._encoded is encoded
    matcher.distances(probes, other)
    assert_close(matcher.distances(probes, gallery), first, rtol=0, atol=0)


def test_expansion_averages_distances() -> None:
    matcher = ExpansionMatcher(HistogramMatcher(4), k=3)
    probes, gallery = matcher.embed(images(3, seed=1)), matcher.embed(images(15))
    tables = (matcher.matcher.distances(side, gallery).numpy() for side in (probes, gallery))
    assert_allclose(matcher.distances(probes, gallery).numpy(), expand_distances(*tables, 3), rtol=0, atol=1e-6)
