"""The STN module and the ReID module against table 1 and eq. 1 to 3."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.stnreid import StnreidNetwork
from reidops_models.stnreid.localisation import LocalisationNetwork
from reidops_models.stnreid.recipe import NetworkOptions


def shaken(network: LocalisationNetwork) -> LocalisationNetwork:
    """The network as if it had been trained: statistics that are not 0 and 1, a last layer that is not 0."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
                assert values is not None
                values.copy_(0.5 + torch.rand(values.shape, generator=generator))
    nn.init.normal_(network.last.weight, std=0.05, generator=generator)
    return network.eval()


def test_table_1() -> None:
    network = LocalisationNetwork((256, 128))
    sizes: list[tuple[str, tuple[int, ...]]] = []

    def note(name: str) -> None:
        layer = network.get_submodule(name)
        layer.register_forward_hook(lambda module, given, result: sizes.append((name, tuple(result.shape[1:]))))

    for name in ("conv1", "conv2", "hidden.0", "hidden.1", "hidden.2", "last"):
        note(name)
    assert network(torch.rand(2, 3, 256, 128), torch.rand(2, 3, 256, 128)).shape == (2, 2, 3)
    assert sizes == [
        ("conv1", (16, 128, 64)),
        ("conv2", (32, 32, 16)),
        ("hidden.0", (512,)),
        ("hidden.1", (128,)),
        ("hidden.2", (32,)),
        ("last", (6,)),
    ]
    assert network.hidden[0].in_features == 4096
    assert network.conv1.weight.shape == (16, 6, 7, 7)
    assert network.conv2.weight.shape == (32, 16, 3, 3)


def test_number_of_parameters() -> None:
    convolutions = 6 * 16 * 7 * 7 + 2 * 16 + 16 * 32 * 3 * 3 + 2 * 32
    layers = (4096 + 1) * 512 + (512 + 1) * 128 + (128 + 1) * 32 + (32 + 1) * 6
    count = sum(value.numel() for value in LocalisationNetwork((256, 128)).parameters())
    assert count == convolutions + layers == 2_177_062


def test_theta_starts_at_the_identity_and_learns_from_there() -> None:
    network = LocalisationNetwork((64, 32))
    images = torch.rand(2, 2, 3, 64, 32)
    theta = network(*images)
    assert torch.equal(theta, torch.eye(2, 3).expand(2, 2, 3))
    theta.sum().backward()
    assert network.last.weight.grad is not None
    assert network.last.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(256, 128), (128, 64), (16, 17), (65, 33)])
def test_pairs_from_two_halves_are_pairs_from_one_convolution(size: tuple[int, int]) -> None:
    network = shaken(LocalisationNetwork(size)).double()
    holistic, partial = torch.rand(3, 3, *size).double(), torch.rand(2, 3, *size).double()
    maps = network.partial_maps(partial)[:, None] + network.holistic_maps(holistic)
    found = network.theta_of(maps.flatten(0, 1)).unflatten(0, (2, 3))
    for p in range(2):
        for g in range(3):
            expected = network(holistic[g, None], partial[p, None])
            torch.testing.assert_close(found[p, g, None], expected, rtol=1e-12, atol=1e-12)


def test_an_image_too_small_for_two_poolings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"LocalisationNetwork: image_size: expected 16 or more each, got \(64, 15\)"):
        LocalisationNetwork((64, 15))


@pytest.mark.parametrize("align_corners", [False, True])
def test_affined_images_are_eq_1(align_corners: bool) -> None:
    options = NetworkOptions(backbone="resnet_slim", align_corners=align_corners)
    network = StnreidNetwork(options, (16, 16), identities=2)
    holistic, theta = torch.rand(2, 3, 16, 16), torch.eye(2, 3) + 0.3 * torch.randn(5, 2, 2, 3)
    found = network.affine(holistic, theta)
    assert found.shape == (5, 2, 3, 16, 16)
    for k in range(5):
        grid = F.affine_grid(theta[k], [2, 3, 16, 16], align_corners=align_corners)
        expected = F.grid_sample(holistic, grid, align_corners=align_corners)
        torch.testing.assert_close(found[k], expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_localisation_network_through_the_sampling() -> None:
    torch.manual_seed(0)
    network = StnreidNetwork(NetworkOptions(backbone="resnet_slim"), (32, 16), identities=2)
    holistic, partial = torch.rand(2, 4, 3, 32, 16)
    network.embed(network.affine(holistic, network.locate(holistic, partial))).square().sum().backward()
    assert network.localisation.last.bias.grad is not None
    assert (network.localisation.last.bias.grad != 0).all()


def test_features_are_averages_and_logits_are_linear() -> None:
    network = StnreidNetwork(NetworkOptions(backbone="resnet18", last_stride=1), (64, 32), identities=5).eval()
    images = torch.rand(2, 3, 64, 32)
    predicted = network.classify(images)
    maps: Tensor = network.backbone(images)
    assert maps.shape == (2, 512, 4, 2)
    torch.testing.assert_close(predicted.features, maps.mean(dim=(2, 3)))
    torch.testing.assert_close(predicted.logits, predicted.features @ network.classifier.weight.T)
    assert torch.equal(network(images), predicted.features)


def test_both_modules_see_images_normalised_alike() -> None:
    network = StnreidNetwork(NetworkOptions(backbone="resnet_slim"), (16, 16), identities=1).eval()
    image = torch.rand(1, 3, 16, 16)
    seen: list[Tensor] = []
    network.backbone.conv1.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    network.embed(image)
    torch.testing.assert_close(network.normalised(image), seen[0])
