"""What several operators tell torch, or refuse, in the same way."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .arguments import describe

MOST_BATCH_DIMS = 8  #: as `kMostBatchDims` in csrc/common/walk.h
_WITH_MEMORY = (Tensor, torch.nn.Parameter)  # other kinds, such as fake tensors, may have none


def reverse_mode_only(op: str, *tensors: Tensor) -> None:
    """Refuses forward-mode derivatives, in the name of a public function whose operators have none.

    Under torch.func a tangent may belong to any level, which the operators alone can tell: they refuse it themselves.

    Raises:
        NotImplementedError: a tensor carries a forward-mode tangent.
    """
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        return
    if any(forward_ad.unpack_dual(tensor).tangent is not None for tensor in tensors):
        raise NotImplementedError(f"{op}: derivatives are reverse-mode only, got an input with a forward-mode tangent")


def check_one_device(op: str, **tensors: Tensor | None) -> None:
    """For a fake kernel, which torch also calls for a mixture of meta tensors and others."""
    (first, like), *others = [(name, value) for name, value in tensors.items() if value is not None]
    for name, value in others:
        if value.device != like.device:
            raise ValueError(f"{op}: {name} must be on {first}'s device {like.device}, got {describe(value)}")


def check_memory(op: str, **tensors: Tensor | None) -> None:
    """What torch's own functions take for granted: that the memory of a tensor holds its last element.

    A storage may have been made smaller than the tensors that lie in it. Where a graph is made there is no memory to
    look at, nor in what a transform has wrapped.

    Raises:
        ValueError: some of a tensor is beyond its storage.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined]
        return
    for name, value in tensors.items():
        if value is None or type(value) not in _WITH_MEMORY or value.layout != torch.strided or is_transformed(value):
            continue
        held, size = value.untyped_storage().nbytes(), value.itemsize
        span = value.numel()  # elements from the first to the last
        if span and not value.is_contiguous():
            span = 1 + sum((n - 1) * step for n, step in zip(value.shape, value.stride()))
        if span and (value.storage_offset() + span) * size > held:
            raise ValueError(f"{op}: {name} must lie in its storage, got {describe(value)} in {held} bytes")


def refuse_tracing(op: str) -> None:
    """For an operator that is given sizes: ``torch.jit.trace`` would keep them as numbers, and be wrong at others.

    Raises:
        NotImplementedError: a trace is being made.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined]
        raise NotImplementedError(f"{op}: torch.jit.trace would keep the traced maps' sizes; use torch.export instead")


def is_transformed(tensor: Tensor) -> bool:
    """Whether a transform of ``torch.func`` has wrapped the tensor."""
    return not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def check_batch_dims(op: str, names: str, batch: list[int], most: int = MOST_BATCH_DIMS) -> None:
    """The walk over the batch has room for so many dimensions."""
    if len(batch) > most:
        raise ValueError(f"{op}: {names} must have at most {most} batch dimensions, got {batch}")


def folded(value: Tensor, dim: int | None, size: int, where: int = 0) -> Tensor:
    """For a vmap of ``size``: the mapped dimension ``dim`` as part of dimension ``where``, repeated if it is None."""
    if dim is None:
        value = value.unsqueeze(where).expand(*value.shape[:where], size, *value.shape[where:])
    else:
        value = value.movedim(dim, where)
    return value.flatten(where, where + 1)


def float32_under_autocast(op: str) -> None:
    """Puts the operator ``reidops::...`` on autocast's float32 list, on the CPU and on CUDA."""
    for device_type in ("cpu", "cuda"):
        torch.library.register_autocast(op, device_type, torch.float32)
