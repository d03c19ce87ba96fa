"""The threads of a block, with their registers, that go through machine code together and apart.

Everything has a row for each warp and a column for each of its 32 threads; a uniform register, of which a warp has one,
has a single column. Threads that are at one instruction run it together, whatever their warps, and that counts as one
instruction issued for each warp among them. Of several groups the one that is furthest back runs first, so that threads
meet again where their ways do; where code is laid out otherwise, they wait at convergence barriers (BSSY, BSYNC) and at
WARPSYNC, as on the hardware.
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

Step = Callable[["Threads", np.ndarray], None]
POISON = 0x7FC0DEAD  # what a register holds that nothing was written to: NaN
BLOCK = "the block's"  # the barrier of BAR
WARP = "the warp's"  # that of WARPSYNC
NOWHERE = 1 << 60


class MachineError(RuntimeError):
    """What the hardware would not survive, or would leave undefined."""

    def __init__(self, threads: Threads, message: str) -> None:
        super().__init__(f"{threads.block.program.name}, {threads.where}: {message}")


@dataclass
class Group:
    """Threads that are at one place."""

    place: int
    lanes: np.ndarray


class Threads:
    """Registers and places of `count` threads."""

    def __init__(self, block: Block, count: int) -> None:
        self.block, self.constants = block, block.constants
        warps = -(-count // 32)
        self.shape = warps, 32
        self.registers = np.full((256, *self.shape), POISON, np.uint32)
        self.uniform = np.full((256, warps, 1), POISON, np.uint32)
        self.registers[255] = self.uniform[255] = 0
        self.predicates = np.zeros((8, *self.shape), bool)
        self.uniform_predicates = np.zeros((8, warps, 1), bool)
        self.predicates[7] = self.uniform_predicates[7] = True
        self.numbers = np.arange(32 * warps).reshape(self.shape)
        self.alive = self.numbers < count
        self.groups = [Group(0, self.alive.copy())]
        self.members: dict[str, np.ndarray] = {}  # of convergence barriers
        self.waiting: dict[str, np.ndarray] = {}  # at any barrier
        self.resume: dict[str, np.ndarray] = {}  # where they go on
        self.counts: Counter[int] = Counter()
        self.where = ""

    def run(self) -> None:
        """Until every thread has ended."""
        while self.groups:
            group = min(self.groups, key=lambda one: one.place)
            self.groups = [one for one in self.groups if one is not group]
            self._advance(group, min((one.place for one in self.groups), default=NOWHERE))
            self._merge()
            if not self.groups and self.alive.any():
                self._open_block()

    def _open_block(self) -> None:
        waiting = self.waiting.get(BLOCK)
        if waiting is None or not (waiting == self.alive).all():
            raise MachineError(self, "threads wait for each other for ever")
        self.block.barrier_opens()
        self._leave(BLOCK, waiting)

    def _merge(self) -> None:
        by_place: dict[int, Group] = {}
        for group in self.groups:
            if group.place in by_place:
                group.lanes = by_place[group.place].lanes | group.lanes
            by_place[group.place] = group
        self.groups = list(by_place.values())

    def _advance(self, group: Group, stop: int) -> None:
        """Runs a group until its threads part, wait or end, or it comes to where others are."""
        code, counts = self.block.program.code, self.counts
        place, lanes = group.place, group.lanes
        warps = lanes.any(axis=1, keepdims=True)
        issued = int(warps.sum())
        while place < stop:
            instruction = code[place]
            counts[place] += issued
            self.block.spend(self, issued)
            self.where = instruction.text
            guard = instruction.guard
            taking = warps if instruction.uniform else lanes
            active = taking if guard is None else taking & guard(self)
            if instruction.step is not None:
                instruction.step(self, active)
            elif not self._control(instruction, place, lanes, active):
                return
            place += 1
        self.groups.append(Group(place, lanes))

    def _control(self, instruction: Instruction, place: int, lanes: np.ndarray, active: np.ndarray) -> bool:
        """A branch, a barrier, an end; whether the group goes on with the next instruction."""
        name = instruction.name
        if name == "BSSY":
            barrier = instruction.barrier
            warps = lanes.any(axis=1, keepdims=True)
            self.members[barrier] = np.where(warps, active, self.members.get(barrier, self.alive & False))
            return True
        if name == "BREAK":
            self.members[instruction.barrier] = self.members[instruction.barrier] & ~active
            self._release(instruction.barrier)
            return True
        if name in ("BRA", "CALL") and instruction.also is not None:
            active = active & instruction.also(self)
        if not active.any():
            return True
        self._go_on(lanes & ~active, place + 1)
        if name in ("BRA", "CALL"):
            self._go_on(active, instruction.target)
        elif name == "RET":
            assert instruction.returns is not None
            addresses = instruction.returns(self)
            for address in np.unique(addresses[active]).tolist():
                self._go_on(active & (addresses == address), self.block.program.places[address])
        elif name == "EXIT":
            self.alive = self.alive & ~active
            for barrier in list(self.waiting):
                self._release(barrier)
        else:
            self._wait(instruction, place, active)
        return False

    def _wait(self, instruction: Instruction, place: int, active: np.ndarray) -> None:
        barrier = instruction.barrier
        self.waiting[barrier] = self.waiting.get(barrier, self.alive & False) | active
        self.resume[barrier] = np.where(active, place + 1, self.resume.get(barrier, 0))
        if instruction.also is not None:
            self.block.say(instruction.also(self)[active])
        self._release(barrier)

    def _go_on(self, lanes: np.ndarray, place: int) -> None:
        if lanes.any():
            self.groups.append(Group(place, lanes))

    def _release(self, barrier: str) -> None:
        """Lets the warps go on all of whose threads have reached a barrier; the block's opens when nobody can go on."""
        if barrier == BLOCK or barrier not in self.waiting:
            return
        waiting = self.waiting[barrier] & self.alive
        members = self.alive if barrier == WARP else self.members[barrier] & self.alive
        complete = ((waiting & members) == members).all(axis=1, keepdims=True)
        if (waiting & complete).any():
            self._leave(barrier, waiting & complete)

    def _leave(self, barrier: str, lanes: np.ndarray) -> None:
        self.waiting[barrier] = self.waiting[barrier] & ~lanes
        places = self.resume[barrier]
        for place in np.unique(places[lanes]).tolist():
            self._go_on(lanes & (places == place), place)
        self._merge()
