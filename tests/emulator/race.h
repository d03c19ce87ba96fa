// simt_race.h - data-race and bounds checks for emulated kernels.
// Compile with -fsanitize=thread but link WITHOUT it: the compiler's __tsan_* calls land here.
// Two accesses by different threads conflict when one writes, not both are atomic, and no
// __syncthreads (same block) or __syncwarp (same warp) orders them.  Shuffles do not order memory.
#pragma once
#include <unordered_map>
namespace reidops::simt {
struct Access { uint64_t block = ~0ull; unsigned thread = 0, epoch = 0, clock = 0; uint8_t bytes = 0; bool atomic = false; };
struct Cell { Access w, r, r2; };
struct Race {
  bool on = true, busy = false;
  std::unordered_map<uintptr_t, Cell> shadow;  // one cell per 4 bytes
  std::vector<std::pair<const char*, const char*>> buffers;  // registered global memory; empty = no bounds check
  unsigned epoch = 1;
  std::vector<unsigned> vc;                     // vc[t*32+l]: t's knowledge of lane l of its warp
};
inline Race race;
SIMT_RAW inline void race_launch() {
  race.shadow.clear();
}
SIMT_RAW inline void race_block(unsigned n) {
  race.epoch = 1;
  race.vc.assign(size_t(n) * 32, 0);
  for (unsigned t = 0; t < n; ++t) race.vc[t * 32 + (t & 31)] = 1;
}
SIMT_RAW inline void race_sync_block() { ++race.epoch; }
SIMT_RAW inline void race_sync_warp(unsigned wi, unsigned m) {
  unsigned top[32] = {};
  for (unsigned i = 0; i < 32; ++i) if (m >> i & 1) for (unsigned l = 0; l < 32; ++l) top[l] = std::max(top[l], race.vc[(wi * 32 + i) * 32 + l]);
  for (unsigned i = 0; i < 32; ++i) if (m >> i & 1) { unsigned* v = &race.vc[(wi * 32 + i) * 32]; for (unsigned l = 0; l < 32; ++l) v[l] = top[l]; ++v[i]; }
}
SIMT_RAW inline bool race_ordered(const Access& a, unsigned t, bool shared) {
  if (a.block == ~0ull || (shared && a.block != S->block_id)) return true;
  if (a.block != S->block_id) return false;
  if (a.thread == t || a.epoch < race.epoch) return true;
  return (a.thread >> 5) == (t >> 5) && race.vc[t * 32 + (a.thread & 31)] >= a.clock;
}
SIMT_RAW inline void race_report(const char* what, const void* p, unsigned other, uint64_t block, const void* pc) {
  char b[240];
  Dl_info d{};
  dladdr(pc, &d);
  std::snprintf(b, sizeof b, "%s at %p, pc +0x%zx, by thread %u and thread %u of block %llu", what, p, size_t((const char*)pc - (const char*)d.dli_fbase) - 1, S->cur->id, other, (unsigned long long)block);
  S->error = std::string("simt: ") + b;  // not thrown: the compiler holds __tsan_* calls to be nothrow
  for (;;) to_main(true);
}
SIMT_RAW inline void race_access(const void* ptr, size_t size, bool write, bool atomic, const void* pc) {
  const char* p = static_cast<const char*>(ptr);
  if (p >= (char*)S->body_arg && p < (char*)S->body_arg + S->body_arg_size) return;
  for (auto& m : S->maps) if (p >= m.first && p < m.first + m.second) return;  // fiber stacks
  const bool shared = p >= S->tls.first && p < S->tls.first + S->tls.second;
  if (p + size > (char*)reidops::dynamic_shared_memory + S->smem && p < (char*)reidops::dynamic_shared_memory + sizeof reidops::dynamic_shared_memory)
    race_report("out-of-bounds dynamic shared access", p, S->cur->id, S->block_id, pc);
  if (!shared && !race.buffers.empty()) {
    bool ok = p >= S->image.first && p < S->image.second;
    for (auto& b : race.buffers) ok |= p >= b.first && p + size <= b.second;
    if (!ok) race_report("out-of-bounds global access", p, S->cur->id, S->block_id, pc);
  }
  const unsigned t = S->cur->id;
  for (uintptr_t a = uintptr_t(p) & ~uintptr_t(3); a < uintptr_t(p) + size; a += 4) {
    uint8_t bytes = 0;
    for (int k = 0; k < 4; ++k) if (a + k >= uintptr_t(p) && a + k < uintptr_t(p) + size) bytes |= 1 << k;
    Cell& c = race.shadow[a];
    const Access now{S->block_id, t, race.epoch, race.vc[t * 32 + (t & 31)], bytes, atomic};
    for (const Access* o : {&c.w, write ? &c.r : nullptr, write ? &c.r2 : nullptr})
      if (o && (o->bytes & bytes) && !(atomic && o->atomic) && !race_ordered(*o, t, shared))
        race_report(o == &c.w ? (write ? "write-write race" : "read-after-write race") : "write-after-read race", p, o->thread, o->block, pc);
    if (!write && shared && c.w.block != S->block_id) race_report("read of unwritten shared memory", p, t, S->block_id, pc);
    if (write) c.w = now;
    else { if (c.r.thread != t || c.r.block != S->block_id) c.r2 = c.r; c.r = now; }
  }
}
SIMT_RAW inline void race_atomic(const void* p, size_t n, bool) { race_access(p, n, true, true, __builtin_return_address(0)); }
SIMT_RAW inline void race_hook(const void* p, size_t n, bool write, const void* pc) {
  if (!S || !S->in_kernel || !race.on) return;
  S->in_kernel = false;
  race_access(p, n, write, false, pc);
  S->in_kernel = true;
}
}  // namespace reidops::simt
#define SIMT_H extern "C" __attribute__((no_sanitize_thread, noinline, used, weak, visibility("hidden"))) void
#define SIMT_RW(n)                                                                                              \
  SIMT_H __tsan_read##n(void* p) { reidops::simt::race_hook(p, n, false, __builtin_return_address(0)); }                 \
  SIMT_H __tsan_write##n(void* p) { reidops::simt::race_hook(p, n, true, __builtin_return_address(0)); }                 \
  SIMT_H __tsan_unaligned_read##n(void* p) { reidops::simt::race_hook(p, n, false, __builtin_return_address(0)); }       \
  SIMT_H __tsan_unaligned_write##n(void* p) { reidops::simt::race_hook(p, n, true, __builtin_return_address(0)); }
SIMT_RW(1) SIMT_RW(2) SIMT_RW(4) SIMT_RW(8) SIMT_RW(16)
SIMT_H __tsan_read_range(void* p, size_t n) { reidops::simt::race_hook(p, n, false, __builtin_return_address(0)); }
SIMT_H __tsan_write_range(void* p, size_t n) { reidops::simt::race_hook(p, n, true, __builtin_return_address(0)); }
SIMT_H __tsan_vptr_update(void**, void*) {}
SIMT_H __tsan_vptr_read(void**) {}
SIMT_H __tsan_func_entry(void*) {}
SIMT_H __tsan_func_exit() {}
SIMT_H __tsan_init() {}
// host code in the same file (shared_ptr, function-local statics) uses real atomics
#define SIMT_A(bits, T, name, expr) extern "C" __attribute__((no_sanitize_thread, noinline, used, weak, visibility("hidden"))) \
  T __tsan_atomic##bits##_##name { return expr; }
SIMT_A(8, unsigned char, load(const volatile unsigned char* p, int), *p)
SIMT_A(32, int, load(const volatile int* p, int), *p)
SIMT_A(32, int, fetch_add(volatile int* p, int v, int), __sync_fetch_and_add(p, v))
SIMT_A(32, int, fetch_sub(volatile int* p, int v, int), __sync_fetch_and_sub(p, v))
SIMT_A(64, long, load(const volatile long* p, int), *p)
