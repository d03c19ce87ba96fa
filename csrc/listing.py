"""Reads the machine code of CUDA kernels: nvdisasm's listing, its loops, and what is counted in them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

_FUNCTION = re.compile(r"^\.text\.(\w+):$", re.M)
_LABEL = re.compile(r"^(\.L_\w+|\$[\w$]+):")
_INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:(@!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;")
_PLACE = re.compile(r'^\s*//## File "(?:[^"]*/)?([^"/]+)", line (\d+)')
_TARGET = re.compile(r"`\((\.L_\w+)\)")
_DIVISION = re.compile(r"__cuda_sm\d+_(?:div|rem)_[su]64")
_REGISTER = re.compile(r"\bR(\d+)\b")

MULTIPLY_ADDS = ("FFMA", "DFMA", "HFMA2", "FFMA2")
MATRIX = ("HMMA", "DMMA", "QGMMA", "HGMMA")


@dataclass(frozen=True)
class Instruction:
    """One line of a listing."""

    opcode: str  #: with its modifiers, such as LDG.E.128.CONSTANT
    operands: str
    place: str  #: file and line of the source, "" where it is not known
    guard: str = ""  #: the predicate under which it does anything: P0, !P1
    address: int = 0  #: in bytes from the kernel's first

    @property
    def name(self) -> str:
        return self.opcode.partition(".")[0]

    @property
    def multiplies(self) -> bool:
        """Whether it is a multiply-add, and not a move that is written as one."""
        return self.name in MULTIPLY_ADDS and self.operands.count("RZ") < 2

    @property
    def bits(self) -> int:
        """What a load or a store moves for each thread."""
        for part, bits in (("128", 128), ("64", 64), ("U8", 8), ("S8", 8), ("U16", 16), ("S16", 16)):
            if f".{part}" in self.opcode:
                return bits
        return 32

    def _registers(self) -> list[int]:
        return [int(number) for number in _REGISTER.findall(self.operands)]

    @cached_property
    def written(self) -> frozenset[int]:
        """Registers that a load writes."""
        first = self._registers()[:1] if re.match(r"R\d+\b", self.operands) else []
        return frozenset(number + k for number in first for k in range(max(1, self.bits // 32)))

    @cached_property
    def read(self) -> frozenset[int]:
        """Registers that it names besides its first, and the first where nothing is written."""
        stores = self.name in ("STG", "STS", "ST", "BRA", "ATOMG", "RED")
        named = self._registers()
        return frozenset(named if stores else named[1:])


@dataclass
class Loop:
    """Instructions between a label and the last branch back to it; without those of the loops inside."""

    begin: int
    end: int
    own: list[Instruction] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The file most of it comes from, and the lines there."""
        places = [place.partition(":") for instruction in self.own if (place := instruction.place)]
        if not places:
            return ""
        file = Counter(name for name, _, _ in places).most_common(1)[0][0]
        lines = [int(line) for name, _, line in places if name == file]
        return f"{file}:{min(lines)}-{max(lines)}"

    @cached_property
    def counts(self) -> dict[str, int]:
        """Instructions, multiply-adds, and accesses of memory; loads in flight, and the widest access in bits."""
        names = Counter(instruction.name for instruction in self.own)
        of_global = [instruction for instruction in self.own if instruction.name in ("LDG", "LDGSTS", "STG")]
        return {
            "instructions": len(self.own),
            "multiply_adds": sum(instruction.multiplies for instruction in self.own),
            "matrix": sum(names[name] for name in MATRIX),
            "global_loads": names["LDG"] + names["LDGSTS"],
            "shared_loads": names["LDS"],
            "in_flight": in_flight(self.own),
            "bits": max((instruction.bits for instruction in of_global), default=0),
        }


def in_flight(instructions: Sequence[Instruction]) -> int:
    """How many global loads have been issued, at most, before the result of one of them is used.

    Copies to shared memory are in flight until they are waited for.
    """
    waiting: list[frozenset[int]] = []
    copies = most = 0
    all_copies = sum(instruction.name == "LDGSTS" for instruction in instructions)
    for instruction in (*instructions, *instructions):  # a loop goes round
        ended = instruction.read
        if instruction.name == "LDG":
            ended |= instruction.written  # a second load into a register waits for the first
        waiting = [load for load in waiting if not load & ended]
        if instruction.name == "LDG":
            waiting.append(instruction.written)
        elif instruction.name == "LDGSTS":
            copies = min(copies + 1, all_copies)
        elif instruction.name in ("LDGDEPBAR", "DEPBAR"):
            copies = 0
        most = max(most, len(waiting) + copies)
    return most


@dataclass(frozen=True)
class Kernel:
    """One kernel's machine code."""

    name: str  #: as in the source, with its template arguments: affine_sample_kernel<float>
    instructions: tuple[Instruction, ...]
    labels: dict[str, int]  #: numbers of the instructions that follow them
    shared: int = 0  #: bytes of shared memory that no launch asks for

    @cached_property
    def loops(self) -> list[Loop]:
        """The body as a whole first, then all loops by where they begin."""
        ends: dict[int, int] = {}
        for number, instruction in enumerate(self.instructions):
            target = _TARGET.search(instruction.operands)
            if instruction.name != "BRA" or target is None:
                continue
            begin = self.labels.get(target.group(1), number + 1)
            if begin < number:  # a branch to itself is what stands behind the end
                ends[begin] = max(number + 1, ends.get(begin, 0))
        loops = [Loop(0, len(self.instructions)), *(Loop(*pair) for pair in sorted(ends.items()))]
        for number, instruction in enumerate(self.instructions):
            around = [loop for loop in loops if loop.begin <= number < loop.end]
            min(around, key=lambda loop: loop.end - loop.begin).own.append(instruction)
        return loops

    @cached_property
    def hot(self) -> Loop:
        """Where a kernel of this project spends its time: the densest of the loops with much to do.

        To do is what it is for, multiply-adds and loads; much is a quarter of what the busiest loop has.
        """
        busiest = max(_work(loop) for loop in self.loops)
        busy = [loop for loop in self.loops if loop.own and 4 * _work(loop) >= busiest]
        return max(busy, key=lambda loop: _work(loop) / len(loop.own))

    @property
    def divisions(self) -> int:
        """Calls of a division of 64 bits."""
        calls = (instruction for instruction in self.instructions if instruction.name == "CALL")
        return sum(bool(_DIVISION.search(call.operands)) for call in calls)

    @property
    def local(self) -> int:
        """Loads and stores of local memory: spills, and arrays that are indexed by a variable."""
        return sum(instruction.name in ("LDL", "STL") for instruction in self.instructions)


def _work(loop: Loop) -> int:
    counts = loop.counts
    return counts["multiply_adds"] + 64 * counts["matrix"] + counts["global_loads"] + counts["shared_loads"]


def kernels(listing: str, shared: Mapping[str, int] | None = None) -> Iterator[Kernel]:
    """The kernels of what ``nvdisasm -c -g`` prints; `shared`: bytes of static shared memory, by the mangled name."""
    starts = list(_FUNCTION.finditer(listing))
    for start, following in zip(starts, [*starts[1:], None]):
        text = listing[start.end() : following.start() if following else len(listing)]
        instructions: list[Instruction] = []
        labels: dict[str, int] = {}
        place = ""
        for line in text.splitlines():
            if label := _LABEL.match(line):
                labels[label.group(1)] = len(instructions)
            elif found := _PLACE.match(line):
                place = f"{found.group(1)}:{found.group(2)}"
            elif code := _INSTRUCTION.search(line):
                address, guard, opcode, operands = code.groups()
                if opcode != "NOP":
                    guard = (guard or "").removeprefix("@")
                    instructions.append(Instruction(opcode, operands, place, guard, int(address, 16)))
        mangled = start.group(1)
        yield Kernel(demangled(mangled), tuple(instructions), labels, (shared or {}).get(mangled, 0))


def demangled(name: str) -> str:
    """``_Z...`` -> ``kernel<float, 8>``, without namespaces, arguments and casts."""
    full = subprocess.run(["c++filt", name], check=True, text=True, capture_output=True).stdout.strip()
    full = re.sub(r"\w+::", "", full.replace("(anonymous namespace)::", ""))
    full = re.sub(r"\(\w+\)(?=\d)", "", full)  # (int)8, (bool)1, (Mode)0
    return full.removeprefix("void ").partition("(")[0]
