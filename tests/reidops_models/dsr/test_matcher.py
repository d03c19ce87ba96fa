"""Matchers agree with the computation written out, on images of all sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.dsr import DsrMatcher, DsrNetwork, ResizingMatcher
from reidops_models.dsr.recipe import NetworkOptions
from reidops_models.matching import Half, block_set

SIZE = (64, 32)


@pytest.fixture(scope="module")
def network() -> DsrNetwork:
    torch.manual_seed(0)
    return DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=3).eval()


@pytest.fixture(scope="module")
def images() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(3, *size) for size in ((64, 32), (40, 32), (64, 32), (64, 1), (1, 1), (150, 40))]


@pytest.mark.parametrize("pool", ["flat", "average"])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_resizing_compares_whole_images(network: DsrNetwork, images: list[Tensor], pool: str, metric: str) -> None:
    matcher = ResizingMatcher(network, SIZE, pool=pool, metric=metric, batch_size=2)
    distances = matcher.distances(matcher.embed(images[1:], role="probe"), matcher.embed(images))
    assert distances.shape == (5, 6)
    with torch.inference_mode():
        left, right = (
            network.backbone(F.interpolate(image[None], SIZE, mode="bilinear", antialias=True))
            for image in (images[1], images[5])
        )
    if pool == "average":
        left, right = left.mean(dim=(2, 3)), right.mean(dim=(2, 3))
    left, right = left.flatten(), right.flatten()
    expected = (left - right).norm() if metric == "euclidean" else 1 - F.cosine_similarity(left, right, dim=0)
    torch.testing.assert_close(distances[0, 5], expected, rtol=1e-4, atol=1e-5)
    assert matcher.explain(images[0], images[1]) is None


@pytest.mark.parametrize("scales", [(1,), (1, 2, 3)])
def test_dsr_is_the_mean_error_of_the_probes_blocks(
    network: DsrNetwork, images: list[Tensor], scales: tuple[int, ...]
) -> None:
    matcher = DsrMatcher(network, SIZE, scales=scales, beta=0.4)
    gallery = [image for image in images if min(image.shape[-2:]) > 1]
    distances = matcher.distances(matcher.embed(images, role="probe"), matcher.embed(gallery))
    assert distances.shape == (len(images), len(gallery))
    for row, probe in enumerate(images):
        for column, other in enumerate(gallery):
            resized = F.interpolate(other[None], SIZE, mode="bilinear", antialias=True)
            with torch.inference_mode():
                probe_blocks, _ = block_set(network(probe[None])[0], scales)
                gallery_blocks, _ = block_set(network(resized)[0], scales)
            expected = reidops.sparse_reconstruct(probe_blocks, gallery_blocks, 0.4).error.mean()
            torch.testing.assert_close(distances[row, column], expected, rtol=2e-3, atol=1e-4)


def test_an_image_is_nearest_to_itself(network: DsrNetwork, images: list[Tensor]) -> None:
    matcher = DsrMatcher(network, SIZE)
    same = [images[0], images[2]]
    distances = matcher.distances(matcher.embed(same, role="probe"), matcher.embed(same))
    assert distances.argmin(dim=1).tolist() == [0, 1]


@pytest.mark.parametrize("scales", [(1,), (1, 2)])
def test_explanations_add_up_to_the_distance(
    network: DsrNetwork, images: list[Tensor], scales: tuple[int, ...]
) -> None:
    matcher = DsrMatcher(network, SIZE, scales=scales)
    explanation = matcher.explain(images[1], images[5])
    distance = matcher.distances(matcher.embed([images[1]], role="probe"), matcher.embed([images[5]]))
    assert explanation.distance == pytest.approx(distance.item(), rel=2e-3)
    blocks = sum(len(grid) for grid in explanation.probe_grids)
    atoms = sum(len(grid) for grid in explanation.gallery_grids)
    assert explanation.error.shape == (blocks,)
    assert explanation.coefficients.shape == (atoms, blocks)
    assert explanation.error.mean().item() == pytest.approx(explanation.distance, rel=1e-5)
    assert (explanation.probe.shape[1:], explanation.gallery.shape[1:]) == ((40, 32), SIZE)


def test_probes_keep_their_proportions(network: DsrNetwork) -> None:
    matcher = DsrMatcher(network, SIZE, probe_scale=0.5)
    probe, gallery = torch.rand(3, 96, 128), torch.rand(3, 96, 128)
    (map_of_probe,), (map_of_gallery,) = matcher.embed([probe], role="probe"), matcher.embed([gallery])
    assert map_of_probe.shape[-2:] == (3, 4)  # of 48x64 at stride 16
    assert map_of_gallery.shape[-2:] == (4, 2)  # of the training size


def test_features_do_not_depend_on_the_batch(network: DsrNetwork, images: list[Tensor]) -> None:
    matcher = DsrMatcher(network, SIZE, batch_size=2)
    together = matcher.embed((image for image in images), role="probe")
    for image, features in zip(images, together, strict=True):
        (alone,) = matcher.embed([image], role="probe")
        torch.testing.assert_close(features, alone, rtol=1e-4, atol=1e-5)


def test_empty_sets_give_empty_matrices(network: DsrNetwork, images: list[Tensor]) -> None:
    for matcher in (ResizingMatcher(network, SIZE), DsrMatcher(network, SIZE)):
        gallery = matcher.embed(images[:2])
        assert matcher.distances(matcher.embed([], role="probe"), gallery).shape == (0, 2)
        assert matcher.distances(gallery, []).shape == (2, 0)


def test_scales_that_fit_no_map_are_refused() -> None:
    with pytest.raises(ValueError, match="no block of scales"):
        block_set(torch.rand(4, 1, 3), (2, 3))


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_maps_are_kept_and_multiplied_as_they_are(
    network: DsrNetwork, images: list[Tensor], half: Half, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, matcher = DsrMatcher(network, SIZE, scales=(1, 2)), DsrMatcher(network, SIZE, scales=(1, 2), half=half)
    assert matcher.embedding != full.embedding
    probes, gallery = matcher.embed(images[:2], role="probe"), matcher.embed(images[:3])
    expected = full.embed(images[:2], role="probe")
    assert [maps.dtype for maps in (*probes, *gallery)] == [getattr(torch, half)] * 5
    assert probes[0].nbytes == expected[0].nbytes // 2
    given: list[torch.dtype] = []
    op = reidops.dsr_distance

    def spy(left: list[Tensor], right: list[Tensor], *rest: object, **options: object) -> Tensor:
        given.extend(maps.dtype for maps in (*left, *right))
        return op(left, right, *rest, **options)

    monkeypatch.setattr(reidops, "dsr_distance", spy)
    found = matcher.distances(probes, gallery)
    assert set(given) == {getattr(torch, half)}
    assert found.dtype == torch.float32
    assert not found.equal(found.to(probes[0].dtype).float())  # not rounded, so that few are equal
    error = torch.finfo(getattr(torch, half)).eps
    torch.testing.assert_close(found, full.distances(expected, full.embed(images[:3])), rtol=0, atol=error)
    assert matcher.explain(images[0], images[1]).distance == pytest.approx(found[0, 1].item(), abs=error)
