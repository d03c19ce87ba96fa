"""Matrix products in the precision of their numbers, whatever the process allows torch to round.

``torch.set_float32_matmul_precision`` and the switches of ``torch.backends`` let torch round float32 before it
multiplies: to TF32 on CUDA, to bfloat16 or TF32 in oneDNN on a CPU.  A certificate that counts the roundings of float32
would be void then, so a product of float32 is made here in full.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)

_ROUNDED = ("tf32", "bf16")
_TOP = 15  # the largest number of a column is scaled to below 2^15, which float16 holds


def matmul(left: Tensor, right: Tensor) -> Tensor:
    """``left @ right`` of one dtype, without autocast; half types are summed in float32, which the result is in.

    Half types go to the matrix units of a GPU as they are.  Float32 is multiplied as float32: on CUDA with TF32 off for
    this thread alone, and in float64 where the switch has no such exception (a CPU's, and that of cuBLASLt).
    """
    with torch.autocast(left.device.type, enabled=False):
        if left.dtype in HALF:
            if left.is_cuda and not _sums_in_half(left.dtype):
                return (torch.mm if left.dim() == 2 else torch.bmm)(left, right, out_dtype=torch.float32)
            left, right = left.float(), right.float()
        if not is_rounded(left):
            return left @ right
        if left.is_cuda and _SWITCH is not None and not _prefers_cublaslt():
            with without_tf32():
                return left @ right
        return (left.double() @ right.double()).to(left.dtype)


def half_times_full(halves: Tensor, full: Tensor) -> Tensor:
    """``halves @ full`` for a half type and float32, summed in float32: two products on the matrix units of a GPU.

    A number of ``full`` is the sum of two of the half type, up to 2^-16 of it in bfloat16 and 2^-22 in float16.  Each
    column is scaled by a power of two, so that float16 holds its numbers however small or large they are.
    """
    high, low, exponent = _split(full, halves.dtype)
    return torch.ldexp(matmul(halves, high) + matmul(halves, low), exponent)


def _split(full: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """``full (C, N) = (high + low) 2^exponent``, with an exponent ``(1, N)`` for each column."""
    finite = full.abs().where(full.isfinite(), 0)
    largest = finite.amax(0, keepdim=True) if len(full) else full.new_zeros(1, full.shape[1])
    exponent = torch.frexp(largest).exponent.clamp(min=-100) - _TOP
    scaled = torch.ldexp(full, -exponent)
    high = scaled.to(dtype)
    return high, (scaled - high).nan_to_num(0, 0, 0).to(dtype), exponent  # what is not finite is so in `high`


def is_rounded(values: Tensor) -> bool:
    """Whether torch may round these values before it multiplies them."""
    if values.dtype != torch.float32:
        return False
    if values.is_cuda:
        return torch.backends.cuda.matmul.fp32_precision in _ROUNDED
    return torch.backends.mkldnn.matmul.fp32_precision in _ROUNDED  # type: ignore[attr-defined]


def _sums_in_half(dtype: torch.dtype) -> bool:
    """Whether the process has asked cuBLAS for sums in float16, which refuses to give them in float32."""
    return dtype == torch.float16 and torch.backends.cuda.matmul.allow_fp16_accumulation


def _prefers_cublaslt() -> bool:
    return torch.backends.cuda.preferred_blas_library() == torch._C._BlasBackend.Cublaslt


class _Switch:
    """ATen's own exception from TF32, ``at::NoTF32Guard``, which holds for one thread; Python has no name for it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.off = library._ZN2at11NoTF32GuardC1Ev
        self.back = library._ZN2at11NoTF32GuardD1Ev
        self.is_off = library._ZN2at11NoTF32Guard19should_disable_tf32Ev
        self.is_off.argtypes, self.is_off.restype = [], ctypes.c_bool
        for function in (self.off, self.back):
            function.argtypes, function.restype = [ctypes.c_void_p], None


def _switch() -> _Switch | None:
    try:
        return _Switch(ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")))
    except (OSError, AttributeError):
        return None


_SWITCH = _switch()


@contextmanager
def without_tf32() -> Iterator[None]:
    """No TF32 in cuBLAS for this thread; other threads, and the switch itself, stay as they are."""
    assert _SWITCH is not None
    changed = ctypes.c_bool(False)  # the guard's only member: whether it is the outermost
    _SWITCH.off(ctypes.byref(changed))
    try:
        yield
    finally:
        _SWITCH.back(ctypes.byref(changed))
