"""What instructions on bits and predicates do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.machine_code.operands import Lanes, Parts, flag, put_flag, put_words, word
from tests.machine_code.threads import Step, Threads

U32, U64, I64 = np.uint32, np.uint64, np.int64
ALL = U64(0xFFFFFFFF)


def shift(modifiers: list[str], operands: list[str]) -> Step:
    """SHF: the pair (high:low) shifted, of which one half is kept."""
    low, count, high = (word(text) for text in operands[1:4])
    put = put_words(operands[0])
    left, keep_high, wide = "L" in modifiers, "HI" in modifiers, "S64" in modifiers or "U64" in modifiers
    signed, wraps = "S32" in modifiers or "S64" in modifiers, "W" in modifiers

    def step(threads: Threads, lanes: Lanes) -> None:
        most = 63 if wide else 31 if wraps else 32
        by = count(threads).astype(U64)
        by = by & U64(most) if wraps else np.minimum(by, U64(most))
        both = high(threads).astype(U64) << U64(32) | low(threads).astype(U64)
        if left:
            value = (both << by >> U64(32)) if keep_high else low(threads).astype(U64) << by
        elif keep_high:
            top = high(threads)
            value = (top.view(np.int32).astype(I64) >> by.astype(I64)).view(U64) if signed else top.astype(U64) >> by
        else:
            value = (both.view(I64) >> by.astype(I64)).view(U64) if signed else both >> by
        put(threads, (value & ALL).astype(U32), lanes)

    return step


def _table(bits: int, inputs: list[Lanes]) -> Lanes:
    """Bit by bit the entry of a table of eight, numbered by the bits of the three inputs."""
    result = inputs[0] & ~inputs[0]
    for k in range(8):
        if bits >> k & 1:
            a, b, c = (value if k & place else ~value for place, value in zip((4, 2, 1), inputs))
            result = result | (a & b & c)
    return result


def bitwise(_: list[str], operands: list[str]) -> Step:
    """LOP3; the predicate says whether any bit is set, or was in what it goes on from: the lower half of 64 bits."""
    parts = Parts(operands)
    sources = [word(text) for text in parts.sources[:3]]
    bits = int(parts.sources[3], 0)
    before = flag(parts.read[0]) if parts.read else flag("!PT")
    put, flags = put_words(parts.register), [put_flag(text) for text in parts.flags]

    def step(threads: Threads, lanes: Lanes) -> None:
        value = _table(bits, [source(threads) for source in sources])
        for put_nonzero in flags:
            put_nonzero(threads, (value != 0) | before(threads), lanes)
        put(threads, value, lanes)

    return step


def of_predicates(_: list[str], operands: list[str]) -> Step:
    """PLOP3: two tables of the same three predicates."""
    inputs = [flag(text) for text in operands[2:5]]
    puts = [(put_flag(operands[k]), int(operands[5 + k], 0)) for k in range(2)]

    def step(threads: Threads, lanes: Lanes) -> None:
        values = [value(threads) for value in inputs]
        for put, bits in puts:
            put(threads, _table(bits, values), lanes)

    return step


def permute(modifiers: list[str], operands: list[str]) -> Step:
    """PRMT: four bytes out of eight; the high bit of a selector spreads a byte's sign."""
    assert not [name for name in modifiers if name != "U"], modifiers
    a, selector, b, put = word(operands[1]), word(operands[2]), word(operands[3]), put_words(operands[0])

    def step(threads: Threads, lanes: Lanes) -> None:
        eight = a(threads).astype(U64) | b(threads).astype(U64) << U64(32)
        chosen, value = selector(threads).astype(U64), U64(0)
        for k in range(4):
            pick = chosen >> U64(4 * k) & U64(15)
            byte = eight >> U64(8) * (pick & U64(7)) & U64(255)
            sign = (byte >> U64(7)) * U64(255)
            value = value | np.where(pick & U64(8), sign, byte) << U64(8 * k)
        put(threads, value.astype(U32), lanes)

    return step


def _each(values: Lanes, function: Callable[[int], int]) -> Lanes:
    return np.array([function(x) for x in values.ravel().tolist()], U32).reshape(values.shape)


def reverse(_: list[str], operands: list[str]) -> Step:
    value, put = word(operands[1]), put_words(operands[0])

    def step(threads: Threads, lanes: Lanes) -> None:
        put(threads, _each(value(threads), lambda x: int(f"{x:032b}"[::-1], 2)), lanes)

    return step


def find_leading(modifiers: list[str], operands: list[str]) -> Step:
    """FLO: the place of the highest bit; SH: how many zeros are above it; 2^32 - 1 where there is none."""
    value, put, zeros = word(operands[1]), put_words(operands[0]), "SH" in modifiers
    assert "U32" in modifiers, modifiers

    def place(x: int) -> int:
        highest = x.bit_length() - 1
        return 0xFFFFFFFF if x == 0 else 31 - highest if zeros else highest

    def step(threads: Threads, lanes: Lanes) -> None:
        put(threads, _each(value(threads), place), lanes)

    return step


def count_bits(_: list[str], operands: list[str]) -> Step:
    value, put = word(operands[1]), put_words(operands[0])
    return lambda threads, lanes: put(threads, _each(value(threads), int.bit_count), lanes)


def keep_predicates(_: list[str], operands: list[str]) -> Step:
    """P2R R, PR, a, mask: the predicates of the mask as bits, the others from a."""
    assert operands[1] == "PR", operands
    other, mask, put = word(operands[2]), int(operands[3], 0), put_words(operands[0])

    def step(threads: Threads, lanes: Lanes) -> None:
        bits = sum(threads.predicates[k].astype(U32) << U32(k) for k in range(7))
        put(threads, (other(threads) & ~U32(mask)) | (bits & U32(mask)), lanes)

    return step


def restore_predicates(_: list[str], operands: list[str]) -> Step:
    """R2P PR, a, mask."""
    value, mask = word(operands[1]), int(operands[2], 0)

    def step(threads: Threads, lanes: Lanes) -> None:
        bits = value(threads)
        for k in range(7):
            if mask >> k & 1:
                np.copyto(threads.predicates[k], (bits >> U32(k) & U32(1)).astype(bool), where=lanes)

    return step


STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    "SHF": shift,
    "LOP3": bitwise,
    "PLOP3": of_predicates,
    "PRMT": permute,
    "BREV": reverse,
    "FLO": find_leading,
    "POPC": count_bits,
    "P2R": keep_predicates,
    "R2P": restore_predicates,
}
