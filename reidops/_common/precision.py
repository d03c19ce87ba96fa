"""In which dtype an op computes, and in which it answers."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from .arguments import is_autocast

_HALF = (torch.float16, torch.bfloat16)


def computing_dtype(dtype: torch.dtype) -> torch.dtype:
    """float16 and bfloat16 are summed in float32."""
    return torch.float32 if dtype in _HALF else dtype


def result_dtype(tensor: Tensor) -> torch.dtype:
    """The input's own dtype; under autocast float32, as for every op on autocast's float32 list."""
    return computing_dtype(tensor.dtype) if is_autocast(tensor) else tensor.dtype


def without_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """The matrix products inside an op stay in float32 under autocast: half of them cancels in ||x - Yw||^2."""
    return torch.autocast(tensor.device.type, enabled=False) if is_autocast(tensor) else nullcontext()
