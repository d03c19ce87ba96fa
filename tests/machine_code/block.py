"""Runs the blocks of a launch, one after another."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass

import numpy as np

from tests.machine_code.memory import Global, Shared
from tests.machine_code.program import Program
from tests.machine_code.threads import MachineError, Threads

PARAMETERS = 0x210  # where they begin in constant memory, on sm_90
STACK = 0x28
Size = tuple[int, int, int]


@dataclass(frozen=True)
class Launch:
    """What a kernel is launched with; `parameters` as they lie in constant memory."""

    kernel: str
    grid: Size
    block: Size
    shared_bytes: int
    parameters: bytes
    ranges: list[tuple[int, int, bool]]  # begin, end, writable: arrays that may be touched

    @property
    def constants(self) -> bytes:
        head = struct.pack("<6I", *self.block, *self.grid).ljust(STACK, b"\0") + struct.pack("<I", 0)
        return (head.ljust(PARAMETERS, b"\0") + self.parameters).ljust(PARAMETERS + 4096, b"\0")


class Block:
    """One block: its threads and its shared memory.

    Args:
        program: the kernel.
        launch: what it is launched with.
        index: which block of the grid.
        static_shared: bytes of shared memory that the kernel has without asking.
        limit: of the instructions that it may issue.
    """

    def __init__(self, program: Program, launch: Launch, index: Size, static_shared: int, limit: int) -> None:
        self.program, self.block, self.index = program, launch.block, index
        self.constants = launch.constants
        self.memory, self.shared = Global(launch.ranges), Shared(static_shared + launch.shared_bytes)
        self.threads = Threads(self, launch.block[0] * launch.block[1] * launch.block[2])
        self._left = limit
        self._said: bool | None = None  # by threads at the barrier so far: whether all hold
        self.found = False  # by all of them, at the last barrier of this kind

    def run(self) -> Counter[int]:
        """How often each instruction is issued, by all warps together."""
        self.threads.run()
        return self.threads.counts

    def spend(self, threads: Threads, issued: int) -> None:
        """Instructions of those that the block may issue."""
        self._left -= issued
        if self._left < 0:
            raise MachineError(threads, "does not end in as many instructions as it may issue")

    def say(self, holds: np.ndarray) -> None:
        """What threads say at a barrier that asks."""
        self._said = bool(holds.all()) and self._said is not False

    def barrier_opens(self) -> None:
        """All threads have reached it."""
        if self._said is not None:
            self.found, self._said = self._said, None


def run(
    program: Program, launch: Launch, static_shared: int = 0, *, blocks: int | None = None, limit: int = 20_000_000
) -> Counter[int]:
    """Runs the blocks of a launch, one after another.

    Args:
        program: the kernel.
        launch: its sizes, parameters and arrays.
        static_shared: bytes of shared memory that the kernel has without asking.
        blocks: how many to run; None: all.
        limit: of the instructions that a block may issue.

    Returns:
        How often each instruction was issued.

    Raises:
        MachineError: the kernel does what the hardware would not survive, or would leave undefined.
    """
    x, y, z = launch.grid
    counts: Counter[int] = Counter()
    for number in range(min(x * y * z, blocks or x * y * z)):
        index = number % x, number // x % y, number // (x * y)
        counts += Block(program, launch, index, static_shared, limit).run()
    return counts
