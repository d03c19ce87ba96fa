"""The network of DSR: maps for matching, logits for training."""

from __future__ import annotations

import torch

from reidops_models.dsr import DsrNetwork
from reidops_models.dsr.recipe import NetworkOptions


def test_every_location_has_unit_length() -> None:
    network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=4).eval()
    with torch.inference_mode():
        maps = network(torch.rand(2, 3, 70, 33))
    assert maps.shape == (2, 192, 5, 3)
    torch.testing.assert_close(maps.norm(dim=1), torch.ones(2, 5, 3))


def test_normalisation_can_be_left_out() -> None:
    network = DsrNetwork(NetworkOptions(backbone="resnet_slim", l2_normalise=False), identities=4).eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert network(images).equal(network.backbone(images))


def test_logits_are_linear_in_the_average_of_the_raw_maps() -> None:
    network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=4).eval()
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        predictions = network.classify(images)
        average = network.backbone(images).mean(dim=(2, 3))
        logits = average @ network.classifier.weight.T + network.classifier.bias
    assert predictions.features.equal(average)
    assert predictions.logits.shape == (2, 4)
    torch.testing.assert_close(predictions.logits, logits)


def test_last_stride_reaches_the_backbone() -> None:
    network = DsrNetwork(NetworkOptions(backbone="resnet_slim", last_stride=2), identities=4)
    assert network.backbone.stride == 32
