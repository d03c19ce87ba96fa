"""The CPU that runs machine code: what instructions do, how threads part and meet, and what it does not let pass."""

from __future__ import annotations

import re
import struct
from collections import Counter
from typing import Any

import numpy as np
import pytest

from csrc.listing import Instruction, Kernel
from tests.machine_code.block import Launch, run
from tests.machine_code.floating import fused
from tests.machine_code.program import prepare
from tests.machine_code.threads import MachineError

#: R0 is the thread, R1 four times it; R2 and R3 are the address of the thread's word of the output.
HEAD = """
    S2R R0, SR_TID.X
    IMAD.SHL.U32 R1, R0, 0x4, RZ
    IADD3 R2, P0, R1, c[0x0][0x210], RZ
    IADD3.X R3, RZ, c[0x0][0x214], RZ, P0, !PT
"""
STORE = "STG.E desc[UR4][R2.64], R4\nEXIT"


def kernel(text: str) -> Kernel:
    """A kernel of the lines of `text`; `NAME:` is a label."""
    instructions: list[Instruction] = []
    labels = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.endswith(":"):
            labels[line[:-1]] = len(instructions)
            continue
        found = re.match(r"(?:@(\S+) )?(\S+) ?(.*)", line)
        assert found
        guard, opcode, operands = found.groups()
        instructions.append(Instruction(opcode, operands, "", guard or "", 16 * len(instructions)))
    return Kernel("test", tuple(instructions), labels)


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def execute(
    text: str, *inputs: np.ndarray, threads: int = 32, shared: int = 0, words: int | None = None
) -> tuple[np.ndarray, Counter[int]]:
    """The words that the threads stored, and what was issued. Parameters are the output's and the inputs' addresses."""
    out = np.zeros(threads if words is None else words, np.uint32)
    ranges = [(address(a), address(a) + a.nbytes, a is out) for a in (out, *inputs)]
    parameters = struct.pack(f"<{1 + len(inputs)}Q", *(begin for begin, _, _ in ranges))
    launch = Launch("test", (1, 1, 1), (threads, 1, 1), shared, parameters, ranges)
    return out, run(prepare(kernel(text)), launch, limit=10_000)


def values(text: str, **options: Any) -> np.ndarray:
    """R4 of every thread after `text`."""
    return execute(HEAD + text + "\n" + STORE, **options)[0]


THREADS = np.arange(32, dtype=np.uint32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IMAD R4, R0, 0x3, R1", 7 * THREADS),
        ("IADD3 R4, -R0, 0x7, RZ", 7 - THREADS),
        ("MOV R4, 0xffffffff\nIADD3 R4, P1, R4, R0, RZ\nIADD3.X R4, RZ, RZ, RZ, P1, !PT", THREADS > 0),
        ("MOV R5, 0xfffffff0\nIMAD.HI.U32 R4, R5, 0x10, RZ", 0 * THREADS + 15),
        ("MOV R5, 0xfffffff0\nIMAD.WIDE R6, R5, R0, RZ\nMOV R4, R7", np.where(THREADS > 0, 0xFFFFFFFF, 0)),
        ("LEA R4, R0, R1, 0x3", 12 * THREADS),
        ("MOV R5, 0x80000000\nLEA.HI R4, R5, R0, RZ, 0x1", THREADS + 1),
        ("LOP3.LUT R4, R0, 0x5, RZ, 0xc0, !PT", THREADS & 5),
        (
            "LOP3.LUT P1, R4, R0, 0x5, RZ, 0x3c, !PT\n@P1 IADD3 R4, R4, 0x100, RZ",
            np.where(THREADS == 5, 0, (THREADS ^ 5) + 256),
        ),
        (
            "LOP3.LUT P1, RZ, R0, 0x10, RZ, 0xc0, !PT\nLOP3.LUT P1, RZ, R0, 0x1, RZ, 0xc0, P1\nSEL R4, 0x1, RZ, P1",
            (THREADS & 17) > 0,
        ),
        ("SHF.R.U32.HI R4, RZ, 0x1, R0", THREADS >> 1),
        ("MOV R5, 0xffffff00\nSHF.R.S32.HI R4, RZ, 0x4, R5", 0 * THREADS + 0xFFFFFFF0),
        ("SHF.L.U32 R4, R0, 0x2, RZ", THREADS << 2),
        ("ISETP.GE.AND P1, PT, R0, 0x10, PT\nSEL R4, R0, 0x63, P1", np.where(THREADS >= 16, THREADS, 99)),
        ("MOV R5, 0xffffffff\nISETP.LT.AND P1, PT, R5, R0, PT\nSEL R4, 0x1, RZ, P1", 0 * THREADS + 1),
        ("VIMNMX R4, R0, 0x7, PT", np.minimum(THREADS, 7)),
        ("MOV R5, 0x80\nPRMT R4, R5, 0x8880, RZ", 0 * THREADS + 0xFFFFFF80),
        ("FLO.U32.SH R4, R0", [0xFFFFFFFF, *(32 - int(n).bit_length() for n in range(1, 32))]),
        ("BREV R4, R0", [int(f"{n:032b}"[::-1], 2) for n in range(32)]),
        ("ISETP.GT.AND P2, PT, R0, 0x3, PT\nP2R R4, PR, RZ, 0x4", np.where(THREADS > 3, 4, 0)),
        ("I2F.U32 R5, R0\nFFMA R5, R5, 0.5, 1\nF2I.TRUNC R4, R5", THREADS // 2 + 1),
        ("I2F.U32 R5, R0\nMUFU.RCP R5, R5\nFSETP.GT.AND P1, PT, R5, 0.25, PT\nSEL R4, 0x1, RZ, P1", THREADS < 4),
        ("FSETP.GEU.AND P1, PT, +QNAN, 1, PT\nSEL R4, 0x1, RZ, P1", 0 * THREADS + 1),
        ("I2F.F64.U32 R6, R0\nDFMA R6, R6, R6, 1\nF2F.F32.F64 R5, R6\nF2I.TRUNC R4, R5", THREADS**2 + 1),
        ("MOV R5, 0x3c00\nHADD2.F32 R5, -RZ, R5.H0_H0\nF2I.TRUNC R4, R5", 0 * THREADS + 1),
        ("MOV R5, 0x40400000\nF2FP.F16.F32.PACK_AB R4, R5, RZ", 0 * THREADS + 0x42000000),
        ("SHFL.BFLY PT, R4, R0, 0x1, 0x1f", THREADS ^ 1),
        ("SHFL.IDX PT, R4, R0, 0x3, 0x1f", 0 * THREADS + 3),
        ("ISETP.LT.AND P1, PT, R0, 0x3, PT\nVOTE.ANY R4, PT, P1", 0 * THREADS + 7),
        ("REDUX.MAX UR6, R0\nMOV R4, UR6", 0 * THREADS + 31),
        (
            "STS [R1+0x400], R0\nBAR.SYNC.DEFER_BLOCKING 0x0\nLOP3.LUT R5, R1, 0x4, RZ, 0x3c, !PT\nLDS R4, [R5+0x400]",
            THREADS ^ 1,
        ),
        ("MOV R5, 0x1\nSTS [RZ+0x400], RZ\nATOMS.ADD R4, [RZ+0x400], R5", THREADS),
    ],
    ids=lambda value: value.replace("\n", "; ")[:40] if isinstance(value, str) else "",
)
def test_an_instruction(text: str, expected: Any) -> None:
    assert values(text, shared=256).tolist() == np.asarray(expected, np.uint32).tolist()


def test_a_multiply_add_of_doubles_is_rounded_once() -> None:
    a = np.array([1 + 2.0**-30, 3.0, 1e300])
    assert fused(a, a, np.array([-1.0, -9.0, 0.0])).tolist() == [2.0**-29 + 2.0**-60, 0.0, np.inf]


PARTING = """
    MOV R4, RZ
    ISETP.GE.AND P1, PT, R0, 0x8, PT
    BSSY B0, `(MEET)
    @P1 BRA `(FAR)
    IADD3 R4, R4, 0x1, RZ
MEET:
    BSYNC B0
    IADD3 R4, R4, 0x10, RZ
    SHFL.BFLY PT, R5, R4, 0x8, 0x1f
    IADD3 R4, R4, R5, RZ
    STG.E desc[UR4][R2.64], R4
    EXIT
FAR:
    IADD3 R4, R4, 0x2, RZ
    BRA `(MEET)
"""


def test_threads_part_and_meet_again() -> None:
    """The code of some lies behind the kernel's end; the shuffle after it has all threads."""
    found, counts = execute(HEAD + PARTING)
    one, two = 17, 18
    assert found[:16].tolist() == [one + two] * 16
    assert found[16:].tolist() == [two + two] * 16
    assert counts[len(HEAD.split("\n")) - 2 + 6] == 1  # they add 16 together


def test_a_loop_takes_as_long_as_its_last_thread() -> None:
    text = "MOV R4, RZ\nTOP:\nIADD3 R4, R4, 0x1, RZ\nISETP.LE.U32.AND P1, PT, R4, R0, PT\n@P1 BRA `(TOP)"
    found, counts = execute(HEAD + text + "\n" + STORE)
    assert found.tolist() == (THREADS + 1).tolist()
    assert counts[5] == 32


def test_a_function_is_called_and_returns() -> None:
    text = (
        "MOV R6, 0x70\nMOV R7, RZ\nCALL.REL.NOINC `(TWICE)\n"
        + STORE
        + "\nTWICE:\nIADD3 R4, R0, R0, RZ\nRET.REL.NODEC R6 `(test)"
    )
    assert execute(HEAD + text)[0].tolist() == (2 * THREADS).tolist()


def test_warps_wait_for_each_other() -> None:
    text = "LOP3.LUT R5, R1, 0x80, RZ, 0x3c, !PT\nSTS [R1+0x400], R0\nBAR.SYNC.DEFER_BLOCKING 0x0\nLDS R4, [R5+0x400]"
    assert values(text, threads=64, shared=256).tolist() == [n ^ 32 for n in range(64)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LDG.E R4, desc[UR4][R2.64+0x1000]", "outside every array"),
        ("LDG.E R4, desc[UR4][R2.64+0x2]", "no multiple of 4|outside every array"),
        ("LDS R4, [R1+0x400]", "shared memory"),
        ("ISETP.GE.AND P1, PT, R0, 0x8, PT\n@P1 SHFL.BFLY PT, R4, R0, 0x8, 0x1f", "does not take part"),
        ("TOP:\nBRA `(TOP)", "does not end"),
        ("R2UR UR6, R0", "threads differ"),
    ],
)
def test_what_the_hardware_would_not_survive(text: str, message: str) -> None:
    with pytest.raises(MachineError, match=message):
        values(text)


def test_an_input_is_not_written() -> None:
    given = np.zeros(32, np.uint32)
    text = "LDC.64 R6, c[0x0][0x218]\nSTG.E desc[UR4][R6.64], R0\nEXIT"
    with pytest.raises(MachineError, match="writes to an input"):
        execute(text, given)


def test_an_instruction_that_is_not_known_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"HMMA\.16816"):
        prepare(kernel("HMMA.16816.F32 R4, R8, R12, R4"))
