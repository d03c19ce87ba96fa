"""Memory that machine code reads and writes: the arrays of a launch, where they lie, and a block's shared memory."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.machine_code.operands import Lanes, Source, flag, is_predicate, pair, put_words, word
from tests.machine_code.threads import MachineError, Step, Threads

_WIDTH = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16}
SHARED_BEGIN = 0x400  # a block's own shared memory begins there on sm_90


@dataclass
class Range:
    """Bytes of global memory that a launch may touch."""

    begin: int
    end: int
    writable: bool

    def __post_init__(self) -> None:
        kind = ctypes.c_uint8 * max(self.end - self.begin, 0)
        self.bytes = np.frombuffer(kind.from_address(self.begin), np.uint8) if self.end > self.begin else None


class Global:
    """Global memory: the arrays of a launch."""

    def __init__(self, ranges: list[tuple[int, int, bool]]) -> None:
        self.ranges = [Range(*each) for each in ranges]

    def view(self, threads: Threads, places: np.ndarray, width: int, writes: bool) -> tuple[np.ndarray, np.ndarray]:
        """Words of memory, and which of them lie at `places`; one array holds them all."""
        first, last = int(places.min()), int(places.max())
        for each in self.ranges:
            if each.begin <= first and last + width <= each.end:
                if writes and not each.writable:
                    raise MachineError(threads, f"writes to an input at {first:#x}")
                if (places % np.uint64(width)).any():
                    raise MachineError(threads, f"an address that is no multiple of {width}")
                unit = min(width, 4)
                skew = -each.begin % unit  # arrays begin where NumPy put them
                words = each.bytes[skew : skew + (each.end - each.begin - skew) // unit * unit].view(f"u{unit}")
                return words, ((places - np.uint64(each.begin + skew)) // np.uint64(unit)).astype(np.int64)
        raise MachineError(threads, f"accesses {first:#x} to {last + width:#x} outside every array")


class Shared:
    """A block's shared memory; what nobody has written is poison."""

    def __init__(self, size: int) -> None:
        self.words = np.full((SHARED_BEGIN + size + 15) // 4, 0x7FC0DEAD, np.uint32)
        self.end = SHARED_BEGIN + size

    def view(self, threads: Threads, places: np.ndarray, width: int, writes: bool) -> tuple[np.ndarray, np.ndarray]:
        if int(places.min()) < SHARED_BEGIN or int(places.max()) + width > self.end:
            reached = f"{int(places.min()):#x} to {int(places.max()) + width:#x}"
            raise MachineError(threads, f"accesses shared memory at {reached}, which ends at {self.end:#x}")
        if (places % np.uint64(width)).any():
            raise MachineError(threads, f"an address of shared memory that is no multiple of {width}")
        unit = min(width, 4)
        return self.words.view(f"u{unit}"), (places // np.uint64(unit)).astype(np.int64)


def address(text: str) -> Source:
    """`desc[UR4][R2.64+0x10]`, `[R5+UR4+0x10]`, `[R8.X4]`: registers and numbers that are added."""
    terms = text[text.rindex("[") + 1 : -1].replace("+-", "+~").split("+")
    global_memory = text.startswith("desc")
    sources: list[Source] = []
    for term in terms:
        name, _, suffix = term.partition(".")
        if name.startswith("~") or name.startswith(("0x", "-0x")):
            offset = int(name.replace("~", "-"), 0)
            sources.append(lambda threads, offset=offset: np.array([offset & 0xFFFFFFFFFFFFFFFF], np.uint64))
        elif suffix == "64" or (global_memory and name.startswith("UR")):
            sources.append(pair(name))
        elif suffix.startswith("X"):
            scaled, by = word(name), np.uint64(int(suffix[1:]))
            sources.append(lambda threads, scaled=scaled, by=by: scaled(threads).astype(np.uint64) * by)
        else:
            one = word(name)
            sources.append(lambda threads, one=one: one(threads).astype(np.uint64))
    mask = np.uint64(0xFFFFFFFFFFFFFFFF if global_memory else 0xFFFFFFFF)

    def total(threads: Threads) -> Lanes:
        found = sources[0](threads)
        for source in sources[1:]:
            found = found + source(threads)
        return np.broadcast_to(found & mask, threads.shape)

    return total


def width_of(modifiers: list[str]) -> int:
    return next((_WIDTH[name] for name in modifiers if name in _WIDTH), 4)


def read(threads: Threads, space: Global | Shared, places: Lanes, width: int) -> np.ndarray:
    """(words, lanes of `places`) uint32; bytes and halves without their sign."""
    words, index = space.view(threads, places, width, writes=False)
    return np.stack([words[index + k] for k in range(max(1, width // 4))]).astype(np.uint32)


def load(shared: bool) -> Callable[[list[str], list[str]], Step]:
    def build(modifiers: list[str], operands: list[str]) -> Step:
        width, at = width_of(modifiers), address(operands[1])
        puts = [put_words(name) for name in _registers(operands[0], width)]
        sign = next((8 * _WIDTH[name] for name in modifiers if name in ("S8", "S16")), 0)

        def step(threads: Threads, lanes: Lanes) -> None:
            if not lanes.any():
                return
            found = read(threads, threads.block.shared if shared else threads.block.memory, at(threads)[lanes], width)
            if sign:
                high = np.uint32(1 << sign - 1)
                found = (found ^ high) - high
            for put, part in zip(puts, found):
                values = np.zeros(threads.shape, np.uint32)
                values[lanes] = part
                put(threads, values, lanes)

        return step

    return build


def store(shared: bool) -> Callable[[list[str], list[str]], Step]:
    def build(modifiers: list[str], operands: list[str]) -> Step:
        width, at = width_of(modifiers), address(operands[0])
        values = [word(name) for name in _registers(operands[1], width)]

        def step(threads: Threads, lanes: Lanes) -> None:
            if not lanes.any():
                return
            space = threads.block.shared if shared else threads.block.memory
            words, index = space.view(threads, at(threads)[lanes], width, writes=True)
            for k, value in enumerate(values):
                words[index + k] = np.broadcast_to(value(threads), threads.shape)[lanes]

        return step

    return build


def copy_to_shared(modifiers: list[str], operands: list[str]) -> Step:
    """LDGSTS: at once, while the hardware may take until it is waited for; zeros where the last predicate is false."""
    width, to, come_from = width_of(modifiers), address(operands[0]), address(operands[1])
    inside = flag(operands[2]) if len(operands) > 2 and is_predicate(operands[2]) else None

    def step(threads: Threads, lanes: Lanes) -> None:
        if not lanes.any():
            return
        there = lanes if inside is None else lanes & inside(threads)
        values = np.zeros((max(1, width // 4), *threads.shape), np.uint32)
        if there.any():
            values[:, there] = read(threads, threads.block.memory, come_from(threads)[there], width)
        words, index = threads.block.shared.view(threads, to(threads)[lanes], width, writes=True)
        for k, part in enumerate(values):
            words[index + k] = part[lanes]

    return step


def atomic_on_shared(modifiers: list[str], operands: list[str]) -> Step:
    """ATOMS.ADD, lane after lane."""
    if modifiers != ["ADD"]:
        raise NotImplementedError(f"ATOMS.{'.'.join(modifiers)}")
    at, value, put = address(operands[1]), word(operands[2]), put_words(operands[0])

    def step(threads: Threads, lanes: Lanes) -> None:
        if not lanes.any():
            return
        words, index = threads.block.shared.view(threads, at(threads)[lanes], 4, writes=True)
        old, found = np.zeros(threads.shape, np.uint32), np.zeros(len(index), np.uint32)
        for k, (place, more) in enumerate(zip(index, np.broadcast_to(value(threads), threads.shape)[lanes])):
            found[k] = words[place]
            words[place] += more
        old[lanes] = found
        put(threads, old, lanes)

    return step


def _registers(name: str, width: int) -> list[str]:
    """The registers of a wide access: R4 to R7 for 16 bytes from R4 on."""
    name = name.replace(".reuse", "")
    found = re.match(r"(U?R)(\d+)$", name)
    count = max(1, width // 4)
    return [f"{found.group(1)}{int(found.group(2)) + k}" for k in range(count)] if found else [name] * count


STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    "LDG": load(shared=False),
    "LDS": load(shared=True),
    "STG": store(shared=False),
    "STS": store(shared=True),
    "LDGSTS": copy_to_shared,
    "ATOMS": atomic_on_shared,
}
