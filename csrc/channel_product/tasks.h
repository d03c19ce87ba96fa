// tasks.h - how the products of a call are shared out: the same for every kernel.
#pragma once

#include <algorithm>

#include "../common/lanes.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

// Rows of a left map that are multiplied together.
struct Strip {
  int64_t begin, rows;
};
// The strips of a map of `size` rows: all about alike tall, of at most `most` rows.
struct Strips {
  int64_t size, count;

  Strips(int64_t size, int64_t most) : size(size), count((size + most - 1) / most) {}
  Strip operator[](int64_t i) const {
    const int64_t begin = i * size / count, end = (i + 1) * size / count;
    return {begin, end - begin};
  }
};

// Columns of a right map that are multiplied one after another.
struct Columns {
  int64_t map, begin, count;
};

// The tasks of a call, ordered (right map, block of columns, pair, strip), so that those that share columns follow one
// another.
template <class S>
class Tasks {
 public:
  using Problem = channel_product::Problem<S>;

  Tasks(const Problem& p, int64_t rows, int64_t columns)
      : strips(p.left.size, rows), p_(p), columns_(columns), blocks_((p.right.size + columns - 1) / columns) {}

  int64_t count() const { return p_.pairs.first[p_.right.count] * blocks_ * strips.count; }

  // Calls body(columns, from, to) for the tasks [begin, end) of every block of columns: strips [from, to), counted over
  // all partners of the map.
  template <class Body>
  REIDOPS_INLINE void each_block(int64_t begin, int64_t end, Body&& body) const {
    const int64_t of_pair = blocks_ * strips.count;
    const int64_t* const first = p_.pairs.first;
    int64_t map = std::upper_bound(first, first + p_.right.count + 1, begin / of_pair) - first - 1;
    while (begin < end) {
      while (first[map + 1] * of_pair <= begin) ++map;
      const int64_t of_block = (first[map + 1] - first[map]) * strips.count, rest = begin - first[map] * of_pair;
      const int64_t column = rest / of_block * columns_, from = rest % of_block;
      const int64_t to = std::min(of_block, from + end - begin);
      body(Columns{map, column, std::min(columns_, p_.right.size - column)}, from, to);
      begin += to - from;
    }
  }

  // Of strip i of a map's partners: the pair, and where its values go.
  int64_t pair(int64_t map, int64_t i) const { return p_.pairs.place[p_.pairs.first[map] + i / strips.count]; }
  int64_t left_map(int64_t pair) const { return pair / p_.pairs.partners; }
  int64_t row_step() const { return p_.pairs.partners * p_.right.size; }
  typename Problem::T* out(int64_t pair, const Strip& strip, int64_t column) const {
    const int64_t row = left_map(pair) * p_.left.size + strip.begin;
    return p_.out + row * row_step() + pair % p_.pairs.partners * p_.right.size + column;
  }

  // Columns of a Gram matrix in panels that end where the strip begins, or before.
  int64_t left_out(const Strip& strip, int64_t panel) const { return p_.gram ? strip.begin / panel * panel : 0; }
  // A strip that begins at one of them, m, has begun before each row n of this one: value (m, n) is made there.
  void mirror(int64_t begin, int64_t end, int64_t panel) const {
    const int64_t M = p_.right.size;
    for (int64_t i = begin; i < end; ++i) {
      const Strip strip = strips[i % strips.count];
      typename Problem::T* const gram = p_.out + i / strips.count * M * M;
      for (int64_t n = strip.begin; n < strip.begin + strip.rows; ++n)
        for (int64_t m = 0; m < left_out(strip, panel); ++m) gram[n * M + m] = gram[m * M + n];
    }
  }

  const Strips strips;

 private:
  const Problem& p_;
  const int64_t columns_, blocks_;
};

}  // namespace reidops::REIDOPS_ISA

// The functions of problem.h, as a class has them.
#define REIDOPS_DEFINE_CHANNEL_PRODUCT(S, Class)                                                             \
  int64_t bytes_laid_out(const channel_product::Problem<S>& p) { return Class(p).bytes_laid_out(); }         \
  int64_t strips(const channel_product::Problem<S>& p) { return Class(p).strips(); }                         \
  int64_t tasks(const channel_product::Problem<S>& p) { return Class(p).tasks(); }                           \
  void lay_out(const channel_product::Problem<S>& p, int64_t begin, int64_t end) {                           \
    Class(p).lay_out(begin, end);                                                                            \
  }                                                                                                          \
  void multiply(const channel_product::Problem<S>& p, int64_t begin, int64_t end) {                          \
    Class(p).multiply(begin, end);                                                                           \
  }                                                                                                          \
  void mirror(const channel_product::Problem<S>& p, int64_t begin, int64_t end) { Class(p).mirror(begin, end); }
