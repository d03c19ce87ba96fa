"""The emulator catches every mistake of planted_bugs.cuh, and finds no fault with the same kernels done right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest

Emulated = Callable[[str, str], ModuleType]

SEEDS = range(20)
X = np.arange(1, 65, dtype=np.float32)


@dataclass(frozen=True)
class Bug:
    """A kernel, what it is to compute, and how its planted mistake shows in either build."""

    kernel: str
    expected: np.ndarray
    plain: str  # an error that every seed gives, or one of the words below
    race: str  # an error that every seed gives, or WRONG


WRONG = "WRONG"  # the result is not the expected one, for one seed at least
MISSED = "MISSED"  # nothing shows
UNSAFE = "UNSAFE"  # not run: the mistake would touch Python's own memory, or stop the process

SWAPPED = X.reshape(-1, 2)[:, ::-1].ravel()
ODD_SUMS = np.where(np.arange(64) % 2 == 1, X + X[np.arange(64) ^ 2], X)
SUM_FIRST = np.concatenate([[X.sum()], np.zeros(63)])
NEXT_IN_WARP = X[np.where(np.arange(64) % 32 == 31, np.arange(64), np.arange(64) + 1) % 64]

RACE_OR_UNWRITTEN = "read-after-write race|read of shared memory nobody wrote"
NEVER_WAITED = "asynchronous copy that nobody waited for"
BUGS = [
    # barriers
    Bug("write_after_read", X.reshape(2, 32)[:, ::-1].ravel(), WRONG, "write-after-read race|read-after-write race"),
    Bug("missing_barrier", np.concatenate([[0], X[:-1]]), WRONG, RACE_OR_UNWRITTEN),
    Bug("missing_syncwarp", SWAPPED, WRONG, RACE_OR_UNWRITTEN),
    Bug("shuffle_for_a_barrier", SWAPPED, MISSED, "read-after-write race"),
    Bug("syncwarp_for_a_block", X[::-1], WRONG, RACE_OR_UNWRITTEN),
    Bug("divergent_barrier", X, "divergent barrier", "divergent barrier"),
    Bug("two_barriers", X, "divergent barrier", "divergent barrier"),
    Bug("early_exit", X, "divergent barrier", "divergent barrier"),
    # warps
    Bug("half_warp_shuffle", ODD_SUMS, "diverged warp", "diverged warp"),
    Bug("exited_lane_shuffle", NEXT_IN_WARP, WRONG, WRONG),
    # memory
    Bug("plain_add", SUM_FIRST, MISSED, "race"),
    Bug("plain_read_of_atomic", np.full(64, X.sum()), WRONG, "race"),
    Bug("blocks_meet", X, WRONG, "write-after-write race"),
    Bug("unwritten_shared", X, WRONG, "read of shared memory nobody wrote"),
    # asynchronous copies
    Bug("missing_wait", X[::-1], NEVER_WAITED, "asynchronous copy race"),
    Bug("wait_after_barrier", X[::-1], WRONG, "asynchronous copy race"),
    Bug("barrier_before_copy", X.reshape(2, 32)[:, ::-1].ravel(), WRONG, "write-after-read race|" + RACE_OR_UNWRITTEN),
    Bug("one_wait_too_early", X[::-1], NEVER_WAITED, "asynchronous copy race"),
    Bug("misaligned_copy", X, "misaligned asynchronous copy", "misaligned asynchronous copy"),
    # bounds
    Bug("dynamic_shared_read", X[::-1], WRONG, "out-of-bounds read of dynamic shared memory"),
    Bug("dynamic_shared_write", X, "out-of-bounds write", "out-of-bounds write to dynamic shared memory"),
    Bug("inner_index", np.tile(X[:32], 2), UNSAFE, "array index out of bounds"),
    Bug("global_read", X, UNSAFE, "out-of-bounds read of global memory"),
    Bug("copy_of_global", X, UNSAFE, "out-of-bounds read of global memory"),
    Bug("global_write", X, UNSAFE, "out-of-bounds write to global memory"),
    Bug("write_to_input", X + 1, UNSAFE, "write to an input"),
    Bug("misaligned_vector", X, UNSAFE, "misaligned access"),
    Bug("index_overflow", X, UNSAFE, "signed overflow"),
]
BUILDS = ["plain", "race"]


def run(kernels: ModuleType, bug: Bug, seed: int, *, planted: bool) -> np.ndarray:
    kernels.configure(seed=seed)
    return getattr(kernels, bug.kernel)(X.copy(), planted=planted)


@pytest.mark.parametrize(
    ("build", "bug"),
    [
        pytest.param(build, bug, id=f"{bug.kernel}-{build}")
        for bug in BUGS
        for build in BUILDS
        if getattr(bug, build) != UNSAFE
    ],
)
def test_planted_bug_is_caught(emulated: Emulated, build: str, bug: Bug) -> None:
    kernels = emulated("planted_bugs", build)
    expected = getattr(bug, build)
    if expected in (WRONG, MISSED):
        right = [np.array_equal(run(kernels, bug, seed, planted=True), bug.expected) for seed in SEEDS]
        assert all(right) if expected == MISSED else not all(right)
        return
    for seed in SEEDS:
        with pytest.raises(kernels.EmulatorError, match=expected):
            run(kernels, bug, seed, planted=True)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.kernel)
def test_right_kernel_passes(emulated: Emulated, build: str, bug: Bug) -> None:
    kernels = emulated("planted_bugs", build)
    for seed in SEEDS:
        np.testing.assert_array_equal(run(kernels, bug, seed, planted=False), bug.expected)


EMULATORS = {"configure", "run_by", "wavefronts", "EmulatorError"}  # what every emulated module has


def test_every_planted_bug_is_tested(emulated: Emulated) -> None:
    kernels = emulated("planted_bugs", "plain")
    defined = {name for name in dir(kernels) if not name.startswith("_")} - EMULATORS
    assert defined == {bug.kernel for bug in BUGS}


def test_error_names_the_line_and_both_threads(emulated: Emulated) -> None:
    kernels = emulated("planted_bugs", "race")
    kernels.configure(seed=0)
    place = r"thread \(\d+,0,0\).* at planted_bugs\.cuh:\d+"
    with pytest.raises(kernels.EmulatorError, match=rf"block \(0,0,0\): .*race: {place} and {place}"):
        kernels.plain_add(X, planted=True)


def test_launch_after_an_error_is_clean(emulated: Emulated) -> None:
    kernels = emulated("planted_bugs", "race")
    kernels.configure(seed=5)
    for _ in range(3):
        with pytest.raises(kernels.EmulatorError):
            kernels.half_warp_shuffle(X, planted=True)
        np.testing.assert_array_equal(kernels.half_warp_shuffle(X, planted=False), ODD_SUMS)


@pytest.mark.parametrize("build", BUILDS)
def test_early_exit_may_be_allowed(emulated: Emulated, build: str) -> None:
    kernels = emulated("planted_bugs", build)
    kernels.configure(strict_exit=False)
    y = kernels.early_exit(X, planted=True)
    np.testing.assert_array_equal(y[:40], X[:40])
    assert np.isnan(y[40:]).all()
