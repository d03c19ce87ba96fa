"""Fig. 1: what is made of what, and how wide it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from reidops_models.backbones import build_backbone
from reidops_models.dpti.network import DptiNetwork
from reidops_models.dpti.recipe import NetworkOptions
from reidops_models.matching import embed_in_batches

SLIM = {"backbone": "resnet50_slim", "dimensions": 16, "feed_forward": 32, "parts": 4}
VARIANTS = ("dynamic", "static", "grid", "none")


def build(**changes: Any) -> DptiNetwork:
    torch.manual_seed(0)
    return DptiNetwork(NetworkOptions(**{**SLIM, **changes}), (64, 32), identities=5).eval()


def test_the_papers_descriptor_has_2304_values() -> None:
    with torch.device("meta"):
        network = DptiNetwork(NetworkOptions(backbone="resnet50"), (256, 128), identities=751)
        described = network.eval().describe(torch.zeros(1, 3, 256, 128))
    assert network.width == 2304 == (8 + 1) * 256
    assert described.descriptor().shape == (1, 2304)
    assert described.parts.shape == (1, 8, 256)
    assert described.size == (16, 8)
    assert described.templates is not None
    assert described.templates.correlations is not None
    assert described.templates.correlations.shape == (1, 8, 128)
    assert network.backbone.stride == 16  # the last stride is 1


@pytest.mark.parametrize("templates", VARIANTS)
def test_every_variant_of_table_4(templates: str) -> None:
    network = build(templates=templates)
    width = 16 if templates == "none" else 5 * 16
    with torch.inference_mode():
        descriptors = network.embed(torch.rand(2, 3, 64, 32))
        predictions = network.classify(torch.rand(2, 3, 64, 32))
    assert descriptors.shape == (2, width)
    torch.testing.assert_close(descriptors.norm(dim=1), torch.ones(2))
    assert predictions.logits.shape == (2, 5)
    assert predictions.features.shape == (2, width)
    assert predictions.parts.shape == (2, 0 if templates == "none" else 4, 16)


@pytest.mark.parametrize("backbone", ["resnet_slim", "resnet50_slim", "resnet50_ibn_a_slim", "osnet_x0_25"])
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_every_backbone_and_stage(backbone: str, stage: int) -> None:
    network = build(backbone=backbone, stage=stage)
    with torch.inference_mode():
        described = network.describe(torch.rand(2, 3, 64, 32))
    stride = network.backbone.stage_strides[stage - 1]
    assert described.size == (64 // stride, 32 // stride)
    assert described.parts.shape == (2, 4, 16)


def test_the_global_descriptor_is_the_average_of_the_encoders_outputs() -> None:
    network = build()
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        maps = network.reduction(network.backbone(images))
        locations = maps.flatten(2).transpose(1, 2)
        expected = network.encoder(locations, locations).mean(dim=1)
        torch.testing.assert_close(network.describe(images).whole, expected)


def test_parts_are_templates_that_attend_to_the_last_maps() -> None:
    network = build()
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        middle = network.middle_reduction(network.backbone.stage_maps(images)[2]).flatten(2).mT
        templates = network.templates(network.middle_encoder(middle, middle), (4, 2))
        last = network.reduction(network.backbone(images)).flatten(2).mT
        expected = network.part_attention(templates.vectors, network.encoder(last, last))
        torch.testing.assert_close(network.describe(images).parts, expected)


@pytest.mark.parametrize("templates", ["dynamic", "static", "grid"])
def test_attention_maps_have_the_sum_1(templates: str) -> None:
    network = build(templates=templates)
    with torch.inference_mode():
        maps = network.attention(torch.rand(2, 3, 64, 32))
    assert maps.shape == (2, 4, 4, 2)
    torch.testing.assert_close(maps.sum(dim=(2, 3)), torch.ones(2, 4))


def test_without_templates_there_is_no_attention_to_show() -> None:
    with pytest.raises(ValueError, match="no parts to attend to"):
        build(templates="none").attention(torch.rand(1, 3, 64, 32))


def test_static_templates_do_without_the_middle_maps() -> None:
    names = {name.partition(".")[0] for name in build(templates="static").state_dict()}
    assert not names & {"middle_reduction", "middle_encoder"}


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    network = build()
    images = torch.rand(3, 3, 64, 32)
    with torch.inference_mode():
        together = network.embed(images)
        apart = torch.cat([network.embed(one[None]) for one in images])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_an_empty_batch() -> None:
    assert build().embed(torch.zeros(0, 3, 64, 32)).shape == (0, 80)
    assert embed_in_batches(build().embed, []) == []


def test_the_neck_changes_what_is_classified_and_not_what_is_compared() -> None:
    networks = [build(neck=neck) for neck in (True, False)]
    networks[1].load_state_dict(networks[0].state_dict(), strict=False)
    images = torch.rand(4, 3, 64, 32)
    with torch.inference_mode():
        assert networks[0].embed(images).equal(networks[1].embed(images))
        for network in networks:
            network.train()
        necked, plain = (network.classify(images) for network in networks)
    assert not torch.allclose(necked.logits, plain.logits)


def test_the_price_in_parameters() -> None:
    """Of the paper's size: two 1x1 convolutions, three encoders, and the templates, counted by hand."""
    d, width = 256, 1024
    with torch.device("meta"):
        network = DptiNetwork(NetworkOptions(backbone="resnet50", neck=False), (256, 128), identities=751)
        trunk = build_backbone("resnet50")
    encoder = 3 * d * d + 2 * d * width + width + d
    expected = (1024 + 1) * d + (2048 + 1) * d + 3 * encoder + 8 * d + d * d + 2304 * 751 + 751
    found = sum(one.numel() for one in network.parameters()) - sum(one.numel() for one in trunk.parameters())
    assert found == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dimensions": 20}, "dimensions 20 are not a multiple of heads 8"),
        ({"templates": "static", "weighting": True}, "weighting: needs dynamic templates"),
        ({"backbone": "osnet_x0_25", "last_stride": 2}, "last_stride: osnet_x0_25 has no such option"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkOptions(**{**SLIM, **changes})
