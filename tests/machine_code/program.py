"""A kernel's machine code, made ready to run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from csrc.listing import Instruction as Listed
from csrc.listing import Kernel
from tests.machine_code import bits, collective, floating, integer, memory
from tests.machine_code.operands import Lanes, Source, flag, split, word
from tests.machine_code.threads import BLOCK, WARP, Step, Threads

#: Nothing that a result depends on: all is in order here, and a copy to shared memory happens at once.
IDLE = {"NOP", "YIELD", "LDGDEPBAR", "DEPBAR", "ERRBAR", "MEMBAR", "CCTL", "NANOSLEEP"}
CONTROL = {"BRA", "EXIT", "BSSY", "BSYNC", "BREAK", "CALL", "RET", "BAR", "WARPSYNC"}
STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    **integer.STEPS,
    **bits.STEPS,
    **floating.STEPS,
    **collective.STEPS,
    **memory.STEPS,
}
#: U in front: the same on uniform registers, once a threads.
UNIFORM = ("UMOV", "UIADD3", "UIMAD", "ULEA", "USHF", "ULOP3", "UISETP", "USEL", "ULDC", "UPLOP3", "UPRMT", "UPOPC")
UNIFORM += ("UFLO", "UVIADD", "UIABS", "UBREV")


@dataclass
class Instruction:
    """One instruction; `step` is what it does, None for one that says where to go on."""

    text: str
    name: str
    listed: Listed
    guard: Source | None
    step: Step | None
    uniform: bool = False
    target: int = -1
    barrier: str = ""
    also: Source | None = None  # a branch's second predicate; what threads say at a barrier
    returns: Source | None = None  # where a called function goes on, in bytes from the kernel's first


@dataclass
class Program:
    """The code of a kernel, and where in it the addresses of its instructions are."""

    name: str
    code: list[Instruction]
    places: dict[int, int] = field(default_factory=dict)


def prepare(kernel: Kernel) -> Program:
    """What `Block` runs.

    Raises:
        NotImplementedError: the kernel has an instruction that is not known here.
    """
    code = [_prepare(kernel, listed) for listed in kernel.instructions]
    return Program(kernel.name, code, {listed.address: k for k, listed in enumerate(kernel.instructions)})


def _prepare(kernel: Kernel, listed: Listed) -> Instruction:
    name, *modifiers = listed.opcode.split(".")
    operands = split(listed.operands)
    guard = flag(listed.guard) if listed.guard else None
    guarded = f"@{listed.guard} " if listed.guard else ""
    place = f" ({listed.place})" if listed.place else ""
    text = f"/*{listed.address:04x}*/ {guarded}{listed.opcode} {listed.operands}{place}"
    found = Instruction(text, name, listed, guard, None)
    if name in IDLE or (name == "BRA" and "DIV" in modifiers):
        # A warp whose threads have met again does not take a branch for one whose threads have not.
        found.step = _nothing if name in IDLE else _together
        return found
    if name in CONTROL:
        return _with_target(kernel, found, operands)
    if name == "ENDCOLLECTIVE":
        found.step = _never
        return found
    plain = name[1:] if name in UNIFORM else name
    if plain not in STEPS:
        raise NotImplementedError(f"{kernel.name}: {text}")
    found.step = STEPS[plain](modifiers, operands)
    found.uniform = name in UNIFORM
    return found


def _with_target(kernel: Kernel, found: Instruction, operands: list[str]) -> Instruction:
    name = found.name
    if name in ("BRA", "CALL"):
        label = re.search(r"`\(([^)]+)\)", operands[-1])
        assert label, found.text
        found.target = kernel.labels[label.group(1)]
        if len(operands) > 1:
            found.also = flag(operands[0])
    elif name == "RET":
        found.returns = word(operands[0].split()[0])
    elif name == "BAR":
        assert operands[0] == "0x0", found.text
        found.barrier = BLOCK
        if len(operands) > 1:
            assert ".RED.AND" in found.listed.opcode, found.text
            found.also = flag(operands[1])  # what each thread says
    elif name == "WARPSYNC":
        found.barrier = WARP
        if "COLLECTIVE" in found.listed.opcode:
            found.step = _never
    elif name != "EXIT":
        found.barrier = operands[-1] if name == "BREAK" else operands[0]
        if name == "BREAK" and len(operands) > 1:
            raise NotImplementedError(found.text)
    return found


def _nothing(threads: Threads, lanes: Lanes) -> None:
    pass


def _together(threads: Threads, lanes: Lanes) -> None:
    if (lanes.any(axis=1, keepdims=True) & (lanes != threads.alive)).any():
        raise NotImplementedError("a branch for threads that have not met again")


def _never(threads: Threads, lanes: Lanes) -> None:
    raise NotImplementedError("the way of threads that have not met again")
