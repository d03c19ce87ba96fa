// emulator.h - CUDA kernels on a CPU: what csrc/common/launch.h includes where the compiler is not nvcc.
//
// One fiber per CUDA thread, one block at a time, all on one OS thread.  Threads switch only where they wait for each
// other, in an order that a seed decides, so every run can be repeated.  See README.md.
//
// Compile with -fvisibility=hidden: two emulated libraries in one process must not share their machines.
#pragma once

#include "cuda_vocabulary.h"  // types, built-in variables, arithmetic
#include "synchronization.h"  // barriers, shuffles, votes, reductions
#include "atomics.h"          // read-modify-write
#include "asynchronous_copies.h"  // from global to shared memory
#include "scheduler.h"        // Stream and launch()
#ifdef __SANITIZE_THREAD__
#include "race_hooks.h"  // the race build
#endif
