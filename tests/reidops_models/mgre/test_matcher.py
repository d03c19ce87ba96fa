"""One minus the cosine of final features, and where regions were located."""

from __future__ import annotations

import pytest
import torch

from reidops_models.matching import LocatedRegions
from reidops_models.mgre import MgreMatcher, MgreNetwork
from reidops_models.mgre.regions import REGIONS

from .conftest import Tiny, trained


@pytest.fixture
def network(tiny: Tiny) -> MgreNetwork:
    found = trained(tiny()).network
    assert isinstance(found, MgreNetwork)
    return found


def test_distances_are_one_minus_the_cosine(network: MgreNetwork) -> None:
    matcher = MgreMatcher(network, batch_size=2)
    images = [torch.rand(3, 64, 32) for _ in range(5)]
    probes, gallery = matcher.embed(images[:2]), matcher.embed(images[2:])
    with torch.inference_mode():
        features = network.embed(torch.stack(images))
    torch.testing.assert_close(
        matcher.distances(probes, gallery), 1 - features[:2] @ features[2:].mT, rtol=1e-4, atol=1e-5
    )
    assert matcher.distances([], gallery).shape == (0, 3)


def test_images_of_any_size_are_resized(network: MgreNetwork) -> None:
    found = MgreMatcher(network).embed([torch.rand(3, 1, 1), torch.rand(3, 200, 33), torch.rand(3, 64, 32)])
    assert [tuple(one.shape) for one in found] == [(64,)] * 3


def test_explains_by_the_located_regions(network: MgreNetwork) -> None:
    matcher = MgreMatcher(network)
    probe, gallery = torch.rand(3, 80, 40), torch.rand(3, 64, 32)
    found = matcher.explain(probe, gallery)
    assert isinstance(found, LocatedRegions)
    assert list(found.names) == [region.name for region in REGIONS]
    assert found.boxes.shape == (2, 7, 4)
    distance = matcher.distances(matcher.embed([probe]), matcher.embed([gallery]))
    assert found.distance == pytest.approx(float(distance), abs=1e-5)


def test_what_locates_nothing_explains_nothing(tiny: Tiny) -> None:
    for variant in ({"stages": []}, {"regions": "whole"}):
        network = trained(tiny(network=variant)).network
        assert isinstance(network, MgreNetwork)
        assert MgreMatcher(network).explain(torch.rand(3, 64, 32), torch.rand(3, 64, 32)) is None


def test_a_network_of_given_boxes_does_not_match_images(tiny: Tiny) -> None:
    network = trained(tiny(network={"boxes": "given"})).network
    assert isinstance(network, MgreNetwork)
    with pytest.raises(ValueError, match="needs the joints of every image"):
        MgreMatcher(network)
