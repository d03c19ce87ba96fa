"""What a matcher keeps of a picture, as columns: one column for each tensor in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from math import prod
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from reidops_models.gallery.errors import GalleryError

DTYPES = {"float16": torch.float16, "float32": torch.float32}
DESCRIPTOR, MAP = "descriptor", "map"  # names of columns


class Leaf(NamedTuple):
    """A tensor of each picture's features, and its column.

    Attributes:
        column: the column's name.
        shape: of the tensor.
        dtype: of the column.
    """

    column: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def field(self) -> pa.Field:
        """The column: a list of fixed size in each row."""
        return pa.field(
            self.column, pa.list_(pa.from_numpy_dtype(np.dtype(self.dtype)), prod(self.shape)), nullable=False
        )


class Layout(NamedTuple):
    """The tensors of each picture, the same for all pictures of a gallery.

    A single map of each picture is the column `map`, and `descriptor` is its average over locations. A single vector is
    the column `descriptor`. Of several tensors the only vector is `descriptor`, the others are `feature_0`, ...

    Attributes:
        leaves: in the order in which the matcher's features hold them.
        averaged: whether the descriptor is a column of its own, the map's average.
    """

    leaves: tuple[Leaf, ...]
    averaged: bool

    @staticmethod
    def of(feature: Any, dtype: str) -> Layout:
        """The layout of a picture's features.

        Args:
            feature: what `Matcher.embed` made of a picture.
            dtype: in which floating-point tensors are kept, "float16" or "float32".

        Raises:
            GalleryError: they are not made of tensors, or hold none.
        """
        tensors = tensors_of(feature)
        if not tensors:
            raise GalleryError("a gallery cannot keep what holds no tensor")
        vectors = [i for i, tensor in enumerate(tensors) if tensor.dim() == 1 and tensor.is_floating_point()]
        descriptor = vectors[0] if len(vectors) == 1 else None
        averaged = len(tensors) == 1 and tensors[0].dim() == 3 and tensors[0].is_floating_point()
        leaves = []
        for i, tensor in enumerate(tensors):
            name = MAP if averaged else DESCRIPTOR if i == descriptor else f"feature_{i}"
            own = str(tensor.dtype).removeprefix("torch.")
            leaves.append(Leaf(name, tuple(tensor.shape), dtype if tensor.is_floating_point() else own))
        return Layout(tuple(leaves), averaged)

    @property
    def descriptor(self) -> int | None:
        """The length of the descriptor; None where a picture has none."""
        if self.averaged:
            return self.leaves[0].shape[0]
        return next((leaf.shape[0] for leaf in self.leaves if leaf.column == DESCRIPTOR), None)

    @property
    def columns(self) -> list[str]:
        """The columns of the tensors, in their order."""
        return [leaf.column for leaf in self.leaves]

    @property
    def fields(self) -> list[pa.Field]:
        """The columns of the tensors, and of the descriptor."""
        first = self.leaves[0]
        own = [first._replace(column=DESCRIPTOR, shape=first.shape[:1]).field] if self.averaged else []
        return [*(leaf.field for leaf in self.leaves), *own]

    @property
    def bytes_per_picture(self) -> int:
        """Of the columns."""
        return sum(np.dtype(leaf.dtype).itemsize * prod(leaf.shape) for leaf in self.leaves)

    def write(self, features: Sequence[Any]) -> dict[str, pa.Array]:
        """The columns of some pictures.

        Raises:
            GalleryError: a picture's tensors have other shapes, or a value is too large for the column.
        """
        values = [tensors_of(feature) for feature in features]
        columns = {}
        for i, leaf in enumerate(self.leaves):
            tensors = [one[i].detach().cpu() for one in values]
            if any(tuple(tensor.shape) != leaf.shape for tensor in tensors):
                other = next(tuple(tensor.shape) for tensor in tensors if tuple(tensor.shape) != leaf.shape)
                raise GalleryError(f"all pictures must have features of one shape, {leaf.shape}, got {other}")
            stacked = torch.stack(tensors)
            columns[leaf.column] = _column(stacked, leaf.dtype)
            if self.averaged:
                columns[DESCRIPTOR] = _column(stacked.float().mean(dim=(2, 3)), leaf.dtype)
        return columns

    def checksums(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """A CRC-32 of the bytes of each picture's tensors, and of its descriptor."""
        rows = [columns[f.name].flatten().to_numpy(zero_copy_only=True).view(np.uint8) for f in self.fields]
        count = len(columns[self.leaves[0].column])
        found = [0] * count
        for values in rows:
            for i, row in enumerate(values.reshape(count, -1)):
                found[i] = crc32(row.data, found[i])
        return pa.array(found, pa.uint32())

    def read(self, batch: pa.RecordBatch) -> list[Tensor]:
        """The tensors (B, ...) of a batch of rows, as they are kept. They share its memory: nothing may write there."""
        flat = [from_dlpack(batch.column(leaf.column).flatten()) for leaf in self.leaves]
        return [values.reshape(len(batch), *leaf.shape) for values, leaf in zip(flat, self.leaves, strict=True)]


def tensors_of(feature: Any) -> list[Tensor]:
    """The tensors in a picture's features: a tensor, or tuples, lists and dataclasses of these.

    Raises:
        GalleryError: they are made of anything else.
    """
    if isinstance(feature, Tensor):
        return [feature]
    if isinstance(feature, tuple | list):
        return [tensor for part in feature for tensor in tensors_of(part)]
    if is_dataclass(feature) and not isinstance(feature, type):
        return [tensor for field in fields(feature) for tensor in tensors_of(getattr(feature, field.name))]
    raise GalleryError(f"a gallery cannot keep what is not made of tensors: {type(feature).__name__}")


class Likeness:
    """Makes blocks of a gallery like a matcher's own features, to be compared with these.

    Its memory is used again for the next block: fresh pages cost more than the conversion.

    Args:
        template: features of one picture on the other side of the comparison, by the same matcher. It says how they are
            put together, in which dtype and on which device.
        stacked: whether the matcher takes the pictures of a block as one tensor, where the template is a tensor.
    """

    def __init__(self, template: Any, *, stacked: bool = False) -> None:
        self._template = template
        self._models = tensors_of(template)
        self._stacked = stacked and isinstance(template, Tensor)
        self._memory: list[Tensor | None] = [None] * len(self._models)

    def __call__(self, tensors: Sequence[Tensor]) -> Sequence[Any]:
        """The features of each picture of a block, until the next call.

        Args:
            tensors: (B, ...) each, as :meth:`Layout.read` gave them.
        """
        converted = [self._convert(i, tensor) for i, tensor in enumerate(tensors)]
        if self._stacked:
            return converted[0]  # type: ignore[return-value]  # a sequence of its rows
        rows = zip(*(tensor.unbind() for tensor in converted), strict=True)
        return [_put_together(self._template, iter(row)) for row in rows]

    def _convert(self, place: int, tensor: Tensor) -> Tensor:
        model = self._models[place]
        if (tensor.device, tensor.dtype) == (model.device, model.dtype):
            return tensor
        memory = self._memory[place]
        if memory is None or len(memory) < len(tensor):
            memory = self._memory[place] = model.new_empty(tensor.shape)
        return memory[: len(tensor)].copy_(tensor)


def on_device(feature: Any, device: torch.device | str) -> Any:
    """A picture's features on another device."""
    return _put_together(feature, (tensor.to(device) for tensor in tensors_of(feature)))


def _put_together(template: Any, tensors: Iterator[Tensor]) -> Any:
    if isinstance(template, Tensor):
        return next(tensors)
    if isinstance(template, tuple | list):
        parts = [_put_together(part, tensors) for part in template]
        return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)
    own = {field.name: _put_together(getattr(template, field.name), tensors) for field in fields(template)}
    return replace(template, **own)


def _column(values: Tensor, dtype: str) -> pa.Array:
    kept = values.to(getattr(torch, dtype))
    if kept.is_floating_point() and (kept.isinf() & values.isfinite()).any():
        raise GalleryError(f"a feature is too large for {dtype}: keep this gallery in float32")
    return pa.FixedSizeListArray.from_arrays(pa.array(kept.flatten().numpy()), prod(values.shape[1:]))
