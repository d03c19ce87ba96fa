"""Shapes, published parameter counts, and images of any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.backbones import BACKBONES, build_backbone


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("fcn", 14_714_688), ("resnet18", 11_176_512), ("resnet50", 23_508_032), ("resnet_slim", 690_552)],
)
def test_parameter_counts_are_the_published_ones(name: str, parameters: int) -> None:
    with torch.device("meta"):
        backbone = build_backbone(name)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == parameters


def test_fcn_gives_the_papers_15360_values() -> None:
    with torch.inference_mode():
        maps = build_backbone("fcn")(torch.rand(1, 3, 320, 120))
    assert maps.shape == (1, 512, 10, 3)
    assert maps[0].numel() == 15_360


def test_fcn_has_13_convolutions_and_5_poolings() -> None:
    layers = [type(layer) for layer in build_backbone("fcn").modules()]
    assert layers.count(torch.nn.Conv2d) == 13
    assert layers.count(torch.nn.MaxPool2d) == 5


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet_slim"])
@pytest.mark.parametrize("last_stride", [1, 2])
def test_last_stride_sets_the_size_of_the_maps(name: str, last_stride: int) -> None:
    backbone = build_backbone(name, last_stride=last_stride).eval()
    with torch.inference_mode():
        maps = backbone(torch.rand(1, 3, 128, 64))
    assert backbone.stride == 16 * last_stride
    assert maps.shape == (1, backbone.channels, 128 // backbone.stride, 64 // backbone.stride)


@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize("size", [(1, 1), (200, 1), (1, 70), (31, 33)])
def test_every_size_has_a_map(name: str, size: tuple[int, int]) -> None:
    backbone = build_backbone(name).eval()
    with torch.inference_mode():
        maps = backbone(torch.rand(1, 3, *size))
    assert min(maps.shape[-2:]) >= 1
    assert maps.isfinite().all()


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_slim_maps_are_a_stride_th_of_the_image(height: int, width: int) -> None:
    with torch.inference_mode():
        maps = SLIM(torch.rand(1, 3, height, width))
    # Padded strided convolutions round up.
    assert maps.shape[-2:] == (-(-height // SLIM.stride), -(-width // SLIM.stride))


def test_padding_repeats_the_border() -> None:
    fcn = build_backbone("fcn").eval()
    image = torch.rand(1, 3, 32, 20)
    padded = torch.cat([image, image[..., -1:].expand(-1, -1, -1, 12)], dim=-1)
    with torch.inference_mode():
        torch.testing.assert_close(fcn(image), fcn(padded), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(3, 64, 32), (1, 1, 64, 32), (1, 3, 0, 32)])
def test_what_is_no_batch_of_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"ResNet: images: expected \(B, 3, H, W\)"):
        SLIM(torch.zeros(shape))


def test_unknown_names_and_strides_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown backbone 'vgg'; known: fcn, resnet18"):
        build_backbone("vgg")
    with pytest.raises(ValueError, match="last_stride: expected 1 or 2, got 3"):
        build_backbone("resnet18", last_stride=3)


SLIM = build_backbone("resnet_slim").eval()
