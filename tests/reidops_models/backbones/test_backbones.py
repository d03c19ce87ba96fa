"""Shapes, published parameter counts, stages, and images of any size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reidops_models.backbones import BACKBONES, Backbone, build_backbone
from reidops_models.backbones.osnet import LightConvolution
from reidops_models.backbones.resnet import InstanceBatchNorm


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("fcn", 14_714_688),
        ("osnet_x1_0", 1_905_828),
        ("osnet_x0_25", 134_792),
        ("resnet18", 11_176_512),
        ("resnet50", 23_508_032),
        ("resnet50_ibn_a", 23_508_032),
        ("resnet_slim", 690_552),
        ("resnet50_slim", 504_464),
        ("resnet50_ibn_a_slim", 504_464),
    ],
)
def test_parameter_counts(name: str, parameters: int) -> None:
    assert count(name) == parameters


@pytest.mark.parametrize(
    ("name", "published", "classes", "features"),
    [
        ("resnet18", 11_689_512, 1000, 512),
        ("resnet50", 25_557_032, 1000, 2048),
        ("resnet50_ibn_a", 25_557_032, 1000, 2048),
    ],
)
def test_with_their_classifiers_they_have_the_published_counts(
    name: str, published: int, classes: int, features: int
) -> None:
    assert count(name) + (features + 1) * classes == published


def test_osnet_has_the_published_count() -> None:
    """Torchreid prints 2,193,616 for OSNet x1.0 with its embedding of 512 (linear, with batch normalisation). Its
    counter meets the gate of a block once for each of the four streams that share it, and counts it four times."""
    with torch.device("meta"):
        network = build_backbone("osnet_x1_0")
    gates = [layer for name, layer in network.named_modules() if name.endswith(".gate")]
    again = 3 * sum(one.numel() for gate in gates for one in gate.parameters())
    embedding = 512 * 512 + 512 + 2 * 512
    assert len(gates) == 6
    assert count("osnet_x1_0") + embedding + again == 2_193_616


@pytest.mark.parametrize(
    ("name", "channels", "strides"),
    [
        ("fcn", (64, 128, 256, 512, 512), (2, 4, 8, 16, 32)),
        ("resnet18", (64, 128, 256, 512), (4, 8, 16, 32)),
        ("resnet50", (256, 512, 1024, 2048), (4, 8, 16, 32)),
        ("resnet50_ibn_a", (256, 512, 1024, 2048), (4, 8, 16, 32)),
        ("osnet_x1_0", (256, 384, 512, 512), (4, 8, 16, 16)),
    ],
)
def test_maps_of_every_stage(name: str, channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
    backbone = build_backbone(name).eval()
    assert backbone.stage_channels == channels
    assert backbone.stage_strides == strides
    images = torch.rand(1, 3, 64, 32)
    with torch.inference_mode():
        maps = backbone.stage_maps(images)
        last = backbone(images)
    expected = [(1, wide, 64 // step, 32 // step) for wide, step in zip(channels, strides, strict=True)]
    assert [tuple(one.shape) for one in maps] == expected
    assert maps[-1].equal(last)


def test_ibn_normalises_half_of_the_channels_of_each_image_by_itself() -> None:
    layer = InstanceBatchNorm(6).eval()
    maps = torch.randn(4, 6, 5, 3) * 3 + 7
    out = layer(maps)
    for image in range(4):
        for channel in range(3):
            own = maps[image, channel]
            expected = (own - own.mean()) / (own.var(unbiased=False) + 1e-5).sqrt()
            torch.testing.assert_close(out[image, channel], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out[:, 3:], maps[:, 3:] / (1 + 1e-5) ** 0.5)


def test_ibn_stands_in_the_first_three_stages_alone() -> None:
    with torch.device("meta"):
        names = [
            name for name, layer in build_backbone("resnet50_ibn_a").named_modules() if type(layer) is InstanceBatchNorm
        ]
    assert len(names) == 3 + 4 + 6
    assert all(name.endswith(".bn1") and not name.startswith("layer4") for name in names)


def test_osnet_blocks_have_streams_of_1_to_4_light_convolutions() -> None:
    with torch.device("meta"):
        block = build_backbone("osnet_x1_0").get_submodule("conv3.0")
    counts = [
        sum(type(layer) is LightConvolution for layer in block.get_submodule(f"conv2{name}").modules())
        for name in "abcd"
    ]
    assert counts == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_maps_equal_those_of_transformers(name: str) -> None:
    """The same weights in an independent implementation; needs the package transformers, which nothing else does."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    ours = build_backbone(name).eval()
    shape = {"resnet18": ("basic", [2, 2, 2, 2], 1), "resnet50": ("bottleneck", [3, 4, 6, 3], 4)}[name]
    kind, depths, expansion = shape
    config = transformers.ResNetConfig(
        layer_type=kind, depths=depths, hidden_sizes=[64 * expansion * 2**stage for stage in range(4)]
    )
    theirs = transformers.ResNetModel(config).eval()
    tensors = [value for value in ours.state_dict().values() if value.dim()]
    for value in tensors:  # statistics and scales, too, are to be told apart
        if value.is_floating_point() and value.dim() == 1:
            value.uniform_(0.5, 1.5)
    theirs.load_state_dict(_as_transformers(ours, theirs))
    images = torch.rand(2, 3, 64, 32)
    with torch.inference_mode():
        expected = theirs(ours.normalise(images), output_hidden_states=True).hidden_states[1:]
        for one, other in zip(ours.stage_maps(images), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def _as_transformers(ours: Backbone, theirs: torch.nn.Module) -> dict[str, Tensor]:
    """Our weights under their names: both list convolutions and normalisations of a block in one order, but for the
    shortcut, which comes last with us and first with them."""
    groups: dict[str, list[tuple[str, Tensor]]] = {}
    for name, value in ours.state_dict().items():
        group = "stem" if not name.startswith("layer") else ".".join(name.split(".")[:2])
        groups.setdefault(group, []).append((name, value))
    ordered = []
    for group in groups.values():
        shortcut = [value for name, value in group if "downsample" in name]
        ordered += shortcut + [value for name, value in group if "downsample" not in name]
    names = list(theirs.state_dict())
    assert len(names) == len(ordered)
    return dict(zip(names, ordered, strict=True))


def test_fcn_gives_the_papers_15360_values() -> None:
    with torch.inference_mode():
        maps = build_backbone("fcn")(torch.rand(1, 3, 320, 120))
    assert maps.shape == (1, 512, 10, 3)
    assert maps[0].numel() == 15_360


def test_fcn_has_13_convolutions_and_5_poolings() -> None:
    layers = [type(layer) for layer in build_backbone("fcn").modules()]
    assert layers.count(torch.nn.Conv2d) == 13
    assert layers.count(torch.nn.MaxPool2d) == 5


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet50_ibn_a", "resnet_slim", "resnet50_slim"])
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
    with pytest.raises(ValueError, match="unknown backbone 'vgg'; known: fcn, osnet_x0_25, osnet_x1_0, resnet18"):
        build_backbone("vgg")
    with pytest.raises(ValueError, match="last_stride: expected 1 or 2, got 3"):
        build_backbone("resnet18", last_stride=3)


def count(name: str) -> int:
    """Parameters of a backbone."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_backbone(name).parameters())


SLIM = build_backbone("resnet_slim").eval()
