"""A shortlist by one method, ranked by another."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from reidops_models.matching import BlockMatcher, MapAverageMatcher, TwoStageMatcher, compare_pairs, in_shortlist
from reidops_models.matching.exact import ExactMatcher
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.matching.shortlist import OUTSIDE, with_the_rest_behind


class Maps(BlockMatcher):
    """Maps of unit length, from a network that counts its images."""

    def __init__(self, scales: tuple[int, ...] = (1, 2)) -> None:
        torch.manual_seed(0)
        super().__init__(
            nn.Sequential(nn.Conv2d(3, 24, 3, stride=2, padding=1), nn.ReLU()).eval(), (12, 8), scales=scales
        )
        self.seen = 0

    def maps(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return F.normalize(self.network(images), dim=1)


def images(count: int, seed: int = 0, height: int = 12) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.rand(3, 1, 1, generator=generator) * torch.rand(3, height, 8, generator=generator) for _ in range(count)
    ]


@pytest.mark.parametrize("shortlist", [1, 4, 9, 50])
def test_the_shortlist_has_the_seconds_distances_and_the_rest_the_firsts_order(shortlist: int) -> None:
    first, second = HistogramMatcher(4), Maps()
    matcher = TwoStageMatcher(first, second, shortlist)
    probes, gallery = images(3, seed=1, height=9), images(9)
    found = matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery))
    quick = first.distances(first.embed(probes), first.embed(gallery))
    slow = second.distances(second.embed(probes, role="probe"), second.embed(gallery))
    for row, quick_row, slow_row in zip(found, quick, slow, strict=True):
        order = quick_row.argsort(stable=True)
        assert_close(row[order[:shortlist]], slow_row[order[:shortlist]], rtol=0, atol=0)
        assert row[order[shortlist:]].tolist() == [OUTSIDE + rank for rank in range(min(shortlist, 9), 9)]
    assert in_shortlist(found).sum(dim=1).tolist() == [min(shortlist, 9)] * 3
    assert found.dtype == torch.float32


def test_probes_do_not_look_at_each_other() -> None:
    matcher = TwoStageMatcher(HistogramMatcher(4), Maps(), 3)
    probes, gallery = (matcher.embed(images(7, seed)) for seed in (1, 2))
    alone = torch.cat([matcher.distances([probe], gallery) for probe in probes])
    assert_close(matcher.distances(probes, gallery), alone, rtol=0, atol=0)


def test_averages_of_maps_take_no_second_pass_of_the_network() -> None:
    maps = Maps()
    matcher = TwoStageMatcher(MapAverageMatcher(maps), maps, 3)
    embedded = matcher.embed(images(5))
    assert maps.seen == 5
    average = maps.maps(images(5)[0][None])[0].mean(dim=(1, 2))
    assert_close(embedded[0].first, average / average.norm())


def test_one_embedding_serves_both_stages() -> None:
    maps = Maps()
    matcher = TwoStageMatcher(maps, maps, 2)
    embedded = matcher.embed(images(4))
    assert maps.seen == 4
    assert embedded[0].first is embedded[0].second


def test_images_are_read_once_and_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidops_models.matching.two_stages.WINDOW", 2)
    matcher = TwoStageMatcher(HistogramMatcher(4), Maps(), 2)
    whole = matcher.embed(iter(images(5)))
    assert len(whole) == 5
    for one, image in zip(whole, images(5), strict=True):
        assert_close(one.first, matcher.first.embed([image])[0], rtol=0, atol=0)


def test_nobody_on_either_side() -> None:
    for matcher in (TwoStageMatcher(HistogramMatcher(4), Maps(), 2), exact(2, 1)):
        some = matcher.embed(images(2))
        assert matcher.distances([], some).shape == (0, 2)
        assert matcher.distances(some, []).shape == (2, 0)


@pytest.mark.parametrize("matcher", [Maps(), HistogramMatcher(4)], ids=["its own pairs", "by distances"])
def test_chosen_pairs_are_those_of_the_table(matcher: Maps | HistogramMatcher) -> None:
    probes, gallery = matcher.embed(images(3, seed=1)), matcher.embed(images(6))
    candidates = torch.tensor([[5, 0, -1], [-1, -1, -1], [2, 3, 1]])
    found = compare_pairs(matcher, probes, gallery, candidates)
    table = matcher.distances(probes, gallery)
    expected = torch.where(candidates < 0, torch.inf, table.gather(1, candidates.clamp(min=0)))
    assert_close(found, expected, rtol=0, atol=1e-6)


def test_distances_beyond_those_of_the_rest_are_refused() -> None:
    with pytest.raises(ValueError, match=r"distances must be below 1.04858e\+06, got 2e\+06"):
        with_the_rest_behind(torch.tensor([[2e6]]), torch.tensor([[0]]), torch.tensor([[0, 1]]))


def test_a_distance_that_is_not_known_stays_so() -> None:
    table = with_the_rest_behind(torch.tensor([[torch.nan]]), torch.tensor([[1]]), torch.tensor([[1, 0]]))
    assert table[0, 0] == OUTSIDE + 1
    assert table[0, 1].isnan()


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="shortlist must be 1 or more, got 0"):
        TwoStageMatcher(HistogramMatcher(4), Maps(), 0)
    with pytest.raises(ValueError, match="ranks must be 1 or more, got 0"):
        exact(2, 0)


def exact(shortlist: int, ranks: int, scales: tuple[int, ...] = (1, 2)) -> ExactMatcher:
    maps = Maps(scales)
    return ExactMatcher(MapAverageMatcher(maps), maps, shortlist, ranks)


@pytest.mark.parametrize("scales", [(1,), (1, 2)])
@pytest.mark.parametrize(("shortlist", "ranks"), [(1, 1), (2, 5), (40, 3), (3, 99)])
def test_exact_ranks_are_those_of_all_distances(shortlist: int, ranks: int, scales: tuple[int, ...]) -> None:
    matcher = exact(shortlist, ranks, scales)
    probes, gallery = matcher.embed(images(6, seed=1, height=7), role="probe"), matcher.embed(images(40))
    found = matcher.distances(probes, gallery)
    table = matcher.second.distances([one.second for one in probes], [one.second for one in gallery])
    first, expected = (distances.argsort(dim=1, stable=True)[:, :ranks] for distances in (found, table))
    assert_close(first, expected, rtol=0, atol=0)
    assert_close(found.gather(1, first), table.gather(1, first), rtol=0, atol=0)
    inside = in_shortlist(found)
    assert_close(found[inside], table[inside], rtol=0, atol=0)
    assert matcher.cost.compared == (inside.sum(dim=1).double() / 40).tolist()


def test_the_bound_leaves_pairs_out() -> None:
    matcher = exact(1, 1)
    gallery = matcher.embed(images(40))
    found = matcher.distances(gallery[:5], gallery)  # each is its own nearest
    assert found.argmin(dim=1).tolist() == list(range(5))
    assert max(matcher.cost.compared) < 0.5
    assert str(matcher.cost).startswith("exact: ")


def test_equal_distances_at_the_last_rank_are_all_compared() -> None:
    matcher = exact(1, 1)
    twin = images(1)[0]
    gallery = matcher.embed([twin] * 4)
    found = matcher.distances(gallery[:1], gallery)
    assert in_shortlist(found).all()
    assert found.argmin() == 0


def test_a_distance_that_is_not_known_rules_nothing_out() -> None:
    matcher = exact(1, 2)
    gallery = matcher.embed(images(4))
    nothing = gallery[0]._replace(second=torch.full_like(gallery[0].second, torch.nan))
    assert matcher.distances([nothing], gallery).isnan().all()
    found = matcher.distances(gallery[1:2], [nothing, *gallery[1:]])
    assert found.isnan().tolist() == [[True, False, False, False]]
    assert found[0, 1:].argmin() == 0
