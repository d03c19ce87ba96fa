"""Checks of arguments: every error names the op, the argument, what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LONGEST_VALUE = 80  # characters of a value in a message


def describe(value: object) -> str:
    """A short name for what came, on one line: shape and dtype of a tensor or an array, else the value and its type."""
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)} on {value.device}"
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} {kind} of shape {value.shape}"
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + '...'} ({kind})"


def check_tensor(op: str, name: str, value: object, shape: str, least_dims: int, most_dims: int | None = None) -> None:
    """A floating-point tensor with so many dimensions; ``shape`` is how the message writes them."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{op}: {name} must be a tensor of shape {shape}, got {describe(value)}")
    if value.dtype not in DTYPES:
        raise TypeError(f"{op}: {name} must be float32, float64, float16 or bfloat16, got {describe(value)}")
    if value.dim() < least_dims or (most_dims is not None and value.dim() > most_dims):
        raise ValueError(f"{op}: {name} must have shape {shape}, got {describe(value)}")


def check_alike(op: str, name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Two tensors on one device, of one dtype (autocast may mix them: it makes both float32)."""
    if value.device != other.device:
        raise ValueError(f"{op}: {name} must be on {other_name}'s device {other.device}, got {describe(value)}")
    if value.dtype != other.dtype and not is_autocast(value):
        raise TypeError(f"{op}: {name} must have {other_name}'s dtype {other.dtype}, got {describe(value)}")


def check_broadcast(
    op: str, name: str, value: Tensor, own: Sequence[int], other_name: str, other: Sequence[int]
) -> list[int]:
    """The batch that two tensors' batch dimensions broadcast to. (`torch.broadcast_shapes` takes 16 us.)"""
    batch = []
    for a, b in zip_longest(reversed(own), reversed(other), fillvalue=1):
        if a != b and a != 1 and b != 1:  # not `in`: compiled, sizes are symbols
            raise ValueError(
                f"{op}: {name} must have batch dimensions that broadcast with {other_name}'s {tuple(other)}, "
                f"got {describe(value)}"
            )
        batch.append(b if a == 1 else a)
    return batch[::-1]


def check_number(op: str, name: str, value: object, least: float, *, or_equal: bool) -> None:
    """A finite number above ``least``, or equal to it."""
    expected = f"a finite number {'>=' if or_equal else '>'} {least}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{op}: {name} must be {expected}, got {describe(value)}")
    inside = value >= least if or_equal else value > least
    if not (inside and value < math.inf):  # not isfinite: compiled, a number may be a symbol, which only compares
        raise ValueError(f"{op}: {name} must be {expected}, got {value}")


def check_count(op: str, name: str, value: object) -> None:
    """A positive integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{op}: {name} must be an int >= 1, got {describe(value)}")
    if value < 1:
        raise ValueError(f"{op}: {name} must be an int >= 1, got {value}")


def check_choice(op: str, name: str, value: object, choices: Sequence[str]) -> None:
    """One of a few names."""
    if value not in choices:
        raise ValueError(f"{op}: {name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def is_autocast(tensor: Tensor) -> bool:
    """Whether autocast is on where this tensor lives."""
    kind = tensor.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
