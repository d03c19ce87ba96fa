"""All-pairs inference against one pair at a time, and what `match` shows of a pair."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reidops_models.csn import CsnMatcher, CsnNetwork
from reidops_models.csn.all_pairs import compare_all, pair_bytes
from reidops_models.csn.network import CsnDescription
from reidops_models.matching import ScoreMaps
from tests.reidops_models.csn.conftest import Tiny, trained

NETWORKS = {
    "levels 2 and 3": {},
    "level 2": {"levels": [2]},
    "extended": {"levels": [2, 3, 4]},
    "one stripe": {"stripes": 1},
    "central": {"localisation": "central"},
}


def network_of(tiny: Tiny, name: str = "levels 2 and 3") -> CsnNetwork:
    recipe = tiny(network=NETWORKS[name])
    network = trained(recipe).network
    assert isinstance(network, CsnNetwork)
    return network


def images(count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(3, 50 + 7 * i, 20 + i, generator=generator) for i in range(count)]


def naive(network: CsnNetwork, probes: list[CsnDescription], gallery: list[CsnDescription]) -> Tensor:
    """Eq. 7, a pair at a time."""
    rows = []
    for one in probes:
        row = []
        for other in gallery:
            pair = CsnDescription.stack([one]), CsnDescription.stack([other])
            matched = network.compare(*pair).softmax(dim=1)[0, 1]
            row.append(-(matched + 0.2 / ((one.vectors - other.vectors).norm() + 1e-4)))
        rows.append(torch.stack(row))
    return torch.stack(rows)


@torch.inference_mode()
@pytest.mark.parametrize("name", NETWORKS)
def test_all_pairs_are_as_one_by_one(tiny: Tiny, name: str) -> None:
    network = network_of(tiny, name)
    matcher = CsnMatcher(network)
    probes, gallery = matcher.embed(images(3, 0), role="probe"), matcher.embed(images(5, 1))
    found = matcher.distances(probes, gallery)
    torch.testing.assert_close(found, naive(network, probes, gallery), rtol=1e-4, atol=1e-4)
    assert found.unique().numel() == found.numel()


@pytest.mark.parametrize("pairs", [0, 1, 2, 7])
def test_tiles_cover_all_pairs_once_within_the_budget(tiny: Tiny, pairs: int) -> None:
    network = network_of(tiny)
    matcher = CsnMatcher(network)
    probes, gallery = (matcher.embed(images(n, n)) for n in (4, 6))
    whole = torch.zeros(4, 6)
    seen = torch.zeros(4, 6)
    for tile in compare_all(network, probes, gallery, memory_budget=pairs * pair_bytes(network)):
        assert tile.matched.numel() <= max(1, pairs)
        whole[tile.probes, tile.gallery] = tile.matched
        seen[tile.probes, tile.gallery] += 1
    assert bool((seen == 1).all())
    (tile,) = compare_all(network, probes, gallery)
    torch.testing.assert_close(whole, tile.matched)


def test_nothing_to_compare(tiny: Tiny) -> None:
    matcher = CsnMatcher(network_of(tiny))
    some = matcher.embed(images(2, 0))
    assert matcher.distances([], some).shape == (0, 2)
    assert matcher.distances(some, []).shape == (2, 0)
    assert matcher.embed([]) == []


def test_an_image_that_is_not_finite_spoils_its_own_pairs_only(tiny: Tiny) -> None:
    matcher = CsnMatcher(network_of(tiny))
    gallery = images(3, 0)
    gallery[1] = torch.full_like(gallery[1], torch.nan)
    found = matcher.distances(matcher.embed(images(2, 1)), matcher.embed(gallery))
    assert found.isnan().tolist() == [[False, True, False]] * 2


def test_terms_of_equation_7(tiny: Tiny) -> None:
    network = network_of(tiny)
    probes, gallery = (CsnMatcher(network).embed(images(3, n)) for n in (0, 1))
    classified = CsnMatcher(network, ranking=0.0).distances(probes, gallery)
    assert bool(((classified <= 0) & (classified >= -1)).all())
    d = torch.cdist(*(torch.stack([one.vectors for one in side]) for side in (probes, gallery)))
    both = CsnMatcher(network, ranking=0.5, epsilon=0.1).distances(probes, gallery)
    torch.testing.assert_close(both, classified - 0.5 / (d + 0.1), rtol=1e-4, atol=1e-4)


def test_explanation_is_of_the_pair(tiny: Tiny) -> None:
    network = network_of(tiny)
    matcher = CsnMatcher(network)
    probe, gallery = images(2, 0)
    found = matcher.explain(probe, gallery)
    assert isinstance(found, ScoreMaps)
    expected = matcher.distances(matcher.embed([probe]), matcher.embed([gallery]))
    assert found.distance == pytest.approx(float(expected), rel=1e-4)
    assert found.probe.shape == found.gallery.shape == (3, *network.image_size)
    assert list(found.maps) == list(found.parts) == ["level 2", "level 3"]
    assert [tuple(maps.shape) for maps in found.maps.values()] == [(3, *size) for size in network.map_sizes]
    assert all(corners.shape == (3, 4, 2) for corners in found.parts.values())
