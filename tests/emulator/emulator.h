// simt_emu.h - header-only CPU emulation of the CUDA subset our kernels use (tests only).
// One fiber per CUDA thread, one block at a time, one OS thread.  Barriers and warp
// collectives are the only switch points; the order of ready fibers follows a seed.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <source_location>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <tuple>
#include <type_traits>
#include <vector>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define SIMT_ASAN(...) __VA_ARGS__
#else
#define SIMT_ASAN(...)
#endif

#pragma GCC visibility push(hidden)  // two emulator builds in one process must not share state

// ---- CUDA spellings --------------------------------------------------------------------
#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ thread_local  // block-scope thread_local is static; also legal after extern
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#define __grid_constant__

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
#define SIMT_VEC(T, N)                                                                    \
  struct alignas(2 * sizeof(T)) N##2 { T x, y; };                                         \
  struct N##3 { T x, y, z; };                                                             \
  struct alignas(sizeof(T) < 8 ? 4 * sizeof(T) : 16) N##4 { T x, y, z, w; };              \
  inline N##2 make_##N##2(T x, T y) { return {x, y}; }                                    \
  inline N##4 make_##N##4(T x, T y, T z, T w) { return {x, y, z, w}; }
SIMT_VEC(float, float) SIMT_VEC(double, double) SIMT_VEC(int, int)
#undef SIMT_VEC

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;
inline constexpr size_t kSimtMaxSmem = 227 * 1024, kSimtGuard = 4096;
namespace reidops { alignas(128) inline thread_local unsigned char dynamic_shared_memory[kSimtMaxSmem + kSimtGuard]; }

namespace reidops::simt {
using stream_t = void*;
using Loc = std::source_location;
struct Error : std::runtime_error { using std::runtime_error::runtime_error; };

struct Config {                // set by the test; read at launch
  uint64_t seed = 0;           // 0 ascending order, 1 descending, else random order
  bool strict_exit = true;     // a barrier that some threads left by exiting is an error
  bool poison = true;          // shared memory starts each block as 0xFF (NaN, -1)
};
inline Config config;
struct Stats { uint64_t threads = 0, switches = 0; };
inline Stats stats;

enum Op : uint8_t { kNone, kShfl, kUp, kDown, kXor, kBallot, kMatch, kSync, kBar };
inline const char* const op_names[] = {"none", "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync",
    "vote", "__match_any_sync", "__syncwarp", "__syncthreads"};

struct Fiber {
  void* sp = nullptr;          // saved stack pointer (or ucontext)
  char* stack = nullptr;
  uint3 tid{};
  unsigned id = 0;
  bool done = false;
  Op op = kNone;               // what it waits for
  unsigned mask = 0;
  int arg = 0, width = 32;
  uint64_t val = 0, res = 0;
  Loc loc;
  SIMT_ASAN(void* fake = nullptr;)
};
struct Warp { unsigned exited = 0, waiting = 0; };

struct State {
  static constexpr size_t kStack = 64 * 1024;
  std::vector<Fiber> f;
  std::vector<Warp> w;
  std::vector<unsigned> ready;
  size_t head = 0;
  std::vector<char*> pool;
  std::vector<std::pair<char*, size_t>> maps;
  Fiber* cur = nullptr;
  void* main_sp = nullptr;
  void (*body)(void*) = nullptr;
  void* body_arg = nullptr;
  size_t body_arg_size = 0, smem = 0;
  std::pair<const char*, const char*> image{};
  unsigned n = 0, n_bar = 0, n_done = 0, bar_count = 0;
  std::pair<char*, size_t> tls{};
  uint64_t rng = 1, launch_id = 0, block_id = 0;
  Op bar_op = kNone;
  Loc bar_loc;
  std::string error;
  bool in_kernel = false;
  SIMT_ASAN(void* main_fake = nullptr; const void* main_bottom = nullptr; size_t main_size = 0;)
};
inline State* S = nullptr;

// ---- optional hooks (race.h), no-ops otherwise ---------------------------------------
#ifdef __SANITIZE_THREAD__
void race_launch(); void race_block(unsigned n); void race_sync_block(); void race_sync_warp(unsigned warp, unsigned mask);
void race_atomic(const void* p, size_t size, bool read_only);
#define SIMT_RAW __attribute__((no_sanitize_thread, noinline))
struct Internal { SIMT_RAW Internal() { S->in_kernel = false; } SIMT_RAW ~Internal() { S->in_kernel = true; } };
#define SIMT_INTERNAL ::reidops::simt::Internal simt_internal_
#else
inline void race_launch() {} inline void race_block(unsigned) {} inline void race_sync_block() {}
inline void race_sync_warp(unsigned, unsigned) {} inline void race_atomic(const void*, size_t, bool) {}
#define SIMT_INTERNAL
#define SIMT_RAW
#endif

// ---- context switch ----------------------------------------------------------------------
extern "C" void simt_switch(void** save, void* load);
asm(R"(.pushsection .text
.weak simt_switch
.hidden simt_switch
.type simt_switch,@function
simt_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp, (%rdi); movq %rsi, %rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
.popsection)");

inline void to_main(bool last = false) {  // fiber -> scheduler
  Fiber* me = S->cur;
  SIMT_ASAN(__sanitizer_start_switch_fiber(last ? nullptr : &me->fake, S->main_bottom, S->main_size);)
  simt_switch(&me->sp, S->main_sp);
  SIMT_ASAN(__sanitizer_finish_switch_fiber(me->fake, &S->main_bottom, &S->main_size);)
  (void)last; (void)me;
}
inline std::string where(const Fiber& f) {
  return "thread (" + std::to_string(f.tid.x) + "," + std::to_string(f.tid.y) + "," + std::to_string(f.tid.z) + ")" +
         (f.done ? " exited" : f.op ? std::string(" waits in ") + op_names[f.op] + " at " + f.loc.file_name() + ":" + std::to_string(f.loc.line()) : " runs");
}
[[noreturn]] inline void fail(const std::string& what) {  // from a fiber; fiber_main catches it
  throw Error("simt: block (" + std::to_string(blockIdx.x) + "," + std::to_string(blockIdx.y) + "," + std::to_string(blockIdx.z) + ") " + what);
}
inline bool same(const Loc& a, const Loc& b) { return a.line() == b.line() && a.column() == b.column() && !std::strcmp(a.file_name(), b.file_name()); }

inline void try_warp(unsigned wi, const Fiber& f) {  // complete f's collective if everyone named is there
  Warp& w = S->w[wi];
  const unsigned m = f.mask & ~w.exited;
  if ((w.waiting & m) != m) return;
  Fiber* l = &S->f[wi * 32];
  unsigned ballot = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if (!(m >> i & 1)) continue;
    if (l[i].op != f.op || l[i].mask != f.mask || !same(l[i].loc, f.loc))
      fail("diverged warp collective: " + where(f) + " but " + where(l[i]));
    ballot |= unsigned(l[i].val != 0) << i;
  }
  for (unsigned i = 0; i < 32; ++i) {
    if (!(m >> i & 1)) continue;
    Fiber& t = l[i];
    const int base = int(i) & ~(t.width - 1), in = int(i) - base;
    int src = -1;
    switch (t.op) {
      case kShfl: src = base + (t.arg & (t.width - 1)); break;
      case kUp: src = in - t.arg < 0 ? int(i) : int(i) - t.arg; break;
      case kDown: src = in + t.arg >= t.width ? int(i) : int(i) + t.arg; break;
      case kXor: src = (int(i) ^ t.arg) >= base + t.width ? int(i) : int(i) ^ t.arg; break;
      case kMatch: t.res = 0; for (unsigned j = 0; j < 32; ++j) if ((m >> j & 1) && l[j].val == t.val) t.res |= 1u << j; break;
      default: t.res = ballot;
    }
    if (src >= 0) t.res = src < 32 && (m >> src & 1) ? l[src].val : ~0ull;  // undefined on hardware: poison
  }
  if (f.op == kSync) race_sync_warp(wi, m);
  for (unsigned i = 0; i < 32; ++i)
    if (m >> i & 1) l[i].op = kNone, S->ready.push_back(wi * 32 + i);
  w.waiting &= ~m;
}
inline uint64_t warp_op(Op op, unsigned mask, uint64_t val, int arg, int width, const Loc& loc) {
  SIMT_INTERNAL;
  Fiber& f = *S->cur;
  const unsigned lane = f.id & 31, wi = f.id >> 5;
  f.op = op, f.mask = mask, f.val = val, f.arg = arg, f.width = width, f.loc = loc;
  if (!(mask >> lane & 1)) fail("the caller is not in its own mask: " + where(f));
  if (width < 1 || width > 32 || (width & (width - 1))) fail("bad width: " + where(f));
  S->w[wi].waiting |= 1u << lane;
  try_warp(wi, f);
  to_main();
  return f.res;
}
inline void try_block() {
  if (!S->n_bar || S->n_bar + S->n_done < S->n) return;
  if (S->n_done && config.strict_exit) {
    std::string a, b;
    for (Fiber& f : S->f) { if (f.done && a.empty()) a = where(f); if (f.op == kBar && b.empty()) b = where(f); }
    fail("divergent barrier: " + a + " while " + b);
  }
  for (Fiber& f : S->f) if (f.op == kBar) f.op = kNone, f.res = S->bar_count, S->ready.push_back(f.id);
  S->n_bar = S->bar_count = 0;
  race_sync_block();
}
inline int block_op(bool pred, const Loc& loc) {
  SIMT_INTERNAL;
  Fiber& f = *S->cur;
  f.op = kBar, f.loc = loc;
  if (S->n_bar++ == 0) S->bar_loc = loc;
  else if (!same(S->bar_loc, loc)) fail("divergent barrier: " + where(f) + " but others at line " + std::to_string(S->bar_loc.line()));
  S->bar_count += pred;
  try_block();
  to_main();
  return int(f.res);
}
SIMT_RAW inline void fiber_main() {
  SIMT_ASAN(__sanitizer_finish_switch_fiber(nullptr, &S->main_bottom, &S->main_size);)
  try {
    S->in_kernel = true;
    S->body(S->body_arg);
    S->in_kernel = false;
    Fiber& f = *S->cur;
    f.done = true, ++S->n_done;
    Warp& w = S->w[f.id >> 5];
    w.exited |= 1u << (f.id & 31);
    for (unsigned i = 0; i < 32; ++i)
      if (w.waiting >> i & 1) try_warp(f.id >> 5, S->f[(f.id & ~31u) + i]);
    try_block();
  } catch (const std::exception& e) { S->error = e.what(); }
  to_main(true);
}
inline uint64_t next_rand() { uint64_t& x = S->rng; x ^= x << 13; x ^= x >> 7; x ^= x << 17; return x; }
inline unsigned pick() {
  auto& r = S->ready;
  if (config.seed == 1) { unsigned v = r.back(); r.pop_back(); return v; }
  if (config.seed > 1) std::swap(r[S->head], r[S->head + next_rand() % (r.size() - S->head)]);
  unsigned v = r[S->head++];
  if (S->head == r.size()) r.clear(), S->head = 0;
  return v;
}
inline char* take_stack() {
  if (S->pool.empty()) {
    const size_t k = 32;
    char* p = static_cast<char*>(mmap(nullptr, k * State::kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (p == MAP_FAILED) throw std::bad_alloc();
    S->maps.push_back({p, k * State::kStack});
    for (size_t i = 0; i < k; ++i) mprotect(p + i * State::kStack, 4096, PROT_NONE), S->pool.push_back(p + i * State::kStack);
  }
  char* s = S->pool.back(); S->pool.pop_back();
  SIMT_ASAN(__asan_unpoison_memory_region(s + 4096, State::kStack - 4096);)
  return s;
}
inline void start(Fiber& f) {
  f.stack = take_stack();
  void** sp = reinterpret_cast<void**>(f.stack + State::kStack);
  *--sp = nullptr, *--sp = reinterpret_cast<void*>(fiber_main);
  for (int i = 0; i < 6; ++i) *--sp = nullptr;
  f.sp = sp;
}
inline void find_module() {  // its TLS block holds nothing but __shared__ arrays; its image holds constants and builtins
  dl_iterate_phdr([](dl_phdr_info* i, size_t, void*) {
    uintptr_t lo = UINTPTR_MAX, hi = 0, me = reinterpret_cast<uintptr_t>(&fiber_main);
    std::pair<char*, size_t> tls{};
    for (int k = 0; k < i->dlpi_phnum; ++k) {
      const auto& p = i->dlpi_phdr[k];
      if (p.p_type == PT_LOAD) lo = std::min<uintptr_t>(lo, i->dlpi_addr + p.p_vaddr), hi = std::max<uintptr_t>(hi, i->dlpi_addr + p.p_vaddr + p.p_memsz);
      if (p.p_type == PT_TLS) tls = {static_cast<char*>(i->dlpi_tls_data), p.p_memsz};
    }
    if (me < lo || me >= hi) return 0;
    S->image = {reinterpret_cast<char*>(lo), reinterpret_cast<char*>(hi)}, S->tls = tls;
    return 1; }, nullptr);
}
inline void run_block(size_t smem) {
  S->f.assign(S->n, Fiber{}); S->w.assign((S->n + 31) / 32, Warp{});
  S->ready.clear(); S->head = 0; S->n_bar = S->n_done = S->bar_count = 0;
  if (S->n & 31) S->w.back().exited = ~0u << (S->n & 31);
  for (unsigned i = 0; i < S->n; ++i)
    S->f[i].id = i, S->f[i].tid = {i % blockDim.x, i / blockDim.x % blockDim.y, i / (blockDim.x * blockDim.y)}, S->ready.push_back(i);
  SIMT_ASAN(__asan_unpoison_memory_region(reidops::dynamic_shared_memory, sizeof reidops::dynamic_shared_memory);)
  if (config.poison) std::memset(S->tls.first, 0xFF, S->tls.second);
  std::memset(reidops::dynamic_shared_memory + smem, 0xCB, kSimtGuard);
  SIMT_ASAN(__asan_poison_memory_region(reidops::dynamic_shared_memory + smem, sizeof reidops::dynamic_shared_memory - smem);)
  race_block(S->n);
  stats.threads += S->n;
  while (!S->ready.empty() && S->error.empty()) {
    Fiber& f = S->f[pick()];
    if (!f.stack) start(f);
    S->cur = &f, threadIdx = f.tid, ++stats.switches;
    SIMT_ASAN(__sanitizer_start_switch_fiber(&S->main_fake, f.stack + 4096, State::kStack - 4096);)
    simt_switch(&S->main_sp, f.sp);
    SIMT_ASAN(__sanitizer_finish_switch_fiber(S->main_fake, nullptr, nullptr);)
    if (f.done) S->pool.push_back(f.stack), f.stack = nullptr;
  }
  S->in_kernel = false;
  for (Fiber& f : S->f) if (f.stack) S->pool.push_back(f.stack);
  SIMT_ASAN(__asan_unpoison_memory_region(reidops::dynamic_shared_memory, sizeof reidops::dynamic_shared_memory);)
  if (S->error.empty() && S->n_done != S->n) {
    S->error = "simt: deadlock:";
    int k = 0;
    for (Fiber& f : S->f) if (!f.done && k++ < 4) S->error += " " + where(f) + ";";
  }
  for (size_t i = 0; i < kSimtGuard && S->error.empty(); ++i)
    if (reidops::dynamic_shared_memory[smem + i] != 0xCB) S->error = "simt: wrote dynamic shared memory at byte " + std::to_string(smem + i) + " of " + std::to_string(smem);
}
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem, stream_t, A&&... args) {
  if (!S) S = new State;
  if (S->in_kernel) throw Error("simt: nested launch");
  const uint64_t n = uint64_t(block.x) * block.y * block.z;
  if (!n || n > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 || smem > kSimtMaxSmem)
    throw Error("simt: invalid launch configuration");
  struct Ctx { void (*k)(P...); std::tuple<P...> a; } ctx{kernel, {static_cast<P>(args)...}};
  S->body = [](void* c) { auto* x = static_cast<Ctx*>(c); std::apply(x->k, x->a); };
  S->body_arg = &ctx, S->body_arg_size = sizeof ctx, S->n = unsigned(n), S->rng = config.seed * 0x9E3779B97F4A7C15ull | 1, S->error.clear(), ++S->launch_id;
  gridDim = grid, blockDim = block;
  reidops::dynamic_shared_memory[0] = 0;  // TLS is allocated on first touch
  S->smem = smem;
  find_module();
  race_launch();
  const uint64_t nb = uint64_t(grid.x) * grid.y * grid.z;
  std::vector<uint64_t> order(config.seed > 1 ? nb : 0);
  for (size_t i = 0; i < order.size(); ++i) { order[i] = i; std::swap(order[i], order[next_rand() % (i + 1)]); }
  for (uint64_t i = 0; i < nb && S->error.empty(); ++i) {
    const uint64_t b = config.seed > 1 ? order[i] : config.seed == 1 ? nb - 1 - i : i;
    S->block_id = b;
    blockIdx = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / (uint64_t(grid.x) * grid.y))};
    run_block(smem);
  }
  if (!S->error.empty()) throw Error(S->error);
}
template <class T> uint64_t bits(T v) { static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8); uint64_t b = 0; std::memcpy(&b, &v, sizeof v); return b; }
template <class T> T unbits(uint64_t b) { T v; std::memcpy(&v, &b, sizeof v); return v; }
template <class T, class F> T rmw(T* p, F f) { SIMT_INTERNAL; race_atomic(p, sizeof(T), false); T old = *p; *p = f(old); return old; }
}  // namespace reidops::simt

namespace reidops { using Stream = simt::stream_t; using simt::launch; }
// ---- device functions ---------------------------------------------------------------------
#define SIMT_LOC const reidops::simt::Loc& loc = reidops::simt::Loc::current()
inline void __syncthreads(SIMT_LOC) { reidops::simt::block_op(false, loc); }
inline int __syncthreads_count(int p, SIMT_LOC) { return reidops::simt::block_op(p != 0, loc); }
inline int __syncthreads_or(int p, SIMT_LOC) { return reidops::simt::block_op(p != 0, loc) > 0; }
inline int __syncthreads_and(int p, SIMT_LOC) { return reidops::simt::block_op(p == 0, loc) == 0; }
inline void __syncwarp(unsigned m = ~0u, SIMT_LOC) { reidops::simt::warp_op(reidops::simt::kSync, m, 0, 0, 32, loc); }
#define SIMT_SHFL(name, op, argt)                                                                    \
  template <class T> T name(unsigned m, T v, argt a, int width = 32, SIMT_LOC) {                     \
    static_assert(std::is_arithmetic_v<T>);                                                          \
    return reidops::simt::unbits<T>(reidops::simt::warp_op(reidops::simt::op, m, reidops::simt::bits(v), int(a), width, loc)); }
SIMT_SHFL(__shfl_sync, kShfl, int) SIMT_SHFL(__shfl_up_sync, kUp, unsigned)
SIMT_SHFL(__shfl_down_sync, kDown, unsigned) SIMT_SHFL(__shfl_xor_sync, kXor, int)
inline unsigned __ballot_sync(unsigned m, int p, SIMT_LOC) { return unsigned(reidops::simt::warp_op(reidops::simt::kBallot, m, p != 0, 0, 32, loc)); }
inline int __any_sync(unsigned m, int p, SIMT_LOC) { return reidops::simt::warp_op(reidops::simt::kBallot, m, p != 0, 0, 32, loc) != 0; }
inline int __all_sync(unsigned m, int p, SIMT_LOC) { return reidops::simt::warp_op(reidops::simt::kBallot, m, p == 0, 0, 32, loc) == 0; }
template <class T> unsigned __match_any_sync(unsigned m, T v, SIMT_LOC) { return unsigned(reidops::simt::warp_op(reidops::simt::kMatch, m, reidops::simt::bits(v), 0, 32, loc)); }
inline void __threadfence() {} inline void __threadfence_block() {}
[[noreturn]] inline void __trap() { reidops::simt::fail("__trap by " + reidops::simt::where(*reidops::simt::S->cur)); }
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T atomicAdd(T* p, std::type_identity_t<T> v) { return reidops::simt::rmw(p, [&](T o) { return T(o + v); }); }
template <class T> T atomicMax(T* p, std::type_identity_t<T> v) { return reidops::simt::rmw(p, [&](T o) { return o < v ? v : o; }); }
template <class T> T atomicMin(T* p, std::type_identity_t<T> v) { return reidops::simt::rmw(p, [&](T o) { return v < o ? v : o; }); }
template <class T> T atomicExch(T* p, std::type_identity_t<T> v) { return reidops::simt::rmw(p, [&](T) { return v; }); }
template <class T> T atomicCAS(T* p, std::type_identity_t<T> c, std::type_identity_t<T> v) { return reidops::simt::rmw(p, [&](T o) { return o == c ? v : o; }); }
#define SIMT_MINMAX(T) inline T min(T a, T b) { return b < a ? b : a; } inline T max(T a, T b) { return a < b ? b : a; }
SIMT_MINMAX(int) SIMT_MINMAX(unsigned) SIMT_MINMAX(long) SIMT_MINMAX(long long) SIMT_MINMAX(unsigned long) SIMT_MINMAX(float) SIMT_MINMAX(double)
#if !defined(__GLIBC_PREREQ) || !__GLIBC_PREREQ(2, 42)
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
#endif
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return std::exp(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __float_as_int(float x) { return reidops::simt::unbits<int>(reidops::simt::bits(x)); }
inline float __int_as_float(int x) { return reidops::simt::unbits<float>(reidops::simt::bits(x)); }
template <class T> T __reduce_add_sync(unsigned m, T v, SIMT_LOC) {
  T sum = 0;
  for (int lane = 0; lane < 32; ++lane) { const T other = __shfl_sync(m, v, lane, 32, loc); if (m >> lane & 1) sum += other; }
  return sum;
}
template <class T> T __reduce_max_sync(unsigned m, T v, SIMT_LOC) {
  T top = v;
  for (int lane = 0; lane < 32; ++lane) { const T other = __shfl_sync(m, v, lane, 32, loc); if (m >> lane & 1 && top < other) top = other; }
  return top;
}
template <class T> T __reduce_min_sync(unsigned m, T v, SIMT_LOC) {
  T low = v;
  for (int lane = 0; lane < 32; ++lane) { const T other = __shfl_sync(m, v, lane, 32, loc); if (m >> lane & 1 && other < low) low = other; }
  return low;
}
inline unsigned __activemask() { return ~0u; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline double __drcp_rn(double x) { return 1.0 / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline double __dsqrt_rn(double x) { return std::sqrt(x); }
using std::isfinite; using std::isnan; using std::fma;
#ifdef __SANITIZE_THREAD__
#include "race.h"
#endif
#pragma GCC visibility pop
