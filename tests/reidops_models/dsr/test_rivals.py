"""SWM, AMC and AMC+SWM agree with loops written from the paper's sentences."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops import reference
from reidops_models.dsr import (
    PAPER,
    DsrNetwork,
    FusedMatcher,
    PatchClassifier,
    SlidingWindowMatcher,
)
from reidops_models.dsr.recipe import NetworkOptions
from reidops_models.matching import Images, distance_tables
from reidops_models.recipe import load_recipe

SIZE = (64, 32)


@pytest.fixture(scope="module")
def network() -> DsrNetwork:
    torch.manual_seed(0)
    return DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=3).eval()


@pytest.fixture(scope="module")
def probes() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.rand(3, *size) for size in ((40, 32), (64, 17), (40, 32), (64, 32), (20, 10))]


@pytest.fixture(scope="module")
def gallery() -> list[Tensor]:
    torch.manual_seed(2)
    return [torch.rand(3, *SIZE) for _ in range(4)]


def features(network: DsrNetwork, image: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(image[None])[0].flatten()


@pytest.mark.parametrize("step", [7, 16])
def test_swm_searches_the_most_similar_region(
    network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor], step: int
) -> None:
    matcher = SlidingWindowMatcher(network, SIZE, step=step, batch_size=5)
    found = matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery))
    for i, probe in enumerate(probes):
        height, width = probe.shape[1:]
        for j, image in enumerate(gallery):
            distances = []
            top = 0
            while True:  # from the top to the bottom
                left = 0
                while True:  # from the left to the right
                    window = image[:, top : top + height, left : left + width]
                    distances.append((features(network, probe) - features(network, window)).norm())
                    if left + width == 32:
                        break
                    left = min(left + step, 32 - width)
                if top + height == 64:
                    break
                top = min(top + step, 64 - height)
            torch.testing.assert_close(found[i, j], torch.stack(distances).min(), rtol=1e-4, atol=1e-5)


def test_swm_finds_where_a_probe_was_cut(network: DsrNetwork, gallery: list[Tensor]) -> None:
    matcher = SlidingWindowMatcher(network, SIZE, step=8, batch_size=64)
    cut = [image[:, 16:56, 8 * (i % 3) :][:, :, :16] for i, image in enumerate(gallery)]
    distances = matcher.distances(matcher.embed(cut, role="probe"), matcher.embed(gallery))
    torch.testing.assert_close(distances.diagonal(), torch.zeros(4), rtol=0, atol=1e-2)  # cdist's rounding
    assert distances.argmin(dim=1).tolist() == [0, 1, 2, 3]


def test_swm_takes_no_more_windows_at_a_time_than_a_batch(
    network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    features_of = SlidingWindowMatcher._features

    def counted(self: SlidingWindowMatcher, images: Iterable[Tensor]) -> list[Tensor]:
        found = features_of(self, images)
        taken.append(len(found))
        return found

    monkeypatch.setattr(SlidingWindowMatcher, "_features", counted)
    tables = []
    for batch_size in (5, 1000):
        taken.clear()
        matcher = SlidingWindowMatcher(network, SIZE, step=16, batch_size=batch_size)
        tables.append(matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery)))
        # 40x32 has 3 windows, 64x17 2, 64x32 1 and 20x10 12 in a gallery image
        assert max(taken) == (12 if batch_size == 5 else 4 * 12)
    torch.testing.assert_close(*tables, rtol=1e-4, atol=1e-4)


def test_swm_shrinks_what_is_larger_than_the_gallery(network: DsrNetwork, gallery: list[Tensor]) -> None:
    matcher = SlidingWindowMatcher(network, SIZE, step=16)
    large, small = torch.rand(3, 128, 32), torch.rand(3, 30, 20)
    embedded = matcher.embed([large, small], role="probe")
    assert [tuple(image.shape) for image in embedded] == [(3, 64, 16), (3, 30, 20)]
    odd, dot = torch.rand(3, 150, 11), torch.rand(3, 1, 900)  # 150 * (64 / 150) is not 64 in floating point
    embedded = matcher.embed([odd, dot], role="probe")
    assert [tuple(image.shape) for image in embedded] == [(3, 64, 5), (3, 1, 32)]
    assert matcher.distances(embedded, matcher.embed(gallery)).isfinite().all()
    doubled = SlidingWindowMatcher(network, SIZE, step=16, probe_scale=2).embed([small], role="probe")
    assert tuple(doubled[0].shape) == (3, 48, 32)  # 60 x 40 would not fit


@pytest.mark.parametrize("groups", [None, [5, 6, 5, 7]], ids=["images", "people"])
def test_amc_classifies_each_patch_among_all(
    network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor], groups: list[int] | None
) -> None:
    matcher = PatchClassifier(network, SIZE, patch=32, batch_size=5)

    def vectors(image: Tensor) -> Tensor:
        """(D, patches): half overlap, so every 16 pixels, and at the far borders."""
        height, width = (max(32, length) for length in image.shape[1:])
        image = F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
        tops, lefts = (sorted({*range(0, length - 31, 16), length - 32}) for length in (height, width))
        patches = [image[:, top : top + 32, left : left + 32] for top in tops for left in lefts]
        return torch.stack([F.normalize(features(network, patch), dim=0) for patch in patches], dim=1)

    people = groups or list(range(len(gallery)))
    labels = list(dict.fromkeys(people))
    parts = {label: torch.cat([vectors(g) for g, k in zip(gallery, people) if k == label], dim=1) for label in labels}
    dictionary = torch.cat(list(parts.values()), dim=1).double()
    found = matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery), groups=groups)
    assert found.shape == (len(probes), len(labels))
    for i, probe in enumerate(probes):
        x = vectors(probe).double()
        w = reference.sparse_reconstruct(x, dictionary, 0.4)[0].split([part.shape[1] for part in parts.values()])
        for j, (part, own) in enumerate(zip(parts.values(), w, strict=True)):
            expected = (x - part.double() @ own).square().sum(0).mean().float()
            torch.testing.assert_close(found[i, j], expected, rtol=2e-3, atol=1e-4)


def test_both_together(network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor]) -> None:
    swm = SlidingWindowMatcher(network, SIZE, step=16)
    amc = PatchClassifier(network, SIZE, patch=32)
    both = FusedMatcher(amc, swm)
    found = both.distances(both.embed(probes, role="probe"), both.embed(gallery))
    tables = [one.distances(one.embed(probes, role="probe"), one.embed(gallery)).tolist() for one in (amc, swm)]
    for i in range(len(probes)):
        for j in range(len(gallery)):
            expected = sum(
                weight * (table[i][j] - min(table[i])) / (max(table[i]) - min(table[i]))
                for weight, table in zip((0.7, 0.3), tables, strict=True)
            )
            assert float(found[i, j]) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_table_makes_both_from_the_two_without_another_look(
    network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    swm, amc, both = PAPER.build_rivals(network, load_recipe("dsr/demo"))
    expected = both.distances(both.embed(probes, role="probe"), both.embed(gallery))

    def another_look(*_: object, **__: object) -> None:
        raise AssertionError("embedded again")

    monkeypatch.setattr(FusedMatcher, "embed", another_look)
    sides = Images.of(probes), Images.of(gallery)
    found = {matcher.name: table for matcher, table in distance_tables([swm, amc, both], *sides)}
    assert torch.equal(found[both.name][:], expected)


def test_images_of_all_sizes_are_brought_to_the_gallerys(network: DsrNetwork, probes: list[Tensor]) -> None:
    torch.manual_seed(3)
    natural = [torch.rand(3, *size) for size in ((128, 64), (100, 31), (64, 32), (7, 5))]
    resized = [F.interpolate(image[None], SIZE, mode="bilinear", antialias=True)[0] for image in natural]
    for matcher in (SlidingWindowMatcher(network, SIZE, step=16), PatchClassifier(network, SIZE, patch=32)):
        embedded = matcher.embed(probes, role="probe")
        found, expected = (matcher.distances(embedded, matcher.embed(images)) for images in (natural, resized))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_gallery_of_one_image_ranks_it(network: DsrNetwork, probes: list[Tensor], gallery: list[Tensor]) -> None:
    for matcher in PAPER.build_rivals(network, load_recipe("dsr/demo")):
        distances = matcher.distances(matcher.embed(probes[:2], role="probe"), matcher.embed(gallery[:1]))
        assert distances.shape == (2, 1)
        assert distances.isfinite().all()
        assert matcher.explain(probes[0], gallery[0]) is None
        assert matcher.distances([], matcher.embed(gallery)).shape == (0, 4)
        assert matcher.distances(matcher.embed(probes, role="probe"), []).shape == (5, 0)


def test_the_papers_values() -> None:
    recipe = load_recipe("dsr/market1501_fcn")
    swm, amc, both = PAPER.build_rivals(PAPER.build_network(recipe, 2), recipe, [(640, 240)])
    assert (swm.step, amc.patch, both.weight) == (32, 64, 0.7)
    assert (swm.probe_scale, amc.probe_scale, amc.beta) == (0.5, 0.5, 0.4)
    with torch.inference_mode():
        assert amc.embed([torch.rand(3, 320, 120)])[0].shape == (2048, 27, 1)  # 9 x 3 patches of 2 x 2 x 512
    assert [matcher.name for matcher in (swm, amc, both)] == ["SWM", "AMC", "AMC+SWM"]
