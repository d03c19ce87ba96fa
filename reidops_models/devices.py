"""The device that a caller names."""

from __future__ import annotations

import re

import torch

Device = str | torch.device
"""`auto`, `cpu`, `cuda`, `cuda:N`, or a device of torch's."""


class DeviceError(ValueError):
    """A device that is not there; the message is one line.

    Attributes:
        argument: `device`, as the caller named it.
        reason: the message without the argument.
    """

    def __init__(self, reason: str) -> None:
        self.argument = "device"
        self.reason = reason
        super().__init__(f"{self.argument}: {reason}")


def find_device(device: Device = "auto") -> torch.device:
    """The device that a caller means.

    Args:
        device: `auto` is `cuda` where torch sees a GPU, else `cpu`. `cuda` is torch's current GPU, `cuda:1` the second.

    Raises:
        DeviceError: another word, or a GPU that is not there.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if isinstance(device, torch.device) and device.type not in ("cpu", "cuda"):
        return device  # whoever makes such an object knows what it is for
    name = str(device)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise DeviceError(f"expected auto, cpu, cuda or cuda:N, got {name!r}")
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    if name not in ("cpu", *(["cuda"] if gpus else []), *gpus):
        there = "there is only cpu" if not gpus else f"there are cpu, {', '.join(gpus)}"
        built = "" if torch.version.cuda else ", and this torch is built without CUDA"
        raise DeviceError(f"no {name} on this machine: {there}{built}")
    return torch.device(name)
