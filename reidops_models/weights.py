"""Files of weights: read without running code, and compared with a network by name and shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

MAX_LISTED = 4  # names in a message; the rest are counted


class WeightsError(ValueError):
    """Weights that cannot be read or do not fit; the message is one line."""


def read_weights(path: str | Path) -> Any:
    """The contents of a `.safetensors` file, or of one written by `torch.save`, on the CPU. Neither can run code.

    Raises:
        WeightsError: the file is missing, damaged, or holds more than tensors and plain values.

    Example:
        >>> read_weights("none.pth")
        Traceback (most recent call last):
        reidops_models.weights.WeightsError: none.pth: cannot be read: No such file or directory
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # the unpickler raises whatever a damaged file leads it to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path}: not a file of weights: {reason}") from error


def state_mismatch(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, optional: tuple[str, ...] = ()
) -> str:
    """Why a state dict cannot be loaded, in one line; empty if it can.

    Args:
        expected: the module's own `state_dict()`.
        found: what was read.
        optional: endings of names that may be missing from what was read.

    Example:
        >>> state_mismatch({"a": torch.ones(2), "b": torch.ones(1)}, {"a": torch.ones(3), "c": torch.ones(1)})
        'missing: b; unexpected: c; shape: a (3,) instead of (2,)'
    """
    missing = [name for name in expected if name not in found and not name.endswith(optional)]
    unexpected = [name for name in found if name not in expected]
    shapes = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in expected
        if name in found and not _fits(found[name], expected[name])
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("shape", shapes))
    return "; ".join(f"{what}: {listed(names)}" for what, names in kinds if names)


def _fits(found: Tensor, expected: Tensor) -> bool:
    """Whether `load_state_dict` takes it: it does also take one number in a list, which is how old files have it."""
    return found.shape == expected.shape or (expected.dim() == 0 and found.shape == (1,))


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c, d and 1 more'
    """
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
