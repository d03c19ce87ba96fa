"""One-to-many inference against the naive way, pair by pair; what it computes once, and what it holds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.stnreid import ReconstructionMatcher, ReidMatcher, StnMatcher, StnreidNetwork
from reidops_models.stnreid.all_pairs import image_bytes, match_tiles, pair_bytes

from .conftest import Tiny, trained

SIZES = [(64, 32), (40, 32), (64, 13)]


@pytest.fixture(scope="module")
def network(tiny: Tiny) -> StnreidNetwork:
    found = trained(tiny()).network
    assert isinstance(found, StnreidNetwork)
    return found


@pytest.fixture(scope="module")
def probes() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(3, *SIZES[i % 3], generator=generator) for i in range(5)]


@pytest.fixture(scope="module")
def gallery() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(3, 64, 32, generator=generator) for _ in range(7)]


@torch.inference_mode()
def pair_by_pair(network: StnreidNetwork, partial: Tensor, holistic: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """theta, f_p and f_a of two images of the network's size as sec. 3.1 reads, with torch's own sampling."""
    h, p = network.normalised(holistic[None]), network.normalised(partial[None])
    localisation = network.localisation
    maps = F.max_pool2d(F.relu(localisation.bn1(localisation.conv1(torch.cat((h, p), dim=1)))), 2)
    values = F.max_pool2d(F.relu(localisation.bn2(localisation.conv2(maps))), 2).flatten(1)
    for layer in localisation.hidden:
        values = F.relu(layer(values))
    theta = localisation.last(values).view(1, 2, 3)
    grid = F.affine_grid(theta, [1, 3, *network.image_size], align_corners=False)
    affined = F.grid_sample(holistic[None], grid, align_corners=False)
    return theta[0], network.embed(partial[None])[0], network.embed(affined)[0]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_tiles_are_pairs_one_by_one(
    network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor], metric: str
) -> None:
    matcher = StnMatcher(network, metric=metric)  # type: ignore[arg-type]
    left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery)
    found, thetas = matcher.distances(left, right), matcher.thetas(left, right)
    assert found.shape == (5, 7)
    assert thetas.std(dim=(0, 1)).min() > 1e-3  # the pairs do differ
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            theta, f_p, f_a = pair_by_pair(network, one.image, other.image)
            torch.testing.assert_close(thetas[i, j], theta, rtol=1e-3, atol=1e-5)
            far = (f_p - f_a).norm() if metric == "euclidean" else 1 - F.cosine_similarity(f_p, f_a, dim=0)
            torch.testing.assert_close(found[i, j], far, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("pairs", [1, 2, 3, 9, 64])
def test_the_budget_changes_nothing_but_the_tiles(
    network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor], pairs: int
) -> None:
    matcher = StnMatcher(network)
    left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery)
    expected = matcher.distances(left, right)
    budget = 2 * pairs * pair_bytes(network)
    seen = torch.zeros(5, 7)
    for tile in match_tiles(network, left, right, memory_budget=budget):
        assert tile.theta.shape[:2].numel() <= pairs
        seen[tile.probes, tile.gallery] += 1
    assert (seen == 1).all()
    found = StnMatcher(network, memory_budget=budget).distances(left, right)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_first_layer_costs_p_plus_g(
    network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = StnMatcher(network)
    left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery)
    convolved = []
    half = network.localisation._half
    monkeypatch.setattr(
        network.localisation, "_half", lambda images, *rest: (convolved.append(len(images)), half(images, *rest))[1]
    )
    budget = 4 * len(gallery) * image_bytes(network)  # of which a quarter is for the gallery's first layer
    assert budget // 2 // pair_bytes(network) < len(probes) * len(gallery) // 2  # and the tiles are several
    for _ in match_tiles(network, left, right, memory_budget=budget):
        pass
    assert sum(convolved) == len(probes) + len(gallery)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_without_the_stn_module_features_are_compared(
    network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor], metric: str
) -> None:
    matcher = ReidMatcher(network, metric=metric)  # type: ignore[arg-type]
    left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery)
    found = matcher.distances(left, right)
    for i, probe in enumerate(left):
        for j, image in enumerate(gallery):
            with torch.no_grad():
                f_h = network.embed(image[None])[0]
            if metric == "cosine":
                expected = 1 - F.cosine_similarity(probe.feature, f_h, dim=0)
            else:
                expected = (probe.feature - f_h).norm()
            torch.testing.assert_close(found[i, j], expected, rtol=1e-4, atol=1e-4)
    assert matcher.explain(probes[0], gallery[0]) is None


def test_an_explanation_shows_what_was_compared(
    network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor]
) -> None:
    matcher = StnMatcher(network)
    shown = matcher.explain(probes[1], gallery[2])
    left, right = matcher.embed(probes[1:2], role="probe"), matcher.embed(gallery[2:3])
    assert shown.distance == pytest.approx(matcher.distances(left, right).item(), rel=1e-5)
    theta, _, f_a = pair_by_pair(network, left[0].image, right[0].image)
    torch.testing.assert_close(shown.theta, theta, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(network.embed(shown.affined[None])[0].detach(), f_a, rtol=1e-3, atol=1e-4)
    assert shown.probe.shape == shown.affined.shape == (3, 64, 32)


@pytest.mark.parametrize("matcher", [StnMatcher, ReidMatcher, ReconstructionMatcher])
def test_no_probes_and_no_gallery(matcher: type, network: StnreidNetwork, probes: list[Tensor]) -> None:
    one = matcher(network)
    embedded = one.embed(probes[:1])
    assert one.distances([], embedded).shape == (0, 1)
    assert one.distances(embedded, []).shape == (1, 0)


def test_dsr_on_the_reid_module(network: StnreidNetwork, probes: list[Tensor], gallery: list[Tensor]) -> None:
    matcher = ReconstructionMatcher(network, beta=0.3)
    maps = [
        [F.normalize(network.backbone(image[None]), dim=1)[0].detach() for image in side] for side in (probes, gallery)
    ]
    expected = reidops.dsr_distance(*maps, 0.3)
    found = matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    shown = matcher.explain(probes[0], gallery[1])
    assert shown.distance == pytest.approx(float(found[0, 1]), rel=1e-4)
    assert len(shown.panels()) == 3
