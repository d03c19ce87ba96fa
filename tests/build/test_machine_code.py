"""The gate over machine code: what it reads in a listing, and that it fails when a kernel falls behind."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from csrc.listing import Instruction, Kernel, in_flight, kernels

CSRC = Path(__file__).parents[2] / "csrc"

# A loop of two iterations' loads and multiply-adds inside another; a division, and a move that is written as one.
LISTING = """
.text._Z3sumIfEvPKfS1_Pf:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   HFMA2.MMA R2, -RZ, RZ, 0, 0 ;
.L_x_1:
	//## File "/somewhere/sum.cuh", line 7
        /*0020*/                   CALL.REL.NOINC `($__internal_0_$__cuda_sm20_div_s64) ;
.L_x_2:
	//## File "/somewhere/sum.cuh", line 9
        /*0030*/                   LDG.E.64.CONSTANT R4, desc[UR4][R2.64] ;
        /*0040*/                   LDG.E R6, desc[UR4][R2.64+0x8] ;
	//## File "/somewhere/sum.cuh", line 10
        /*0050*/                   FFMA R8, R5, R7, R8 ;
        /*0060*/               @P0 FFMA R8, R6, R7, R8 ;
        /*0070*/              @!P0 BRA `(.L_x_2) ;
	//## File "/somewhere/sum.cuh", line 12
        /*0080*/               @P1 STL [R1], R8 ;
        /*0090*/               @P1 BRA `(.L_x_1) ;
        /*00a0*/                   EXIT ;
.L_x_3:
        /*00b0*/                   BRA `(.L_x_3) ;
        /*00c0*/                   NOP ;
"""


@pytest.fixture
def kernel() -> Kernel:
    (kernel,) = kernels(LISTING)
    return kernel


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(CSRC)
    return importlib.import_module("check_machine_code")


def test_reads_a_kernel(kernel: Kernel) -> None:
    assert kernel.name == "sum<float>"
    assert len(kernel.instructions) == 12
    assert (kernel.divisions, kernel.local) == (1, 1)


def test_finds_the_loops_and_what_is_their_own(kernel: Kernel) -> None:
    body, outer, inner = kernel.loops
    assert [len(loop.own) for loop in (body, outer, inner)] == [4, 3, 5]
    assert body.counts["multiply_adds"] == 0  # the move is none
    assert inner.place == "sum.cuh:9-10"
    assert kernel.hot is inner
    assert inner.counts == {
        "instructions": 5,
        "multiply_adds": 2,
        "matrix": 0,
        "global_loads": 2,
        "shared_loads": 0,
        "in_flight": 2,
        "bits": 64,
    }


@pytest.mark.parametrize(
    ("order", "most"),
    [("llllffff", 4), ("lflflflf", 1), ("llfflllf", 4), ("f", 0)],
    ids=["gathered", "one by one", "some are over the end of the loop", "none"],
)
def test_counts_loads_in_flight(order: str, most: int) -> None:
    loads = iter(range(10, 20))
    used = iter(range(10, 20))
    code = {"l": lambda: f"R{next(loads)}, desc[UR4][R2.64]", "f": lambda: f"R30, R{next(used)}, R3, R30"}
    names = {"l": "LDG.E", "f": "FFMA"}
    assert in_flight([Instruction(names[one], code[one](), "") for one in order]) == most


def test_copies_to_shared_memory_are_in_flight_until_they_are_waited_for() -> None:
    copy = Instruction("LDGSTS.E.BYPASS.128", "[R3], desc[UR4][R2.64]", "")
    assert in_flight([copy, copy, copy, Instruction("LDGDEPBAR", "", "")]) == 3
    assert copy.bits == 128


def test_passes_what_is_as_it_was(gate: ModuleType, kernel: Kernel) -> None:
    assert gate.check([kernel], {kernel.name: gate.counts_of(kernel)}) == []


@pytest.mark.parametrize(
    ("name", "by", "words"),
    [
        ("divisions", -1, "divisions: 1, were 0"),
        ("local", -1, "local: 1, were 0"),
        ("in_flight", 1, "in_flight: 2, were 3"),
        ("bits", 64, "bits: 64, were 128"),
        ("instructions", -1, "multiply_adds: 2 of 5 instructions, were 2 of 4"),
        ("multiply_adds", 1, "multiply_adds: 2 of 5 instructions, were 3 of 5"),
    ],
)
def test_fails_where_a_kernel_falls_behind(gate: ModuleType, kernel: Kernel, name: str, by: int, words: str) -> None:
    committed = gate.counts_of(kernel)
    committed[name] += by
    assert gate.check([kernel], {kernel.name: committed}) == [f"sum<float>: {words}"]


def test_a_twentieth_more_instructions_are_another_compilers_choice(gate: ModuleType, kernel: Kernel) -> None:
    now, committed = gate.counts_of(kernel), gate.counts_of(kernel)
    now |= {"instructions": 104, "multiply_adds": 50}
    committed |= {"instructions": 100, "multiply_adds": 50}
    assert gate.worse(now, committed) == []


def test_fails_where_a_kernel_is_gone(gate: ModuleType, kernel: Kernel) -> None:
    assert gate.check([], {kernel.name: gate.counts_of(kernel)}) == ["sum<float>: there is no such kernel any more"]
