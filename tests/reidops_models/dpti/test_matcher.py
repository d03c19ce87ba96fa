"""One minus the cosine of descriptors, and where the parts were looked for."""

from __future__ import annotations

import pytest
import torch

from reidops_models.dpti import DptiMatcher, DptiNetwork
from reidops_models.matching import PartAttention

from .conftest import Tiny, trained


@pytest.fixture
def network(tiny: Tiny) -> DptiNetwork:
    found = trained(tiny(network={"weighting": True})).network
    assert isinstance(found, DptiNetwork)
    return found


def test_distances_are_one_minus_the_cosine(network: DptiNetwork) -> None:
    matcher = DptiMatcher(network, batch_size=2)
    images = [torch.rand(3, 64, 32) for _ in range(5)]
    probes, gallery = matcher.embed(images[:2]), matcher.embed(images[2:])
    with torch.inference_mode():
        descriptors = network.describe(torch.stack(images)).descriptor()
    cosine = torch.nn.functional.cosine_similarity(descriptors[:2, None], descriptors[None, 2:], dim=2)
    torch.testing.assert_close(matcher.distances(probes, gallery), 1 - cosine, rtol=1e-4, atol=1e-5)


def test_images_of_any_size_are_resized(network: DptiNetwork) -> None:
    matcher = DptiMatcher(network)
    found = matcher.embed([torch.rand(3, 1, 1), torch.rand(3, 200, 33), torch.rand(3, 64, 32)])
    assert [tuple(one.shape) for one in found] == [(80,)] * 3


def test_nothing_against_something(network: DptiNetwork) -> None:
    matcher = DptiMatcher(network)
    gallery = matcher.embed([torch.rand(3, 64, 32)])
    assert matcher.distances([], gallery).shape == (0, 1)
    assert matcher.distances(gallery, []).shape == (1, 0)


def test_explains_by_attention_and_presence(network: DptiNetwork) -> None:
    matcher = DptiMatcher(network)
    probe, gallery = torch.rand(3, 80, 40), torch.rand(3, 64, 32)
    found = matcher.explain(probe, gallery)
    assert isinstance(found, PartAttention)
    assert found.maps.shape == (2, 4, 4, 2)
    assert found.presence is not None
    torch.testing.assert_close(found.presence.sum(dim=1), torch.full((2,), 4.0))
    distance = matcher.distances(matcher.embed([probe]), matcher.embed([gallery]))
    assert found.distance == pytest.approx(float(distance), abs=1e-5)


@pytest.mark.parametrize("templates", ["dynamic", "static", "grid"])
def test_without_weighting_there_is_attention_and_no_presence(tiny: Tiny, templates: str) -> None:
    network = trained(tiny(network={"templates": templates})).network
    assert isinstance(network, DptiNetwork)
    found = DptiMatcher(network).explain(torch.rand(3, 64, 32), torch.rand(3, 64, 32))
    assert found is not None
    assert found.maps.shape == (2, 4, 4, 2)
    assert found.presence is None


def test_a_global_descriptor_explains_nothing(tiny: Tiny) -> None:
    network = trained(tiny(network={"templates": "none"})).network
    assert isinstance(network, DptiNetwork)
    assert DptiMatcher(network).explain(torch.rand(3, 64, 32), torch.rand(3, 64, 32)) is None
