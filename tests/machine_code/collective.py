"""What the threads of a warp do together: shuffles, votes, reductions, and the way to the uniform registers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.machine_code.operands import Lanes, flag, is_predicate, put_flag, put_words, word
from tests.machine_code.warp import MachineError, Step, Warp

LANE = np.arange(32)


def shuffle(modifiers: list[str], operands: list[str]) -> Step:
    """SHFL: of each lane the value of another, or its own where there is none."""
    put_there, put = put_flag(operands[0]), put_words(operands[1])
    value, by, clamp = (word(text) for text in operands[2:5])
    how = modifiers[0]

    def step(warp: Warp, lanes: Lanes) -> None:
        limit, offset = (np.broadcast_to(part(warp), 32).astype(np.int64) for part in (clamp, by))
        segment, most = limit >> 8 & 31, limit & 31
        first, last = LANE & segment, (LANE & segment) | (most & ~segment)
        other = {
            "IDX": first | (offset & 31 & ~segment),
            "BFLY": LANE ^ (offset & 31),
            "UP": LANE - offset,
            "DOWN": LANE + offset,
        }[how]
        there = other >= last if how == "UP" else other <= last
        source = np.where(there, other, LANE)
        if not lanes[source[lanes]].all():
            raise MachineError(warp, "a shuffle reads a thread that does not take part")
        put(warp, np.broadcast_to(value(warp), 32)[source], lanes)
        put_there(warp, there, lanes)

    return step


def vote(modifiers: list[str], operands: list[str]) -> Step:
    """VOTE.ANY and ALL: a predicate of all threads that take part, or a word with a bit for each."""
    rest = list(operands)
    puts = [put_words(rest.pop(0))] if not is_predicate(rest[0]) else []
    holds = flag(rest[-1])
    flags = [put_flag(text) for text in rest[:-1]]
    every = "ALL" in modifiers

    def step(warp: Warp, lanes: Lanes) -> None:
        which = lanes & holds(warp)
        result = (which == lanes).all() if every else which.any()
        for put_flag_of in flags:
            put_flag_of(warp, np.array([result]), lanes)
        for put in puts:
            put(warp, np.array([_bits(which)], np.uint32), lanes)

    return step


def _bits(lanes: Lanes) -> int:
    return sum(1 << lane for lane in np.flatnonzero(lanes).tolist())


def reduce(modifiers: list[str], operands: list[str]) -> Step:
    """REDUX: into a uniform register."""
    put, value = put_words(operands[0]), word(operands[1])
    kind = np.int32 if "S32" in modifiers else np.uint32
    functions: dict[str, Callable[[np.ndarray], int]] = {"MAX": np.max, "MIN": np.min, "SUM": np.sum}
    how = functions[next((name for name in modifiers if name in functions), "SUM")]

    def step(warp: Warp, lanes: Lanes) -> None:
        found = how(np.broadcast_to(value(warp), 32).view(kind)[lanes])
        put(warp, np.array([found]).astype(kind).view(np.uint32), np.ones(1, bool))

    return step


def to_uniform(_: list[str], operands: list[str]) -> Step:
    """R2UR: all threads that take part have the same value."""
    put, value = put_words(operands[0]), word(operands[1])

    def step(warp: Warp, lanes: Lanes) -> None:
        if lanes.any():
            values = np.broadcast_to(value(warp), 32)[lanes]
            if (values != values[0]).any():
                raise MachineError(warp, "threads differ in what becomes uniform")
            put(warp, values[:1], np.ones(1, bool))

    return step


def special(uniform: bool) -> Callable[[list[str], list[str]], Step]:
    """S2R and S2UR: which thread this is, which block, which lane."""

    def build(_: list[str], operands: list[str]) -> Step:
        put, name = put_words(operands[0]), operands[1]

        def step(warp: Warp, lanes: Lanes) -> None:
            (x, y, _), numbers = warp.block.block, warp.numbers
            values = {
                "SR_TID.X": numbers % x,
                "SR_TID.Y": numbers // x % y,
                "SR_TID.Z": numbers // (x * y),
                "SR_LANEID": LANE,
                "SR_CTAID.X": [warp.block.index[0]],
                "SR_CTAID.Y": [warp.block.index[1]],
                "SR_CTAID.Z": [warp.block.index[2]],
                "SR_CgaCtaId": [0],
            }[name]
            put(warp, np.asarray(values, np.uint32), np.ones(1, bool) if uniform else lanes)

        return step

    return build


def of_barrier(modifiers: list[str], operands: list[str]) -> Step:
    """B2R.RESULT: what the block's last BAR.RED found, as a predicate."""
    assert modifiers == ["RESULT"], modifiers
    assert operands[0] == "RZ", operands
    puts = [put_flag(text) for text in operands[1:]]

    def step(warp: Warp, lanes: Lanes) -> None:
        for put in puts:
            put(warp, np.array([warp.block.found]), lanes)

    return step


STEPS: dict[str, Callable[[list[str], list[str]], Step]] = {
    "B2R": of_barrier,
    "SHFL": shuffle,
    "VOTE": vote,
    "REDUX": reduce,
    "R2UR": to_uniform,
    "S2R": special(uniform=False),
    "S2UR": special(uniform=True),
}
