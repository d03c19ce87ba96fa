"""A warp: 32 threads with registers, that go through machine code together and apart.

Threads that are at one instruction run it together.  Of several groups the one that is furthest back runs first, so
that threads meet again where their ways do; where code is laid out otherwise, they wait at convergence barriers (BSSY,
BSYNC) and at WARPSYNC, as on the hardware.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.machine_code.block import Block
    from tests.machine_code.program import Instruction

Step = Callable[["Warp", np.ndarray], None]
POISON = 0x7FC0DEAD  # what a register holds that nothing was written to: NaN


class MachineError(RuntimeError):
    """What the hardware would not survive, or would leave undefined."""

    def __init__(self, warp: Warp, message: str) -> None:
        super().__init__(f"{warp.block.program.name}, {warp.where}: {message}")


@dataclass
class Group:
    """Threads of a warp that are at one place."""

    place: int
    lanes: np.ndarray


class Warp:
    """Registers and places of 32 threads; `first` is the number in its block of the first."""

    def __init__(self, block: Block, first: int, threads: int) -> None:
        self.block, self.constants = block, block.constants
        self.registers = np.full((256, 32), POISON, np.uint32)
        self.registers[255] = 0
        self.uniform = np.full((256, 1), POISON, np.uint32)
        self.uniform[255] = 0
        self.predicates = np.zeros((8, 32), bool)
        self.uniform_predicates = np.zeros((8, 1), bool)
        self.predicates[7] = self.uniform_predicates[7] = True
        self.numbers = first + np.arange(32)
        self.alive = self.numbers < threads
        self.groups = [Group(0, self.alive.copy())]
        self.members: dict[str, np.ndarray] = {}  # of convergence barriers
        self.waiting: dict[str, np.ndarray] = {}  # at them, or at WARPSYNC, or at the block's barrier: "BAR"
        self.resume: dict[str, int] = {}
        self.counts: Counter[int] = Counter()
        self.where = ""

    @property
    def at_barrier(self) -> bool:
        """Whether all threads that are left wait for the block."""
        return bool(self.alive.any()) and not self.groups

    def run(self) -> None:
        """Until every thread has ended or waits for the block."""
        while self.groups:
            group = min(self.groups, key=lambda one: one.place)
            others = [one for one in self.groups if one is not group]
            self.groups = others
            self._advance(group, min((one.place for one in others), default=1 << 60))
            self._merge()
        if self.alive.any() and not (self.waiting.get("BAR", self.alive & False) == self.alive).all():
            raise MachineError(self, "threads wait for each other for ever")

    def _merge(self) -> None:
        by_place: dict[int, Group] = {}
        for group in self.groups:
            if group.place in by_place:
                by_place[group.place].lanes = by_place[group.place].lanes | group.lanes
            else:
                by_place[group.place] = group
        self.groups = list(by_place.values())

    def _advance(self, group: Group, stop: int) -> None:
        """Runs a group until its threads part, wait or end, or it comes to where others are."""
        code, counts, block = self.block.program.code, self.counts, self.block
        place, lanes = group.place, group.lanes
        while place < stop:
            instruction = code[place]
            counts[place] += 1
            if block.issued() > block.limit:
                raise MachineError(self, f"does not end within {block.limit} instructions")
            self.where = instruction.text
            guard = instruction.guard
            active = lanes if guard is None else lanes & guard(self)
            if instruction.step is not None:
                instruction.step(self, active if not instruction.uniform else active[:1] if guard else _ONE)
                place += 1
                continue
            self.active = lanes
            if not self._control(instruction, place, lanes, active):
                return
            place += 1
        self.groups.append(Group(place, lanes))

    def _control(self, instruction: Instruction, place: int, lanes: np.ndarray, active: np.ndarray) -> bool:
        """A branch, a barrier, an end; whether the group goes on with the next instruction."""
        name = instruction.name
        if name == "BRA":
            jumps = active if instruction.also is None else active & instruction.also(self)
            if not jumps.any():
                return True
            self.groups.append(Group(instruction.target, jumps))
            self._go_on(lanes & ~jumps, place + 1)
            return False
        if name == "CALL":
            if active.any():
                self.groups.append(Group(instruction.target, active))
                self._go_on(lanes & ~active, place + 1)
                return False
            return True
        if name == "RET":
            if not active.any():
                return True
            targets = set(instruction.returns(self)[active].tolist())  # type: ignore[misc]
            for address in targets:
                there = active & (instruction.returns(self) == address)  # type: ignore[misc]
                self.groups.append(Group(self.block.program.places[int(address)], there))
            self._go_on(lanes & ~active, place + 1)
            return False
        if name == "EXIT":
            self.alive = self.alive & ~active
            self._go_on(lanes & ~active, place + 1)
            for barrier in list(self.waiting):
                self._release(barrier)
            return False
        if name == "BSSY":
            self.members[instruction.barrier] = active.copy()
            return True
        if name == "BREAK":
            self.members[instruction.barrier] = self.members[instruction.barrier] & ~active
            self._release(instruction.barrier)
            return True
        if name in ("BSYNC", "WARPSYNC", "BAR"):
            barrier = instruction.barrier
            if not active.any():
                return True
            self.waiting[barrier] = self.waiting.get(barrier, np.zeros(32, bool)) | active
            self.resume[barrier] = place + 1
            if instruction.also is not None:
                self.block.say(instruction.also(self)[active])
            self._go_on(lanes & ~active, place + 1)
            self._release(barrier)
            return False
        raise NotImplementedError(instruction.text)

    def _go_on(self, lanes: np.ndarray, place: int) -> None:
        if lanes.any():
            self.groups.append(Group(place, lanes))

    def _release(self, barrier: str) -> None:
        """Lets those go on who wait at a barrier that all have reached; the block's is the block's affair."""
        if barrier == "BAR" or not (waiting := self.waiting.get(barrier, np.zeros(32, bool)) & self.alive).any():
            return
        members = self.alive if barrier == "WARPSYNC" else self.members[barrier] & self.alive
        if (waiting & members == members).all():
            self._leave(barrier, waiting)

    def leave_barrier(self) -> None:
        """The block's barrier opens."""
        self._leave("BAR", self.waiting["BAR"])

    def _leave(self, barrier: str, lanes: np.ndarray) -> None:
        self.waiting[barrier] = np.zeros(32, bool)
        self._go_on(lanes & self.alive, self.resume[barrier])
        self._merge()


_ONE = np.ones(1, bool)
