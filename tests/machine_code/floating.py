"""What instructions on float32 and float64 do.

Sums and products are rounded as in the hardware; a multiply-add of float64 is off in its last bit where the product's
lower half decides.  The hardware's approximations (MUFU) are right to a unit in the last place, here to half of one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.machine_code.integer import COMBINE, COMPARE
from tests.machine_code.operands import (
    Lanes,
    double,
    flag,
    pair,
    put_double,
    put_flag,
    put_float,
    put_words,
    single,
    word,
)
from tests.machine_code.threads import Step, Threads

F32, F64, U32, U64 = np.float32, np.float64, np.uint32, np.uint64


def _rounded(exact: Lanes, modifiers: list[str]) -> Lanes:
    """float64 to float32, to nearest or in the direction that the instruction names."""
    value = exact.astype(F32)
    if "RM" in modifiers:
        return np.where(value > exact, np.nextafter(value, F32(-np.inf)), value)
    if "RP" in modifiers:
        return np.where(value < exact, np.nextafter(value, F32(np.inf)), value)
    if "RZ" in modifiers:
        return np.where(np.abs(value) > np.abs(exact), np.nextafter(value, F32(0)), value)
    return value


def add(modifiers: list[str], operands: list[str]) -> Step:
    a, b, put = single(operands[1]), single(operands[2]), put_float(operands[0])
    return lambda threads, lanes: put(threads, _rounded(a(threads).astype(F64) + b(threads), modifiers), lanes)


def multiply(modifiers: list[str], operands: list[str]) -> Step:
    a, b, put = single(operands[1]), single(operands[2]), put_float(operands[0])
    return lambda threads, lanes: put(threads, _rounded(a(threads).astype(F64) * b(threads), modifiers), lanes)


def multiply_add(modifiers: list[str], operands: list[str]) -> Step:
    a, b, c = (single(text) for text in operands[1:4])
    put = put_float(operands[0])
    return lambda threads, lanes: put(
        threads, _rounded(a(threads).astype(F64) * b(threads) + c(threads), modifiers), lanes
    )


def add_double(modifiers: list[str], operands: list[str]) -> Step:
    a, b, put = double(operands[1]), double(operands[2]), put_double(operands[0])
    return lambda threads, lanes: put(threads, a(threads) + b(threads), lanes)


def multiply_double(modifiers: list[str], operands: list[str]) -> Step:
    a, b, put = double(operands[1]), double(operands[2]), put_double(operands[0])
    return lambda threads, lanes: put(threads, a(threads) * b(threads), lanes)


def multiply_add_double(modifiers: list[str], operands: list[str]) -> Step:
    a, b, c = (double(text) for text in operands[1:4])
    put = put_double(operands[0])
    return lambda threads, lanes: put(threads, fused(a(threads), b(threads), c(threads)), lanes)


def fused(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """a * b + c of float64: the product and the sum each with the error of their rounding (Dekker, Knuth)."""
    product = a * b
    high, low = _halves(a)
    other, rest = _halves(b)
    lost = ((high * other - product) + high * rest + low * other) + low * rest
    total = product + c
    of_c = total - product
    dropped = (product - (total - of_c)) + (c - of_c)
    better = total + (lost + dropped)
    return np.where(np.isfinite(better), better, total)


def _halves(value: Lanes) -> tuple[Lanes, Lanes]:
    """The upper 26 bits of a float64, and the rest."""
    spread = value * 134217729.0
    high = spread - (spread - value)
    return high, value - high


def compare(read: Callable[[str], Callable[[Threads], Lanes]]) -> Callable[[list[str], list[str]], Step]:
    """FSETP and DSETP: U at the end of a comparison, and NUM and NAN, say what it is where one is NaN."""

    def build(modifiers: list[str], operands: list[str]) -> Step:
        how = modifiers[0]
        combine = COMBINE[next(name for name in modifiers if name in COMBINE)]
        puts = [put_flag(text) for text in operands[:2]]
        a, b, also = read(operands[2]), read(operands[3]), flag(operands[4])

        def step(threads: Threads, lanes: Lanes) -> None:
            left, right = a(threads), b(threads)
            unordered = np.isnan(left) | np.isnan(right)
            if how in ("NAN", "NUM"):
                holds = unordered if how == "NAN" else ~unordered
            elif how in ("MIN", "MAX"):  # whether the first is to be taken; whether neither is a number
                holds = (left < right if how == "MIN" else left > right) | np.isnan(right)
                puts[0](threads, combine(holds, also(threads)), lanes)
                puts[1](threads, combine(np.isnan(left) & np.isnan(right), also(threads)), lanes)
                return
            elif how in COMPARE:
                holds = COMPARE[how](left, right) & ~unordered
            else:
                holds = COMPARE[how.removesuffix("U")](left, right) | unordered
            with_this = also(threads)
            puts[0](threads, combine(holds, with_this), lanes)
            puts[1](threads, combine(~holds, with_this), lanes)

        return step

    return build


def extreme(modifiers: list[str], operands: list[str]) -> Step:
    """FMNMX: of a number and NaN the number, with NAN it is NaN."""
    a, b, smaller, put = single(operands[1]), single(operands[2]), flag(operands[3]), put_float(operands[0])
    low, high = (np.minimum, np.maximum) if "NAN" in modifiers else (np.fmin, np.fmax)

    def step(threads: Threads, lanes: Lanes) -> None:
        left, right = a(threads), b(threads)
        put(threads, np.where(smaller(threads), low(left, right), high(left, right)), lanes)

    return step


def select(_: list[str], operands: list[str]) -> Step:
    a, b, first, put = single(operands[1]), single(operands[2]), flag(operands[3]), put_float(operands[0])
    return lambda threads, lanes: put(threads, np.where(first(threads), a(threads), b(threads)), lanes)


def approximate(modifiers: list[str], operands: list[str]) -> Step:
    """MUFU: 1 / x, 1 / sqrt(x) and others; 64H: of the upper word of a float64 the upper word."""
    name = modifiers[0]
    if name in ("RCP64H", "RSQ64H"):
        bits, put_high = word(operands[1]), put_words(operands[0])

        def upper(threads: Threads, lanes: Lanes) -> None:
            value = (bits(threads).astype(U64) << U64(32)).view(F64)
            result = 1 / value if name == "RCP64H" else 1 / np.sqrt(value)
            put_high(threads, (result.view(U64) >> U64(32)).astype(U32), lanes)

        return upper
    functions: dict[str, Callable[[Lanes], Lanes]] = {
        "RCP": lambda x: 1 / x,
        "RSQ": lambda x: 1 / np.sqrt(x),
        "SQRT": np.sqrt,
        "EX2": np.exp2,
        "LG2": np.log2,
    }
    value, put = single(operands[1]), put_float(operands[0])
    return lambda threads, lanes: put(threads, functions[name](value(threads).astype(F64)), lanes)


def is_hard_to_divide(_: list[str], operands: list[str]) -> Step:
    """FCHK: whether a / b, worked out by its usual few steps, could over- or underflow on the way."""
    put, a, b = put_flag(operands[0]), single(operands[1]), single(operands[2])

    def step(threads: Threads, lanes: Lanes) -> None:
        top, bottom = a(threads), b(threads)
        of_top, of_bottom = (np.frexp(np.where(np.isfinite(x), x, 0))[1] for x in (top, bottom))
        plain = np.isfinite(top) & np.isfinite(bottom) & (bottom != 0)
        near = (np.abs(of_top - of_bottom) < 120) & (np.abs(of_bottom) < 120) & ((top == 0) | (of_top > -100))
        put(threads, ~(plain & near), lanes)

    return step


def from_integer(modifiers: list[str], operands: list[str]) -> Step:
    wide = any(name in ("U64", "S64") for name in modifiers)
    signed = not any(name.startswith("U") for name in modifiers)
    if wide:
        bits = pair(operands[1])
        read = (lambda threads: bits(threads).view(np.int64)) if signed else bits
    else:
        narrow = word(operands[1])
        read = (lambda threads: narrow(threads).view(np.int32)) if signed else narrow
    if "F64" in modifiers:
        put_wide = put_double(operands[0])
        return lambda threads, lanes: put_wide(threads, read(threads).astype(F64), lanes)
    put = put_float(operands[0])
    return lambda threads, lanes: put(threads, _rounded(read(threads).astype(F64), modifiers), lanes)


def to_integer(modifiers: list[str], operands: list[str]) -> Step:
    """F2I: out of range is the nearest whole number there is; NaN is 0, or with NTZ the highest bit."""
    wide = any(name in ("U64", "S64") for name in modifiers)
    signed = not any(name.startswith("U") for name in modifiers)
    value = double(operands[1]) if "F64" in modifiers else single(operands[1])
    put = put_words(operands[0], 2 if wide else 1)
    bits = 64 if wide else 32
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    how = np.floor if "FLOOR" in modifiers else np.ceil if "CEIL" in modifiers else np.trunc
    how = how if "TRUNC" in modifiers or how is not np.trunc else np.rint

    def step(threads: Threads, lanes: Lanes) -> None:
        given = how(value(threads).astype(F64))
        whole = [low if np.isnan(x) else int(min(max(x, low), high)) for x in given.ravel().tolist()]
        found = np.array([min(max(x, low), high) & (1 << bits) - 1 for x in whole], U64 if wide else U32)
        put(threads, found.reshape(given.shape), lanes)

    return step


def convert(modifiers: list[str], operands: list[str]) -> Step:
    """F2F.to.from of float32 and float64."""
    kinds = [name for name in modifiers if name in ("F32", "F64")]
    if kinds == ["F64", "F32"]:
        narrow, put_wide = single(operands[1]), put_double(operands[0])
        return lambda threads, lanes: put_wide(threads, narrow(threads).astype(F64), lanes)
    if kinds == ["F32", "F64"]:
        wide, put = double(operands[1]), put_float(operands[0])
        return lambda threads, lanes: put(threads, wide(threads), lanes)
    raise NotImplementedError(f"F2F.{'.'.join(modifiers)}")


def widen_half(modifiers: list[str], operands: list[str]) -> Step:
    """HADD2.F32 R, -RZ, R.H0_H0: a float16, the lower half of a register or H1_H1 the upper, as float32."""
    assert modifiers == ["F32"], modifiers
    assert operands[1] == "-RZ", operands
    bits, put = word(operands[2]), put_float(operands[0])
    shift = U32(16 if "H1_H1" in operands[2] else 0)
    return lambda threads, lanes: put(threads, (bits(threads) >> shift).astype(np.uint16).view(np.float16), lanes)


def pack_halves(modifiers: list[str], operands: list[str]) -> Step:
    """F2FP.F16.F32.PACK_AB: two float32 as float16 or bfloat16, the first above the second."""
    high, low, put = single(operands[1]), single(operands[2]), put_words(operands[0])
    bits = _bfloat16_bits if "BF16" in modifiers else _float16_bits
    return lambda threads, lanes: put(threads, bits(high(threads)) << U32(16) | bits(low(threads)), lanes)


def _float16_bits(value: Lanes) -> Lanes:
    return value.astype(np.float16).view(np.uint16).astype(U32)


def _bfloat16_bits(value: Lanes) -> Lanes:
    bits = np.ascontiguousarray(value).view(U32)
    rounded = (bits.astype(U64) + U64(0x7FFF) + (bits >> U32(16) & U32(1))) >> U64(16)
    return np.where(np.isnan(value), 0x7FFF, rounded).astype(U32)


def round_float(modifiers: list[str], operands: list[str]) -> Step:
    """FRND: to a whole number."""
    how = {"FLOOR": np.floor, "CEIL": np.ceil, "TRUNC": np.trunc}.get(modifiers[0] if modifiers else "", np.rint)
    value, put = single(operands[1]), put_float(operands[0])
    return lambda threads, lanes: put(threads, how(value(threads)), lanes)


STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    "FADD": add,
    "FMUL": multiply,
    "FFMA": multiply_add,
    "DADD": add_double,
    "DMUL": multiply_double,
    "DFMA": multiply_add_double,
    "FSETP": compare(single),
    "DSETP": compare(double),
    "FMNMX": extreme,
    "FSEL": select,
    "MUFU": approximate,
    "FCHK": is_hard_to_divide,
    "I2F": from_integer,
    "I2FP": from_integer,
    "F2I": to_integer,
    "F2F": convert,
    "F2FP": pack_halves,
    "HADD2": widen_half,
    "FRND": round_float,
}
