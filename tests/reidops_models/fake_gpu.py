"""A device that need not be there: tensors that say they are on it, and refuse to meet those that are not.

Every call of torch passes a mode that keeps book of which tensors were moved to the device. Values stay on the CPU, so
they are right; what a GPU would refuse, two tensors of different devices, is refused here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda", 0)
BETWEEN = (Tensor.copy_, torch._has_compatible_shallow_copy_type)  # may have tensors of two devices
_MARK = "_on_fake_gpu"


class FakeGpu(TorchFunctionMode):
    """Moves tensors to the device and back; counts what ran there.

    Attributes:
        calls: how many calls of torch had a tensor on the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:
            return GPU if is_there(args[0]) else torch.device("cpu")
        if func == Tensor.is_cuda.__get__:
            return is_there(args[0])
        if func == Tensor.data.__set__:
            func(*args)
            return _put(args[0], is_there(args[1]))
        if func is Tensor.cpu:
            return _put(args[0].detach().clone() if is_there(args[0]) else args[0], False)
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = any(map(is_there, tensors))
        wanted = kwargs.get("device")
        if func is Tensor.to:
            for one in args[1:]:
                if isinstance(one, torch.device | str):
                    wanted = one
                elif isinstance(one, Tensor):
                    wanted = GPU if is_there(one) else "cpu"
            cpu = torch.device("cpu")
            args = tuple(cpu if isinstance(one, torch.device | str) else one for one in args)
            result = func(*args, **{name: cpu if name == "device" else value for name, value in kwargs.items()})
            target = there if wanted is None else torch.device(wanted).type == GPU.type
            return _put(result.detach().clone() if target != is_there(args[0]) else result, target)
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
            there = torch.device(wanted).type == GPU.type
        elif len({is_there(one) for one in tensors if Tensor.dim(one) > 0}) > 1 and func not in BETWEEN:
            raise RuntimeError(f"{getattr(func, '__name__', func)}: expected all tensors to be on the same device")
        self.calls += there
        result = func(*args, **kwargs)
        if there:
            for one in tree_leaves(result):
                if isinstance(one, Tensor):
                    _put(one, True)
        return result


def is_there(tensor: Tensor) -> bool:
    """Whether a tensor was moved to the device, or made from those that were."""
    return bool(tensor.__dict__.get(_MARK, False))


def _put(tensor: Tensor, there: bool) -> Tensor:
    tensor.__dict__[_MARK] = there
    return tensor


@contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGpu]:
    """In here torch says that there is one GPU, and `.to("cuda")` works."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with FakeGpu() as gpu:
        yield gpu
