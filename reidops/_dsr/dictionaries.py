"""A gallery prepared once: :class:`Dictionaries`, and how several are joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._common.arguments import describe
from .arguments import METHODS, Purpose
from .stacks import Stack, averages_of, join


class Run(NamedTuple):
    """Dictionaries of one layout."""

    numbers: list[int]  #: as the caller counts them
    stack: Stack


class Dictionaries:
    """A prepared gallery: one dictionary per image or label. :func:`prepare_gallery` makes it, and it never changes.

    It is a sequence. ``len(dictionaries)`` counts them. ``dictionaries[index]`` gives some of them, as ``Dictionaries``
    again, for an int, a slice, or a list, array or tensor of ints or bools. A slice shares memory.
    :func:`concatenate` joins several.

    Raises:
        IndexError: an index is out of range, or a mask has another length.
        TypeError: an index is anything else.

    Example:
        >>> import torch, reidops
        >>> dictionaries = reidops.prepare_gallery(torch.rand(5, 64, 8, 4), storage=torch.bfloat16)
        >>> len(dictionaries), len(dictionaries[1:3]), len(dictionaries[[4, 0]])
        (5, 2, 2)
        >>> restored = reidops.Dictionaries.from_state_dict(dictionaries.state_dict())
        >>> len(reidops.concatenate([restored, dictionaries[:1]]))
        6
    """

    __slots__ = ("_like", "_purpose", "_runs")

    def __init__(self, runs: Sequence[Run], purpose: Purpose, like: Tensor) -> None:
        """Use :func:`prepare_gallery`; ``like`` is an empty ``(0, C)``, of the storage's dtype and device."""
        self._runs = tuple(runs)
        self._purpose = purpose
        self._like = like

    def __len__(self) -> int:
        return sum(len(run.numbers) for run in self._runs)

    def __iter__(self) -> Iterator[Dictionaries]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        scales, method, beta = self._purpose
        return (
            f"Dictionaries({len(self)} of {self.channels} channels in {self.storage} on {self.device}, "
            f"scales={scales}, method={method!r}, beta={beta})"
        )

    @property
    def channels(self) -> int:
        """Channels of the maps."""
        return self._like.shape[1]

    @property
    def storage(self) -> torch.dtype:
        """The dtype that blocks are kept in."""
        return self._like.dtype

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self._like.device

    @property
    def scales(self) -> tuple[int, ...]:
        """The block sizes that they were made for."""
        return self._purpose.scales

    @property
    def method(self) -> str:
        """``"lasso"`` or ``"ridge"``."""
        return self._purpose.method

    @property
    def beta(self) -> float:
        """The penalty's weight that they were made for."""
        return self._purpose.beta

    def __getitem__(self, chosen: int | slice | Sequence[int] | Tensor) -> Dictionaries:
        numbers = _numbers(chosen, len(self))
        runs = []
        for run in self._runs:
            rows = {number: row for row, number in enumerate(run.numbers)}
            found = [(place, rows[number]) for place, number in enumerate(numbers) if number in rows]
            if found:
                places, kept = (list(values) for values in zip(*found, strict=True))
                runs.append(Run(places, run.stack.take(rows_of(kept, self.device))))
        return Dictionaries(runs, self._purpose, self._like)

    def to(self, device: torch.device | str) -> Dictionaries:
        """The same on another device."""
        runs = [Run(run.numbers, run.stack.to(device)) for run in self._runs]
        return Dictionaries(runs, self._purpose, self._like.to(device))

    def runs(self) -> list[Run]:
        """The dictionaries by their layouts, for the functions that solve with them."""
        return list(self._runs)

    @property
    def purpose(self) -> Purpose:
        """The parameters that were fixed when they were made."""
        return self._purpose

    def state_dict(self) -> dict[str, Tensor]:
        """Everything as tensors, for ``torch.save`` or safetensors."""
        state = {
            "like": self._like,
            "scales": torch.tensor(self.scales),
            "method": torch.tensor(METHODS.index(self.method)),
            "beta": torch.tensor(self.beta, dtype=torch.float64),
        }
        for k, (numbers, stack) in enumerate(self._runs):
            state |= {
                f"{k}.numbers": torch.tensor(numbers),
                f"{k}.layout": torch.tensor(stack.layout),
                f"{k}.cells": stack.cells.contiguous(),
                f"{k}.gram": stack.gram.contiguous(),
            }
            if stack.inverse is not None:
                state[f"{k}.inverse"] = stack.inverse.contiguous()
        return state

    @staticmethod
    def from_state_dict(state: dict[str, Tensor]) -> Dictionaries:
        """The dictionaries of a ``state_dict()``.

        Raises:
            TypeError: not a dict.
            ValueError: a tensor is missing, or does not fit the others.
        """
        if not isinstance(state, dict):
            raise TypeError(f"from_state_dict: expected a dict of tensors, got {describe(state)}")
        like = _entry(state, "like", (0, None))
        scales = tuple(_entry(state, "scales", (None,)).tolist())
        method = int(_entry(state, "method", ()))
        if not 0 <= method < 2:
            raise ValueError(f"from_state_dict: method must be 0 or 1, got {method}")
        purpose = Purpose(scales, METHODS[method], float(_entry(state, "beta", ())))
        runs: list[Run] = []
        while f"{len(runs)}.numbers" in state:
            runs.append(_run(state, str(len(runs)), purpose, like))
        numbers = sorted(number for run in runs for number in run.numbers)
        if numbers != list(range(len(numbers))):
            raise ValueError(
                f"from_state_dict: numbers must be 0 to {len(numbers) - 1}, once each, got {numbers[:8]}..."
            )
        return Dictionaries(runs, purpose, like)


def concatenate(parts: Sequence[Dictionaries]) -> Dictionaries:
    """Joins prepared galleries, in the order given.

    Args:
        parts: at least one; all made for the same ``scales``, ``method`` and ``beta``, with as many channels, in one
            storage and on one device.

    Raises:
        TypeError: not a sequence of :class:`Dictionaries`, or they differ in storage.
        ValueError: none are given, or they differ in anything else.

    Example:
        >>> import torch, reidops
        >>> first, second = (reidops.prepare_gallery(torch.rand(n, 64, 8, 4)) for n in (2, 3))
        >>> len(reidops.concatenate([first, second]))
        5
    """
    op = "concatenate"
    if not isinstance(parts, Sequence) or any(not isinstance(part, Dictionaries) for part in parts):
        raise TypeError(f"{op}: parts must be a sequence of Dictionaries, got {describe(parts)}")
    if not parts:
        raise ValueError(f"{op}: parts must hold at least one, got none")
    # What was made of an empty sequence knows neither channels nor dtype.
    first = next((part for part in parts if part.channels), parts[0])
    together: dict[Any, list[tuple[list[int], Stack]]] = {}
    start = 0
    for i, part in enumerate(parts):
        for what in ("storage", "device", "channels", "scales", "method", "beta"):
            expected, got = getattr(first, what), getattr(part, what)
            if got != expected and (part.channels or what in Purpose._fields):
                kind = TypeError if what == "storage" else ValueError
                raise kind(f"{op}: parts[{i}] must have the others' {what}, {expected}, got {got}")
        for numbers, stack in part.runs():
            together.setdefault(stack.layout, []).append(([start + number for number in numbers], stack))
        start += len(part)
    runs = [
        Run([number for numbers, _ in same for number in numbers], join([stack for _, stack in same]))
        for same in together.values()
    ]
    return Dictionaries(runs, first.purpose, first._like)


def _numbers(chosen: Any, length: int) -> list[int]:
    """The numbers that an index means, as a list does it."""
    if isinstance(chosen, slice):
        return list(range(length)[chosen])
    if isinstance(chosen, int) and not isinstance(chosen, bool):
        chosen = [chosen]
    expected = "ints or bools in one dimension"
    try:
        values = torch.as_tensor(chosen)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"Dictionaries: an index must be {expected}, got {describe(chosen)}") from None
    if values.dtype == torch.bool:
        if values.shape != (length,):
            raise IndexError(f"Dictionaries: a mask must have {length} elements, got {describe(values)}")
        return values.nonzero()[:, 0].tolist()
    if values.numel() == 0:
        return []
    if values.dim() != 1 or values.is_floating_point() or values.is_complex():
        raise TypeError(f"Dictionaries: an index must be {expected}, got {describe(chosen)}")
    numbers = values.tolist()
    for number in numbers:
        if not -length <= number < length:
            raise IndexError(f"Dictionaries: an index must be in [{-length}, {length}), got {number}")
    return [number % length for number in numbers]


def rows_of(rows: Sequence[int], device: torch.device) -> slice | Tensor:
    """An index of rows: a slice, which shares memory, where they follow one another."""
    if isinstance(rows, range) or list(rows) == list(range(rows[0], rows[0] + len(rows))):
        return slice(rows[0], rows[0] + len(rows))
    return torch.tensor(rows, device=device)


def _entry(state: dict[str, Tensor], key: str, shape: tuple[int | None, ...]) -> Tensor:
    """A tensor of the state; None stands for any size."""
    if key not in state:
        found = ", ".join(map(str, state)) or "an empty dict"
        raise ValueError(f"from_state_dict: expected a tensor {key!r}, got {found}")
    value = state[key]
    fits = isinstance(value, Tensor) and value.dim() == len(shape)
    if not fits or any(size not in (None, got) for size, got in zip(shape, value.shape)):
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"from_state_dict: {key!r} must be a tensor of shape ({expected}), got {describe(value)}")
    return value


def _run(state: dict[str, Tensor], k: str, purpose: Purpose, like: Tensor) -> Run:
    numbers = _entry(state, f"{k}.numbers", (None,)).tolist()
    sizes = _entry(state, f"{k}.layout", (None, 2)).tolist()
    layout = tuple((height, width) for height, width in sizes)
    cells = _entry(state, f"{k}.cells", (len(numbers), like.shape[1], sum(h * w for h, w in layout)))
    gram = _entry(state, f"{k}.gram", (len(numbers), None, None))
    averages = averages_of(layout, purpose.gallery_scales, like=gram)
    atoms = cells.shape[2] if averages is None else averages.shape[0]
    square = (len(numbers), atoms, atoms)
    inverse = _entry(state, f"{k}.inverse", square) if purpose.method == "ridge" else None
    if cells.dtype != like.dtype:
        raise ValueError(f"from_state_dict: '{k}.cells' must be {like.dtype}, got {describe(cells)}")
    return Run(numbers, Stack(layout, cells, averages, _entry(state, f"{k}.gram", square), inverse))
