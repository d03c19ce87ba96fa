"""Weights in torchvision's format, by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from reidops_models.state import StateError, misfits, read_state

CLASSIFIERS = ("fc.", "classifier.")


class WeightsError(ValueError):
    """Weights that do not fit a backbone; the message is one line."""


def load_torchvision_weights(backbone: nn.Module, source: str | Path | Mapping[str, Tensor]) -> None:
    """Load ImageNet weights in torchvision's naming into a backbone, in place.

    Keys of the classifier (`fc.*`, `classifier.*`) are left out; every other key must fit. Nothing is loaded if
    anything does not.

    Args:
        backbone: `FCN` takes torchvision's `vgg16`, `resnet18` and `resnet50` their namesakes.
        source: a `.safetensors` file, a `.pth` file (read with `weights_only=True`: it can run no code), or a state
            dict.

    Raises:
        WeightsError: no such file, not a state dict, or keys that are missing, unexpected or of another shape.

    Example:
        >>> from reidops_models.backbones import resnet18
        >>> state = resnet18().state_dict()  # or the path of torchvision's "resnet18-f37072fd.pth"
        >>> load_torchvision_weights(resnet18(last_stride=1), state)
    """
    origin = "state dict" if isinstance(source, Mapping) else str(source)
    state = source if isinstance(source, Mapping) else _read(Path(source))
    found = {name: value for name, value in state.items() if not name.startswith(CLASSIFIERS)}
    # Weights saved before PyTorch 0.4.1 have no count of batches, and inference needs none.
    if complaint := misfits(backbone.state_dict(), found, needless=("num_batches_tracked",)):
        raise WeightsError(f"{origin} does not fit {type(backbone).__name__}: {complaint}")
    backbone.load_state_dict(found, strict=False)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        state = read_state(path)
    except StateError as error:
        raise WeightsError(str(error)) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path}: expected a state dict of tensors, got {type(state).__name__}")
    return state
