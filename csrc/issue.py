"""Runs the integer part of a kernel's machine code, to count what a warp issues: no GPU, no floating point.

A thread is followed through its branches with the real parameters of a launch. Of an instruction a warp issues as many
as its busiest lane; that is what hardware does where lanes that took different ways meet again at once. An instruction
whose predicate is false is issued too.
"""

from __future__ import annotations

import functools
import re
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from listing import Kernel

MASK = 0xFFFFFFFF
PARAMETERS = 0x210  # where they begin in constant memory, on sm_90
#: Without a result that a branch or an address depends on.
IGNORED = {"FFMA", "FADD", "FMUL", "STG", "STS", "LDGSTS", "LDG", "BSSY", "BSYNC", "BAR", "LDGDEPBAR", "DEPBAR", "NOP"}
IGNORED |= {"WARPSYNC", "F2F", "F2FP", "HADD2"}
_CONSTANT = re.compile(r"c\[0x0\]\[(?:(U?R\w+?)(?:\.\w+)?\+)?(-?0x\w+)\]")
_AT_REGISTER = re.compile(r"c\[0x0\]\[(U?R\w+)()\]")
_OPERAND = re.compile(r"desc\[\w+\]\[[^\]]*\]|c\[[^\]]*\]\[[^\]]*\]|[^,]+")


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


class Thread:
    """Registers, uniform registers and predicates of one thread; what is not written yet is zero."""

    def __init__(self, code: list[Decoded | None], constants: bytes, special: dict[str, int]) -> None:
        self.code, self.constants, self.special = code, constants, special
        self.registers: dict[str, int] = {}
        self.predicates: dict[str, bool] = {}

    def constant(self, text: str) -> int:
        register, offset = place_of(text)
        return struct.unpack_from("<I", self.constants, offset + self.registers.get(register, 0) & MASK)[0]

    def exact(self, text: str) -> int:
        """A source, where -x is 2^32 - x, so that a sum carries as in the hardware."""
        sign, name, _ = source_of(text)
        return (1 << 32) - self.value(name) if sign == "-" else self.value(text)

    def value(self, text: str) -> int:
        sign, name, number = source_of(text)
        if number is None:
            number = self.constant(name) if name[0] == "c" else self.registers.get(name, 0)
        if not sign:
            return number
        return {"-": -number & MASK, "~": ~number & MASK, "|": abs(signed(number))}[sign]

    def pair(self, text: str) -> int:
        _, name, number = source_of(text)
        if number is not None:
            return number
        if name[0] == "c":
            return self.constant(name)
        bank, index = name.rstrip("0123456789"), name.lstrip("UR")
        high = self.registers.get(f"{bank}{int(index) + 1}", 0) if index.isdigit() else 0
        return self.registers.get(name, 0) | high << 32

    def put(self, text: str, value: int, words: int = 1) -> None:
        bank, index = text.rstrip("0123456789"), text.lstrip("UR")
        if index.isdigit():  # not RZ
            for k in range(words):
                self.registers[f"{bank}{int(index) + k}"] = value >> 32 * k & MASK

    def holds(self, text: str) -> bool:
        wanted = not text.startswith("!")
        name = text.lstrip("!")
        return (name in ("PT", "UPT") or self.predicates.get(name, False)) == wanted

    def set(self, text: str, holds: bool) -> None:
        self.predicates[text.strip()] = holds

    def run(self, most: int = 1_000_000) -> Counter[int]:
        """How often each instruction is issued."""
        counts = [0] * len(self.code)
        place = 0
        for _ in range(most):
            instruction = self.code[place]
            counts[place] += 1
            place += 1
            if instruction is None or (instruction.guard and not self.holds(instruction.guard)):
                continue
            if instruction.name == "EXIT":
                return Counter({place: count for place, count in enumerate(counts) if count})
            if instruction.name == "BRA":
                if all(self.holds(text) for text in instruction.operands):
                    place = instruction.target
            else:
                STEPS[instruction.name](self, instruction.parts, instruction.operands)
        raise RuntimeError("the thread does not end")


@functools.cache
def place_of(text: str) -> tuple[str, int]:
    """Of c[0x0][R2+0x210]: the register, or none, and the offset."""
    found = _CONSTANT.match(text) or _AT_REGISTER.match(text)
    assert found, text
    return found.group(1) or "", int(found.group(2) or "0", 16)


@functools.cache
def source_of(text: str) -> tuple[str, str, int | None]:
    """What is done to a source (-, ~ or |), its name, and its value where it is a number."""
    text = text.strip().replace(".reuse", "")
    sign = text[0] if text[0] in "~|" or re.match(r"-(?!0x|\d)", text) else ""
    name = text.strip("~|") if sign != "-" else text[1:]
    if name.startswith("c["):
        return sign, name, None
    if re.match(r"U?RZ", name):
        return sign, name, 0
    if re.match(r"U?R\d", name):
        return sign, name.partition(".")[0], None
    return sign, name, int(name, 0) & MASK


@dataclass(frozen=True)
class Decoded:
    """An instruction, taken apart; `target` is where a branch goes, whose operands are predicates."""

    guard: str
    name: str
    parts: list[str]
    operands: list[str]
    target: int


def decode(kernel: Kernel) -> list[Decoded | None]:
    """None for what is not followed."""
    code: list[Decoded | None] = []
    for instruction in kernel.instructions:
        name = instruction.name if instruction.name == "UMOV" else instruction.name.removeprefix("U")
        if name in IGNORED:
            code.append(None)
            continue
        if name not in (*STEPS, "BRA", "EXIT"):
            raise NotImplementedError(f"{instruction.opcode} {instruction.operands}")
        operands = [text.strip() for text in _OPERAND.findall(instruction.operands)]
        target = -1
        if name == "BRA":
            found = re.search(r"`\((\.L_\w+)\)", operands.pop())
            target = kernel.labels.get(found.group(1), -1) if found else -1
        code.append(Decoded(instruction.guard, name, instruction.opcode.split(".")[1:], operands, target))
    return code


Step = Callable[[Thread, list[str], list[str]], None]
_PREDICATE = re.compile(r"!?U?P[\dT]$")


def split(operands: list[str]) -> tuple[list[str], list[str], list[str]]:
    """The predicates that are written, the sources, and the predicates that are read."""
    rest = operands[1:]
    written = []
    while rest and _PREDICATE.match(rest[0]):
        written.append(rest.pop(0))
    read: list[str] = []
    while rest and _PREDICATE.match(rest[-1]):
        read.insert(0, rest.pop())
    return written, rest, read


def add(t: Thread, parts: list[str], operands: list[str]) -> None:
    written, sources, read = split(operands)
    total = sum(t.value(s) if "X" in parts else t.exact(s) for s in sources)
    total += sum(t.holds(p) for p in read) if "X" in parts else 0
    for predicate in written[:1]:
        t.set(predicate, total >> 32 > 0)
    t.put(operands[0], total & MASK)


def multiply(t: Thread, parts: list[str], operands: list[str]) -> None:
    written, (a, b, c), read = split(operands)
    if "WIDE" in parts:
        first, second = t.value(a), t.value(b)
        if "U32" not in parts:
            first, second = signed(first), signed(second)
        total = first * second + t.pair(c)
        for predicate in written[:1]:
            t.set(predicate, total >> 64 > 0)
        t.put(operands[0], total & (1 << 64) - 1, 2)
    elif "HI" in parts:
        t.put(operands[0], (t.value(a) * t.value(b) + t.pair(c)) >> 32 & MASK)
    else:
        carry = sum(t.holds(p) for p in read) if "X" in parts else 0
        t.put(operands[0], (t.value(a) * t.value(b) + t.value(c) + carry) & MASK)


def shift_and_add(t: Thread, parts: list[str], operands: list[str]) -> None:
    written, sources, read = split(operands)
    carry = sum(t.holds(p) for p in read) if "X" in parts else 0
    shift = t.value(sources[-1])
    if "SX32" in parts:
        total = (signed(t.value(sources[0])) << shift >> 32 & MASK) + t.value(sources[1]) + carry
    elif "HI" in parts:
        wide = (t.value(sources[2]) << 32 | t.value(sources[0])) << shift
        total = (wide >> 32 & MASK) + t.value(sources[1]) + carry
    else:
        total = (t.value(sources[0]) << shift & MASK) + t.value(sources[1])
    for predicate in written[:1]:
        t.set(predicate, total >> 32 > 0)
    t.put(operands[0], total & MASK)


def shift(t: Thread, parts: list[str], operands: list[str]) -> None:
    low, count, high = t.value(operands[1]), t.value(operands[2]), t.value(operands[3])
    wide = high << 32 | low
    if "L" in parts:
        result = (low << count) if "HI" not in parts else wide << count >> 32
    elif "HI" in parts:
        result = (signed(high) if "S32" in parts or "S64" in parts else high) >> count
    else:
        result = wide >> count
    t.put(operands[0], result & MASK)


def table(bits: int, inputs: list[int], width: int) -> int:
    result = 0
    for k in range(8):
        if bits >> k & 1:
            term = (1 << width) - 1
            for place, value in zip((4, 2, 1), inputs):
                term &= value if k & place else ~value
            result |= term
    return result & (1 << width) - 1


def bitwise(t: Thread, _: list[str], operands: list[str]) -> None:
    written, sources, _ = split(operands)
    result = table(t.value(sources[3]), [t.value(s) for s in sources[:3]], 32)
    for predicate in written[:1]:
        t.set(predicate, result != 0)
    t.put(operands[0], result)


def of_predicates(t: Thread, _: list[str], operands: list[str]) -> None:
    inputs = [int(t.holds(text)) for text in operands[2:5]]
    t.set(operands[0], bool(table(int(operands[5], 0), inputs, 1)))


def compare(t: Thread, parts: list[str], operands: list[str]) -> None:
    a, b = t.value(operands[2]), t.value(operands[3])
    if "U32" not in parts:
        a, b = signed(a), signed(b)
    holds = {"GE": a >= b, "GT": a > b, "LE": a <= b, "LT": a < b, "EQ": a == b, "NE": a != b}[parts[0]]
    also = t.holds(operands[4])
    t.set(operands[0], (holds and also) if "AND" in parts else (holds or also))
    if operands[1] not in ("PT", "UPT"):
        t.set(operands[1], (not holds and also) if "AND" in parts else (not holds or also))


def extreme(t: Thread, _: list[str], operands: list[str]) -> None:
    *sources, predicate = operands[1:]
    values = [signed(t.value(s)) for s in sources]
    if len(values) == 3:
        values = [signed(values[0] + values[1] & MASK), values[2]]
    t.put(operands[0], (min if t.holds(predicate) else max)(values) & MASK)


def permute(t: Thread, _: list[str], operands: list[str]) -> None:
    eight = t.value(operands[1]) | t.value(operands[3]) << 32
    selector, result = t.value(operands[2]), 0
    for k in range(4):
        pick = selector >> 4 * k & 15
        byte = eight >> 8 * (pick & 7) & 255
        result |= (255 if pick & 8 and byte >> 7 else 0 if pick & 8 else byte) << 8 * k
    t.put(operands[0], result)


def load_constant(t: Thread, parts: list[str], operands: list[str]) -> None:
    value = t.constant(operands[1])
    if "64" in parts:
        bracket = operands[1].rindex("0x")
        high = operands[1][:bracket] + hex(int(operands[1][bracket:-1], 16) + 4) + "]"
        value |= t.constant(high) << 32
    t.put(operands[0], value & 0xFF if "U8" in parts else value, 2 if "64" in parts else 1)


def to_float(t: Thread, _: list[str], operands: list[str]) -> None:
    t.put(operands[0], struct.unpack("<I", struct.pack("<f", float(t.value(operands[1]))))[0])


def reciprocal(t: Thread, _: list[str], operands: list[str]) -> None:
    value = struct.unpack("<f", struct.pack("<I", t.value(operands[1])))[0]
    t.put(operands[0], struct.unpack("<I", struct.pack("<f", 1 / value if value else float("inf")))[0])


def to_integer(t: Thread, _: list[str], operands: list[str]) -> None:
    value = struct.unpack("<f", struct.pack("<I", t.value(operands[1])))[0]
    t.put(operands[0], min(int(value), MASK) if value < 2.0**33 else MASK)


def packed_constant(t: Thread, _: list[str], operands: list[str]) -> None:
    """HFMA2.MMA R, -RZ, RZ, a, b: how nvcc moves a constant on another unit."""
    halves = [struct.unpack("<H", struct.pack("<e", float(text)))[0] for text in operands[3:5]]
    t.put(operands[0], halves[0] << 16 | halves[1])


STEPS: dict[str, Step] = {
    "IADD3": add,
    "VIADD": add,
    "IADD": add,
    "IMAD": multiply,
    "LEA": shift_and_add,
    "SHF": shift,
    "LOP3": bitwise,
    "PLOP3": of_predicates,
    "ISETP": compare,
    "VIADDMNMX": extreme,
    "VIMNMX": extreme,
    "IMNMX": extreme,
    "PRMT": permute,
    "LDC": load_constant,
    "I2F": to_float,
    "MUFU": reciprocal,
    "F2I": to_integer,
    "HFMA2": packed_constant,
    "UMOV": lambda t, _, o: t.put(o[0], t.value(o[1])),
    "MOV": lambda t, _, o: t.put(o[0], t.value(o[1])),
    "R2UR": lambda t, _, o: t.put(o[0], t.value(o[1])),
    "CS2R": lambda t, p, o: t.put(o[0], 0, 1 if "32" in p else 2),
    "SEL": lambda t, _, o: t.put(o[0], t.value(o[1] if t.holds(o[3]) else o[2])),
    "S2R": lambda t, _, o: t.put(o[0], t.special.get(o[1], 0)),
    "S2UR": lambda t, _, o: t.put(o[0], t.special.get(o[1], 0)),
    "LDS": lambda t, _, o: None,
}


def issued(kernel: Kernel, parameters: bytes, block: tuple[int, int, int], index: int = 0) -> Counter[int]:
    """How often each instruction is issued by the warps of block `index`, all of them together."""
    head = struct.pack("<III", *block).ljust(PARAMETERS, b"\0")
    every: Counter[int] = Counter()
    code = decode(kernel)
    count = block[0] * block[1] * block[2]
    for first in range(0, count, 32):
        warp: Counter[int] = Counter()
        for thread in range(first, min(first + 32, count)):
            x, y, z = thread % block[0], thread // block[0] % block[1], thread // block[0] // block[1]
            special = {"SR_TID.X": x, "SR_TID.Y": y, "SR_TID.Z": z, "SR_CTAID.X": index}
            warp |= Thread(code, head + parameters, special).run()
        every += warp
    return every
