"""Operands of machine code: what they read from threads, and where results go.

A register is an array of a row for each warp and 32 columns, a uniform register one of a single column, so that what
computes with them need not know which is which.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.machine_code.threads import Threads

Lanes = np.ndarray  # (warps, 32), (warps, 1) of a uniform register, or (1,) of a constant
Source = Callable[["Threads"], Lanes]
Put = Callable[["Threads", Lanes, Lanes], None]  # threads, values, lanes that take them

_REGISTER = re.compile(r"(U?)R(\d+|Z)$")
_PREDICATE = re.compile(r"(!?)(U?)P(\d|T)$")
_CONSTANT = re.compile(r"c\[0x0\]\[(?:(U?R(?:\d+|Z))(?:\.\w+)?\+?)?(-?0x[0-9a-f]+)?\]$")
_SPLIT = re.compile(r"desc\[\w+\]\[[^\]]*\]|c\[[^\]]*\]\[[^\]]*\]|\[[^\]]*\]|`\([^)]*\)|[^,\s][^,]*")
_FLOATS = {"INF": np.inf, "QNAN": np.nan, "SNAN": np.nan}


def split(operands: str) -> list[str]:
    """The operands of an instruction, one by one."""
    return [text.strip() for text in _SPLIT.findall(operands)]


def is_predicate(text: str) -> bool:
    return _PREDICATE.match(text) is not None


def _signs(text: str) -> tuple[str, str]:
    """What is done to a source, any of - ~ | in the order written, and its name."""
    name = re.sub(r"\.(reuse|H0_H0|H1_H1|H1_H0|F32)", "", text.strip())
    signs = ""
    while name[0] in "~|" or re.match(r"[-+](?=[|~URc])", name):
        signs += name[0].replace("+", "")
        name = name[1:]
    return signs, name.rstrip("|")


def _bank(name: str) -> tuple[str, int] | None:
    found = _REGISTER.match(name)
    return (found.group(1), 255 if found.group(2) == "Z" else int(found.group(2))) if found else None


def _constant(name: str, kind: str) -> Source | None:
    """A parameter of the launch: `kind` is its NumPy type."""
    found = _CONSTANT.match(name)
    if found is None:
        return None
    offset = int(found.group(2) or "0", 0)
    if not found.group(1):
        return lambda threads: np.frombuffer(threads.constants, kind, 1, offset)
    index, size = word(found.group(1)), np.dtype(kind).itemsize

    def indexed(threads: Threads) -> Lanes:
        places = index(threads).astype(np.int64) + offset  # of lanes that take no part, anything
        last = len(threads.constants) - size
        inside = np.clip(places, 0, last)
        values = [np.frombuffer(threads.constants, kind, 1, k)[0] for k in inside.ravel().tolist()]
        return np.array(values, kind).reshape(inside.shape)

    return indexed


def word(text: str) -> Source:
    """32 bits of a source; -x is 2^32 - x here."""
    signs, name = _signs(text)
    if bank := _bank(name):
        plain = _register(*bank)
    elif constant := _constant(name, "u4"):
        plain = constant
    else:
        value = np.array([int(name, 0) & 0xFFFFFFFF], np.uint32)
        return lambda threads: value
    if not signs:
        return plain
    if signs == "-":
        return lambda threads: (-plain(threads).astype(np.int64)).astype(np.uint32)
    if signs == "~":
        return lambda threads: ~plain(threads)
    if signs == "|":
        return lambda threads: np.abs(plain(threads).view(np.int32).astype(np.int64)).astype(np.uint32)
    raise NotImplementedError(text)


def exact(text: str) -> Source:
    """A source of a sum, as 64 bits: -x is 2^32 - x even where x is 0, so that the sum carries as in the hardware."""
    signs, name = _signs(text)
    if signs == "-":
        plain = word(name)
        return lambda threads: (np.uint64(1) << np.uint64(32)) - plain(threads).astype(np.uint64)
    plain = word(text)
    return lambda threads: plain(threads).astype(np.uint64)


def pair(text: str) -> Source:
    """64 bits of a source: a register and the next one."""
    signs, name = _signs(text)
    assert not signs, text
    if bank := _bank(name):
        letter, index = bank
        low = _register(letter, index)
        if index == 255:
            return lambda threads: low(threads).astype(np.uint64)
        high = _register(letter, index + 1)
        return lambda threads: low(threads).astype(np.uint64) | high(threads).astype(np.uint64) << np.uint64(32)
    if constant := _constant(name, "u8"):
        return constant
    value = np.array([int(name, 0) & 0xFFFFFFFFFFFFFFFF], np.uint64)
    return lambda threads: value


def _number(name: str) -> float:
    for word_of, value in _FLOATS.items():
        if name.lstrip("+-") == word_of:
            return -value if name[0] == "-" else value
    return float(name)


def single(text: str) -> Source:
    """A float32."""
    signs, name = _signs(text)
    if _bank(name) or name[0] == "c":
        bits = word(name)
        return _signed(signs, lambda threads: bits(threads).view(np.float32))
    if name.startswith(("0x", "-0x")):
        value = np.array([int(name, 0) & 0xFFFFFFFF], np.uint32).view(np.float32)
    else:
        value = np.array([_number(name)], np.float32)
    return _signed(signs, lambda threads: value)


def double(text: str) -> Source:
    """A float64; a number that stands in the code is one."""
    signs, name = _signs(text)
    if _bank(name) or name[0] == "c":
        bits = pair(name)
        return _signed(signs, lambda threads: bits(threads).view(np.float64))
    value = np.array([_number(name)], np.float64)
    return _signed(signs, lambda threads: value)


def _signed(signs: str, plain: Source) -> Source:
    if signs == "":
        return plain
    if signs == "-":
        return lambda threads: -plain(threads)
    if signs == "|":
        return lambda threads: np.abs(plain(threads))
    if signs == "-|":
        return lambda threads: -np.abs(plain(threads))
    raise NotImplementedError(signs)


def flag(text: str) -> Source:
    """A predicate."""
    found = _PREDICATE.match(text)
    assert found, text
    uniform, index = bool(found.group(2)), 7 if found.group(3) == "T" else int(found.group(3))
    if found.group(1):
        return lambda threads: ~(threads.uniform_predicates if uniform else threads.predicates)[index]
    return lambda threads: (threads.uniform_predicates if uniform else threads.predicates)[index]


def _register(letter: str, index: int) -> Source:
    if letter:
        return lambda threads: threads.uniform[index]
    return lambda threads: threads.registers[index]


def put_words(text: str, words: int = 1) -> Put:
    """Writes results into a register and those after it: of 32 bits each, or of 64 where `words` is 2."""
    bank = _bank(_signs(text)[1])
    assert bank, text
    letter, index = bank

    def put(threads: Threads, values: Lanes, lanes: Lanes) -> None:
        if index == 255:
            return
        file = threads.uniform if letter else threads.registers
        for k in range(words):
            part = values if words == 1 else values >> np.uint64(32 * k) & np.uint64(0xFFFFFFFF)
            np.copyto(file[index + k], part.astype(np.uint32, copy=False), where=lanes)

    return put


def put_float(text: str) -> Put:
    put = put_words(text)
    return lambda threads, values, lanes: put(threads, np.ascontiguousarray(values, np.float32).view(np.uint32), lanes)


def put_double(text: str) -> Put:
    put = put_words(text, 2)
    return lambda threads, values, lanes: put(threads, np.ascontiguousarray(values, np.float64).view(np.uint64), lanes)


def put_flag(text: str) -> Put:
    found = _PREDICATE.match(text)
    assert found, text
    assert not found.group(1), text
    uniform, name = bool(found.group(2)), found.group(3)

    def put(threads: Threads, values: Lanes, lanes: Lanes) -> None:
        if name != "T":
            np.copyto((threads.uniform_predicates if uniform else threads.predicates)[int(name)], values, where=lanes)

    return put


def half(value: str) -> int:
    """The bits of a float16 that stands in the code."""
    return struct.unpack("<H", struct.pack("<e", float(value)))[0]


class Parts:
    """An instruction's operands by what they are: [predicate,] register [, predicate] sources [, predicates]."""

    def __init__(self, operands: list[str]) -> None:
        rest = list(operands)
        self.flags: list[str] = []  # that are written
        while is_predicate(rest[0]):
            self.flags.append(rest.pop(0))
        self.register = rest.pop(0)
        while rest and is_predicate(rest[0]):
            self.flags.append(rest.pop(0))
        self.read: list[str] = []  # predicates
        while rest and is_predicate(rest[-1]):
            self.read.insert(0, rest.pop())
        self.sources = rest
