"""Weights of public files, loaded by key."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from reidops_models.backbones import Backbone, WeightsError, build_backbone, load_pretrained

# A few keys and shapes of public files, written down from the models that they are of.
PUBLIC = {
    "fcn": {"features.0.weight": (64, 3, 3, 3), "features.28.bias": (512,), "features.10.weight": (256, 128, 3, 3)},
    "resnet18": {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 3, 3), "layer4.1.bn2.bias": (512,)},
    "resnet50": {
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer2.0.downsample.1.running_var": (512,),
        "layer3.5.conv2.weight": (256, 256, 3, 3),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
    },
    "resnet50_ibn_a": {
        "bn1.weight": (64,),
        "layer1.0.bn1.IN.weight": (32,),
        "layer2.3.bn1.BN.running_mean": (64,),
        "layer3.5.bn1.IN.bias": (128,),
        "layer3.5.bn2.weight": (256,),
        "layer4.0.bn1.weight": (512,),
    },
    "osnet_x1_0": {
        "conv1.conv.weight": (64, 3, 7, 7),
        "conv2.0.conv1.conv.weight": (64, 64, 1, 1),
        "conv2.0.conv2a.conv1.weight": (64, 64, 1, 1),
        "conv2.0.conv2d.3.conv2.weight": (64, 1, 3, 3),
        "conv2.1.gate.fc1.weight": (4, 64, 1, 1),
        "conv2.1.gate.fc2.bias": (64,),
        "conv2.2.0.conv.weight": (256, 256, 1, 1),
        "conv3.0.downsample.bn.running_var": (384,),
        "conv4.1.conv3.bn.weight": (512,),
        "conv5.conv.weight": (512, 512, 1, 1),
    },
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_keys_are_those_of_public_files(name: str) -> None:
    with torch.device("meta"):
        state = build_backbone(name).state_dict()
    for key, shape in PUBLIC[name].items():
        assert tuple(state[key].shape) == shape


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_loads_from_files_and_leaves_the_classifier_out(tmp_path: Path, suffix: str) -> None:
    state = weights()
    path = tmp_path / f"slim{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    backbone = build_backbone("resnet_slim")
    load_pretrained(backbone, path)
    for name, value in backbone.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)


def test_files_of_several_devices_load() -> None:
    """Torchreid's OSNet: `module.` before every name, an embedding and a classifier behind the trunk."""
    trunk = build_backbone("osnet_x0_25").state_dict()
    state = {f"module.{name}": value for name, value in trunk.items()}
    state |= {"module.fc.0.weight": torch.zeros(512, 128), "module.classifier.bias": torch.zeros(1000)}
    backbone = build_backbone("osnet_x0_25")
    load_pretrained(backbone, state)
    assert backbone.state_dict()["conv5.conv.weight"].equal(trunk["conv5.conv.weight"])


def test_weights_without_ibn_do_not_fit_a_network_with_it() -> None:
    with pytest.raises(WeightsError, match=r"state dict does not fit ResNet: missing: layer1\.0\.bn1\.IN\.weight"):
        load_pretrained(build_backbone("resnet50_ibn_a_slim"), build_backbone("resnet50_slim").state_dict())


def test_old_files_without_batch_counts_load() -> None:
    state = {name: value for name, value in weights().items() if not name.endswith("num_batches_tracked")}
    backbone = build_backbone("resnet_slim")
    load_pretrained(backbone, state)
    torch.testing.assert_close(backbone.state_dict()["conv1.weight"], state["conv1.weight"])


def test_everything_that_does_not_fit_is_named_and_nothing_is_loaded() -> None:
    state = weights()
    del state["layer1.0.conv1.weight"]
    state["layer5.0.conv1.weight"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(24, 3, 7, 7)
    backbone = build_backbone("resnet_slim")
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_pretrained(backbone, state)
    message = str(caught.value)
    assert "missing: layer1.0.conv1.weight" in message
    assert "unexpected: layer5.0.conv1.weight" in message
    assert "conv1.weight (24, 3, 7, 7) instead of (24, 3, 3, 3)" in message
    assert "\n" not in message
    for name, value in backbone.state_dict().items():
        assert value.equal(before[name])


def test_a_number_may_be_a_list_of_one_as_old_files_have_it() -> None:
    state = weights()
    counts = [name for name in state if name.endswith("num_batches_tracked")]
    backbone = build_backbone("resnet_slim")
    load_pretrained(backbone, state | {name: torch.tensor([7 + k]) for k, name in enumerate(counts)})
    assert [backbone.state_dict()[name] for name in counts] == [7 + k for k in range(len(counts))]
    with pytest.raises(WeightsError, match=r"num_batches_tracked \(2,\) instead of \(\)"):
        load_pretrained(backbone, state | {counts[0]: torch.tensor([7, 8])})


def test_unreadable_files_are_one_line(tmp_path: Path) -> None:
    backbone = build_backbone("resnet_slim")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_pretrained(backbone, tmp_path / "none.pth")
    for name in ("broken.pth", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"not weights")
        with pytest.raises(WeightsError, match="not a file of weights") as caught:
            load_pretrained(backbone, tmp_path / name)
        assert "\n" not in str(caught.value)
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="expected a state dict of tensors, got list"):
        load_pretrained(backbone, tmp_path / "list.pth")


def test_a_file_that_holds_code_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": Backbone}, tmp_path / "code.pth")
    with pytest.raises(WeightsError, match="not a file of weights"):
        load_pretrained(build_backbone("resnet_slim"), tmp_path / "code.pth")


def weights() -> dict[str, Tensor]:
    """A slim ResNet's, with the classifier that torchvision's files have."""
    return {**build_backbone("resnet_slim").state_dict(), "fc.weight": torch.zeros(10, 192), "fc.bias": torch.zeros(10)}
