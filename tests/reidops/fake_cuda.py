"""CUDA without a GPU: fake tensors, and a record of the matrix products that torch would make of them there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from reidops import reference
from reidops.reference.matrix_product import _SWITCH, matmul

PRODUCTS = ("matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot")

#: What serves these operators on CUDA.
KERNELS = {
    torch.ops.reidops.channel_product.default: reference.channel_product,
    torch.ops.reidops.channel_gram.default: reference.channel_gram,
    torch.ops.reidops.weighted_sums.default: reference.weighted_sums,
    torch.ops.reidops.matrix_product.default: matmul,
}


class Product(NamedTuple):
    """One matrix product of torch."""

    operands: torch.dtype
    result: torch.dtype
    without_tf32: bool  #: whether this thread has it off


class Record(TorchDispatchMode):
    """Runs the operators' CUDA kernels and keeps the products that they make."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[Product] = []
        self.operators: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func in KERNELS:
            self.operators.add(func._schema.name.split("::")[1])
            with self:
                return KERNELS[func](*args)
        result = func(*args, **(kwargs or {}))
        if func._schema.name.split("::")[1] in PRODUCTS:
            left, right = (one for one in args if isinstance(one, Tensor))
            assert left.dtype == right.dtype
            assert _SWITCH is not None
            self.products.append(Product(left.dtype, result.dtype, _SWITCH.is_off()))
        return result


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """Everything in here may be given fake CUDA tensors: :func:`maps`."""
    if not torch.cuda.is_available():  # these ask for a CUDA device, even for a fake tensor
        monkeypatch.setattr(Tensor, "__getitem__", _item)
        monkeypatch.setattr(Tensor, "__setitem__", _set_item)
        monkeypatch.setattr(Tensor, "contiguous", lambda value: value.clone(memory_format=torch.contiguous_format))
    with FakeTensorMode(), Record() as record:
        yield record


def maps(*shape: int, dtype: torch.dtype) -> Tensor:
    """Maps without values, on a GPU that need not be there."""
    return torch.empty(shape, dtype=dtype, device="cuda")


def _set_item(value: Tensor, index: Any, source: Tensor) -> None:
    torch.ops.aten.copy_.default(_item(value, index), source)


def _item(value: Tensor, index: Any) -> Tensor:
    """Indexing by numbers, slices, None and an ellipsis, as operators of torch."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (value.dim() - sum(part is not None for part in parts) + 1)
    dim = 0
    for part in parts:
        if part is None:
            value = value.unsqueeze(dim)
        elif isinstance(part, int):
            value = value.select(dim, part)
            continue
        elif part != slice(None):
            value = torch.ops.aten.slice.Tensor(value, dim, part.start, part.stop)
        dim += 1
    return value
