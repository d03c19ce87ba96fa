"""What the threads of a warp do together: shuffles, votes, reductions, and the way to the uniform registers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.machine_code.operands import Lanes, flag, is_predicate, put_flag, put_words, word
from tests.machine_code.threads import MachineError, Step, Threads

LANE = np.arange(32)


def shuffle(modifiers: list[str], operands: list[str]) -> Step:
    """SHFL: of each lane the value of another, or its own where there is none."""
    put_there, put = put_flag(operands[0]), put_words(operands[1])
    value, by, clamp = (word(text) for text in operands[2:5])
    how = modifiers[0]

    def step(threads: Threads, lanes: Lanes) -> None:
        limit, offset = (np.broadcast_to(part(threads), threads.shape).astype(np.int64) for part in (clamp, by))
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
        if not np.take_along_axis(lanes, source, axis=1)[lanes].all():
            raise MachineError(threads, "a shuffle reads a thread that does not take part")
        put(threads, np.take_along_axis(np.broadcast_to(value(threads), threads.shape), source, axis=1), lanes)
        put_there(threads, there, lanes)

    return step


def vote(modifiers: list[str], operands: list[str]) -> Step:
    """VOTE.ANY and ALL: a predicate of all threads that take part, or a word with a bit for each."""
    rest = list(operands)
    puts = [put_words(rest.pop(0))] if not is_predicate(rest[0]) else []
    holds = flag(rest[-1])
    flags = [put_flag(text) for text in rest[:-1]]
    every = "ALL" in modifiers

    def step(threads: Threads, lanes: Lanes) -> None:
        which = lanes & holds(threads)
        result = (which == lanes).all(axis=1, keepdims=True) if every else _any(which)
        for put_flag_of in flags:
            put_flag_of(threads, result, lanes)
        for put in puts:
            put(threads, (which.astype(np.uint32) << LANE.astype(np.uint32)).sum(axis=1, keepdims=True), lanes)

    return step


def _any(lanes: Lanes) -> Lanes:
    """Of each warp, whether any of its lanes."""
    return lanes.any(axis=1, keepdims=True)


def reduce(modifiers: list[str], operands: list[str]) -> Step:
    """REDUX: into a uniform register."""
    put, value = put_words(operands[0]), word(operands[1])
    kind = np.int32 if "S32" in modifiers else np.uint32
    least, most = (int(edge) for edge in (np.iinfo(kind).min, np.iinfo(kind).max))
    functions: dict[str, tuple[Callable[..., Lanes], int]] = {"MAX": (np.max, least), "MIN": (np.min, most)}
    how, nothing = functions[modifiers[0]]

    def step(threads: Threads, lanes: Lanes) -> None:
        values = np.broadcast_to(value(threads).view(kind), threads.shape)
        found = how(np.where(lanes, values, kind(nothing)), axis=1, keepdims=True)
        put(threads, found.view(np.uint32), _any(lanes))

    return step


def to_uniform(_: list[str], operands: list[str]) -> Step:
    """R2UR: all threads that take part have the same value."""
    put, value = put_words(operands[0]), word(operands[1])

    def step(threads: Threads, lanes: Lanes) -> None:
        values = np.broadcast_to(value(threads), threads.shape)
        first = np.take_along_axis(values, lanes.argmax(axis=1, keepdims=True), axis=1)
        if (lanes & (values != first)).any():
            raise MachineError(threads, "threads differ in what becomes uniform")
        put(threads, first, _any(lanes))

    return step


def special(uniform: bool) -> Callable[[list[str], list[str]], Step]:
    """S2R and S2UR: which thread this is, which block, which lane."""

    def build(_: list[str], operands: list[str]) -> Step:
        put, name = put_words(operands[0]), operands[1]

        def step(threads: Threads, lanes: Lanes) -> None:
            (x, y, _), numbers = threads.block.block, threads.numbers
            values = {
                "SR_TID.X": numbers % x,
                "SR_TID.Y": numbers // x % y,
                "SR_TID.Z": numbers // (x * y),
                "SR_LANEID": LANE,
                "SR_CTAID.X": [threads.block.index[0]],
                "SR_CTAID.Y": [threads.block.index[1]],
                "SR_CTAID.Z": [threads.block.index[2]],
                "SR_CgaCtaId": [0],
            }[name]
            put(threads, np.asarray(values, np.uint32), _any(lanes) if uniform else lanes)

        return step

    return build


def of_barrier(modifiers: list[str], operands: list[str]) -> Step:
    """B2R.RESULT: what the block's last BAR.RED found, as a predicate."""
    assert modifiers == ["RESULT"], modifiers
    assert operands[0] == "RZ", operands
    puts = [put_flag(text) for text in operands[1:]]

    def step(threads: Threads, lanes: Lanes) -> None:
        for put in puts:
            put(threads, np.array([threads.block.found]), lanes)

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
