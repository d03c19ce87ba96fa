"""What several operators tell torch, or refuse, in the same way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

MOST_BATCH_DIMS = 8  #: as `kMostBatchDims` in csrc/common/walk.h


def reverse_mode_only(op: str, *tensors: Tensor) -> None:
    """Refuses forward-mode derivatives, which no kernel has; torch would drop the tangent, and the result would be 0.

    A public function calls this before it calls its operator, because only there a tangent can still be seen.

    Raises:
        NotImplementedError: a tensor carries a forward-mode tangent.
    """
    if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
        raise NotImplementedError(f"{op}: derivatives are reverse-mode only, got an input with a forward-mode tangent")


def check_batch_dims(op: str, names: str, batch: list[int], most: int = MOST_BATCH_DIMS) -> None:
    """The walk over the batch has room for so many dimensions."""
    if len(batch) > most:
        raise ValueError(f"{op}: {names} must have at most {most} batch dimensions, got {batch}")


def float32_under_autocast(op: str) -> None:
    """Puts the operator ``reidops::...`` on autocast's float32 list, on the CPU and on CUDA."""
    for device_type in ("cpu", "cuda"):
        torch.library.register_autocast(op, device_type, torch.float32)
