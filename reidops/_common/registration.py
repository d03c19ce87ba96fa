"""What several operators tell torch, or refuse, in the same way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch._C import _functorch as functorch
from torch.autograd import forward_ad

MOST_BATCH_DIMS = 8  #: as `kMostBatchDims` in csrc/common/walk.h


def reverse_mode_only(op: str, *tensors: Tensor) -> None:
    """Refuses forward-mode derivatives. No kernel has them, and torch would drop the tangent in silence.

    A public function calls this before it calls its operator, and a backward calls it with the gradient that it is
    given: what follows the operator may carry a tangent even if its inputs do not.

    Raises:
        NotImplementedError: a tensor carries a forward-mode tangent.
    """
    if any(_carries_tangent(tensor) for tensor in tensors):
        raise NotImplementedError(f"{op}: derivatives are reverse-mode only, got an input with a forward-mode tangent")


def _carries_tangent(tensor: Tensor) -> bool:
    # Under a vmap the tangent belongs to the tensor that is mapped. The compiler sees it without unwrapping.
    while not torch.compiler.is_compiling() and functorch.is_batchedtensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return forward_ad.unpack_dual(tensor).tangent is not None


def is_transformed(tensor: Tensor) -> bool:
    """Whether a transform of ``torch.func`` has wrapped the tensor."""
    return not torch.compiler.is_compiling() and functorch.is_functorch_wrapped_tensor(tensor)


def check_batch_dims(op: str, names: str, batch: list[int], most: int = MOST_BATCH_DIMS) -> None:
    """The walk over the batch has room for so many dimensions."""
    if len(batch) > most:
        raise ValueError(f"{op}: {names} must have at most {most} batch dimensions, got {batch}")


def float32_under_autocast(op: str) -> None:
    """Puts the operator ``reidops::...`` on autocast's float32 list, on the CPU and on CUDA."""
    for device_type in ("cpu", "cuda"):
        torch.library.register_autocast(op, device_type, torch.float32)
