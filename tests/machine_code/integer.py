"""What instructions on whole numbers do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.machine_code.operands import Lanes, Parts, exact, flag, half, pair, put_flag, put_words, word
from tests.machine_code.threads import Step, Threads

U32, U64, I64 = np.uint32, np.uint64, np.int64
ALL = U64(0xFFFFFFFF)


def add(modifiers: list[str], operands: list[str]) -> Step:
    parts = Parts(operands)
    carries = [flag(text) for text in parts.read] if "X" in modifiers else []
    # With carries -x is ~x: the carry that comes in makes it whole.
    sources = [_complement(text) if "X" in modifiers else exact(text) for text in parts.sources]
    put, put_carries = put_words(parts.register), [put_flag(text) for text in parts.flags]

    def step(threads: Threads, lanes: Lanes) -> None:
        total = sources[0](threads)
        for source in sources[1:]:
            total = total + source(threads)
        for carry in carries:
            total = total + carry(threads).astype(U64)
        for k, put_carry in enumerate(put_carries):
            put_carry(threads, total >> U64(32) > U64(k), lanes)
        put(threads, (total & ALL).astype(U32), lanes)

    return step


def _complement(text: str) -> Callable[[Threads], Lanes]:
    plain = word(text)
    return lambda threads: plain(threads).astype(U64)


def multiply(modifiers: list[str], operands: list[str]) -> Step:
    parts = Parts(operands)
    if "WIDE" in modifiers:
        return _multiply_wide("U32" not in modifiers, parts)
    if "HI" in modifiers:
        signed = "U32" not in modifiers
        a, b, wide = word(parts.sources[0]), word(parts.sources[1]), pair(parts.sources[2])
        put_high = put_words(parts.register)

        def high(threads: Threads, lanes: Lanes) -> None:
            product = _product(a(threads), b(threads), signed) + wide(threads)
            put_high(threads, (product >> U64(32)).astype(U32), lanes)

        return high
    a, b, c = (word(text) for text in parts.sources[:3])
    carry = flag(parts.read[0]) if "X" in modifiers and parts.read else None
    put = put_words(parts.register)

    def step(threads: Threads, lanes: Lanes) -> None:
        total = a(threads) * b(threads) + c(threads)
        put(threads, total if carry is None else total + carry(threads).astype(U32), lanes)

    return step


def _product(a: Lanes, b: Lanes, signed: bool) -> Lanes:
    """64 bits."""
    if signed:
        return (a.view(np.int32).astype(I64) * b.view(np.int32).astype(I64)).view(U64)
    return a.astype(U64) * b.astype(U64)


def _multiply_wide(signed: bool, parts: Parts) -> Step:
    a, b, c = word(parts.sources[0]), word(parts.sources[1]), pair(parts.sources[2])
    put, flags = put_words(parts.register, 2), [put_flag(text) for text in parts.flags]

    def step(threads: Threads, lanes: Lanes) -> None:
        product = _product(a(threads), b(threads), signed)
        total = product + c(threads)
        for put_carry in flags:
            put_carry(threads, total < product, lanes)
        put(threads, total, lanes)

    return step


def shift_and_add(modifiers: list[str], operands: list[str]) -> Step:
    """LEA: (a << s) + b, or the high half of (c:a) << s, plus b."""
    parts = Parts(operands)
    shift = U64(int(parts.sources[-1], 0))
    a, b = word(parts.sources[0]), exact(parts.sources[1])
    top = word(parts.sources[2]) if "HI" in modifiers and "SX32" not in modifiers else None
    carry = flag(parts.read[0]) if "X" in modifiers else None
    put, flags = put_words(parts.register), [put_flag(text) for text in parts.flags]

    def step(threads: Threads, lanes: Lanes) -> None:
        low = a(threads)
        if "SX32" in modifiers:
            value = (low.view(np.int32).astype(I64) << shift.astype(I64)).view(U64) >> U64(32)
        elif top is not None:
            value = (top(threads).astype(U64) << U64(32) | low) << shift >> U64(32)
        else:
            value = low.astype(U64) << shift & ALL
        total = (value & ALL) + b(threads)
        if carry is not None:
            total = total + carry(threads).astype(U64)
        for put_carry in flags:
            put_carry(threads, total >> U64(32) > U64(0), lanes)
        put(threads, (total & ALL).astype(U32), lanes)

    return step


COMPARE: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "GE": np.greater_equal,
    "GT": np.greater,
    "LE": np.less_equal,
    "LT": np.less,
    "EQ": np.equal,
    "NE": np.not_equal,
}


COMBINE: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
}


def compare(modifiers: list[str], operands: list[str]) -> Step:
    """ISETP; EX: high words, whose low words have been compared into the last predicate."""
    how, combine = modifiers[0], COMBINE[next(name for name in modifiers if name in COMBINE)]
    puts = [put_flag(text) for text in operands[:2]]
    a, b, also = word(operands[2]), word(operands[3]), flag(operands[4])
    below = flag(operands[5]) if "EX" in modifiers else None
    kind = U32 if "U32" in modifiers else np.int32

    def step(threads: Threads, lanes: Lanes) -> None:
        left, right = a(threads).view(kind), b(threads).view(kind)
        holds = COMPARE[how](left, right)
        if below is not None:
            equal = left == right
            holds = (holds & ~equal) | (equal & below(threads))
        with_this = also(threads)
        puts[0](threads, combine(holds, with_this), lanes)
        puts[1](threads, combine(~holds, with_this), lanes)

    return step


def extreme(modifiers: list[str], operands: list[str]) -> Step:
    """VIMNMX, and VIADDMNMX, which adds first."""
    *sources, smaller = operands[1:]
    values, wanted, put = [word(text) for text in sources], flag(smaller), put_words(operands[0])
    kind = U32 if "U32" in modifiers else np.int32

    def step(threads: Threads, lanes: Lanes) -> None:
        found = [value(threads) for value in values]
        if len(found) == 3:
            found = [found[0] + found[1], found[2]]
        a, b = (value.view(kind) for value in found)
        put(threads, np.where(wanted(threads), np.minimum(a, b), np.maximum(a, b)).view(U32), lanes)

    return step


def move(_: list[str], operands: list[str]) -> Step:
    value, put = word(operands[1]), put_words(operands[0])
    return lambda threads, lanes: put(threads, value(threads), lanes)


def select(_: list[str], operands: list[str]) -> Step:
    a, b, first, put = word(operands[1]), word(operands[2]), flag(operands[3]), put_words(operands[0])
    return lambda threads, lanes: put(threads, np.where(first(threads), a(threads), b(threads)), lanes)


def load_constant(modifiers: list[str], operands: list[str]) -> Step:
    if "64" in modifiers:
        value, put = pair(operands[1]), put_words(operands[0], 2)
        return lambda threads, lanes: put(threads, value(threads), lanes)
    narrow, put_one = word(operands[1]), put_words(operands[0])
    keep = U32(next((mask for name, mask in (("U8", 255), ("U16", 65535)) if name in modifiers), 0xFFFFFFFF))
    return lambda threads, lanes: put_one(threads, narrow(threads) & keep, lanes)


def clear(modifiers: list[str], operands: list[str]) -> Step:
    """CS2R Rd, SRZ: how registers become zero."""
    assert operands[1] == "SRZ", operands
    words = 1 if "32" in modifiers else 2
    put, zero = put_words(operands[0], words), np.zeros(1, U64 if words == 2 else U32)
    return lambda threads, lanes: put(threads, zero, lanes)


def packed_constant(_: list[str], operands: list[str]) -> Step:
    """HFMA2.MMA R, -RZ, RZ, a, b: how a constant is moved on another unit."""
    assert operands[1:3] == ["-RZ", "RZ"], operands
    value = np.array([half(operands[3]) << 16 | half(operands[4])], U32)
    put = put_words(operands[0])
    return lambda threads, lanes: put(threads, value, lanes)


def absolute(_: list[str], operands: list[str]) -> Step:
    value, put = word(operands[1]), put_words(operands[0])
    return lambda threads, lanes: put(threads, np.abs(value(threads).view(np.int32).astype(I64)).astype(U32), lanes)


STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    "IADD3": add,
    "VIADD": add,
    "IADD": add,
    "IMAD": multiply,
    "LEA": shift_and_add,
    "ISETP": compare,
    "VIADDMNMX": extreme,
    "VIMNMX": extreme,
    "IMNMX": extreme,
    "MOV": move,
    "SEL": select,
    "LDC": load_constant,
    "CS2R": clear,
    "HFMA2": packed_constant,
    "IABS": absolute,
}
