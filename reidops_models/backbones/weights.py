"""Pretrained weights from public files, by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from reidops_models.weights import WeightsError, read_weights, state_mismatch

CLASSIFIERS = ("fc.", "classifier.")
PARALLEL = "module."  # what torch's DataParallel puts before every name


def load_pretrained(backbone: nn.Module, source: str | Path | Mapping[str, Tensor]) -> None:
    """Load ImageNet weights into a backbone, in place.

    | backbone | file |
    | --- | --- |
    | `FCN` | torchvision's `vgg16` |
    | `resnet18`, `resnet50` | torchvision's of the same name |
    | `resnet50_ibn_a` | IBN-Net's `resnet50_ibn_a-d9d0bb7b.pth` |
    | `osnet_x1_0`, `osnet_x0_25` | Torchreid's `osnet_x1_0_imagenet.pth`, `osnet_x0_25_imagenet.pth` |

    Keys of the classifier (`fc.*`, `classifier.*`) are left out; every other key must fit. Nothing is loaded if
    anything does not.

    Args:
        backbone: as :func:`reidops_models.backbones.build_backbone` makes it.
        source: a `.safetensors` file, a `.pth` file (read with `weights_only=True`: it can run no code), or a state
            dict. Names may have the `module.` that training on several devices puts before them.

    Raises:
        WeightsError: no such file, not a state dict, or keys that are missing, unexpected or of another shape.

    Example:
        >>> from reidops_models.backbones import resnet18
        >>> state = resnet18().state_dict()  # or the path of torchvision's "resnet18-f37072fd.pth"
        >>> load_pretrained(resnet18(last_stride=1), state)
    """
    origin = "state dict" if isinstance(source, Mapping) else str(source)
    state = source if isinstance(source, Mapping) else _read(Path(source))
    names = {name.removeprefix(PARALLEL): value for name, value in state.items()}
    found = {name: value for name, value in names.items() if not name.startswith(CLASSIFIERS)}
    # Weights saved before PyTorch 0.4.1 have no count of batches, and inference needs none.
    if complaint := state_mismatch(backbone.state_dict(), found, optional=("num_batches_tracked",)):
        raise WeightsError(f"{origin} does not fit {type(backbone).__name__}: {complaint}")
    backbone.load_state_dict(found, strict=False)


def _read(path: Path) -> Mapping[str, Tensor]:
    state = read_weights(path)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path}: expected a state dict of tensors, got {type(state).__name__}")
    return state
