// spectrum.h - two-dimensional Fourier transforms of real planes of N x M numbers, and back.
//
// Rows are transformed two registers at a time, one as real and one as imaginary parts: z = a + i b has
//
//     a^[k] = (z^[k] + conj z^[M - k]) / 2,   b^[k] = (z^[k] - conj z^[M - k]) / 2i,
//
// of which k <= M / 2 say all.  Then columns are, a register of them at a time.
#pragma once

#include <algorithm>

#include "fourier.h"

namespace reidops::REIDOPS_ISA {

// A spectrum: elements [block, row, lane], which is column block L + lane of M / 2 + 1; beyond that, anything.
template <class T>
struct Spectrum {
  Buffer<T> real, imaginary;
  typename Fourier<T>::Parts parts{};

  void reserve(int64_t numbers) { parts = {real.reserve(numbers, false), imaginary.reserve(numbers, false)}; }
};

template <class T>
class PlaneTransform {
  using V = Run<T>;
  using Parts = typename Fourier<T>::Parts;
  static constexpr int kLanes = kRun<T>;

 public:
  // A line has a run more than it needs, since gather_pixels writes and scatter_pixels reads whole runs.
  PlaneTransform(int64_t rows, int64_t columns)
      : down_(rows), across_(columns), N_(rows), M_(columns), blocks_((columns / 2 + kLanes) / kLanes) {
    line_ = {real_.reserve((M_ + kLanes) * kLanes), imaginary_.reserve((M_ + kLanes) * kLanes)};
  }
  int64_t blocks() const { return blocks_; }
  int64_t block_numbers() const { return N_ * kLanes; }

  // Rows <= N by columns <= M numbers: twice the transform of the rows, and the sum of their squares.
  template <class S>
  double rows_forward(const S* from, int64_t row, int64_t column, int64_t rows, int64_t columns, Parts to) {
    double squares[kLanes] = {};
    for (int64_t y = 0; y < rows; y += 2 * kLanes) {
      const int64_t first = std::min<int64_t>(kLanes, rows - y), second = std::min<int64_t>(kLanes, rows - y - first);
      lay_out(from + y * row, row, column, first, columns, line_.re, squares);
      lay_out(second > 0 ? from + (y + kLanes) * row : from, row, column, second, columns, line_.im, squares);
      across_.forward(line_);
      separate_rows(y, first, second, to);
    }
    double sum = 0;
    for (const double square : squares) sum += square;
    return sum;
  }
  // Then those of the columns of a block, of `rows` numbers and zeros; and of a block back, times N.
  void columns_forward(Parts of, int64_t block, int64_t rows) const {
    const Parts part = of_block(of, block);
    std::memset(part.re + rows * kLanes, 0, size_t((N_ - rows) * kLanes) * sizeof(T));
    std::memset(part.im + rows * kLanes, 0, size_t((N_ - rows) * kLanes) * sizeof(T));
    down_.forward(part);
  }
  void columns_back(Parts of, int64_t block) const { down_.back(of_block(of, block)); }

  // M times the rows at(0), ..., at(rows - 1) of such a plane, up to a register of them at a time to
  // `write(pixels, y, count)`, where the numbers of rows y to y + count - 1 stand side by side for each column.
  template <class At, class Write>
  void rows_back(Parts from, int64_t rows, At at, Write write) {
    for (int64_t y = 0; y < rows; y += 2 * kLanes) {
      const int64_t first = std::min<int64_t>(kLanes, rows - y), second = std::min<int64_t>(kLanes, rows - y - first);
      join_rows(from, y, first, second, at);
      across_.back(line_);
      write(line_.re, y, first);
      if (second > 0) write(line_.im, y + kLanes, second);
    }
  }

 private:
  Parts of_block(Parts spectrum, int64_t block) const {
    return {spectrum.re + block * N_ * kLanes, spectrum.im + block * N_ * kLanes};
  }

  // Up to a run of rows, side by side for each column, and zeros up to M.
  template <class S>
  void lay_out(const S* from, int64_t row, int64_t column, int64_t rows, int64_t columns, T* to, double* squares) {
    const int64_t filled = rows > 0 ? columns : 0;
    if (rows > 0) gather_pixels<T, kLanes>(from, row, column, rows, columns, to);
    for (int64_t x = 0; x < filled; ++x)
      for (int l = 0; l < kLanes; ++l) squares[l] += double(to[x * kLanes + l]) * double(to[x * kLanes + l]);
    std::memset(to + filled * kLanes, 0, size_t((M_ - filled) * kLanes) * sizeof(T));
  }

  // Twice a^ and b^ of a line, its rows from lanes to rows y + lane and y + L + lane of `to`.
  void separate_rows(int64_t y, int64_t first, int64_t second, Parts to) const {
    for (int64_t block = 0; block < blocks_; ++block) {
      V of_first[2][kLanes], of_second[2][kLanes];
      for (int lane = 0; lane < kLanes; ++lane) {
        const int64_t k = std::min(block * kLanes + lane, M_ / 2);  // beyond, what is no matter
        const int64_t one = across_.place(k) * kLanes, other = across_.place(k == 0 ? 0 : M_ - k) * kLanes;
        const V re = take<kLanes>(line_.re + one), im = take<kLanes>(line_.im + one);
        const V re_other = take<kLanes>(line_.re + other), im_other = take<kLanes>(line_.im + other);
        of_first[0][lane] = re + re_other, of_first[1][lane] = im - im_other;
        of_second[0][lane] = im + im_other, of_second[1][lane] = re_other - re;
      }
      const Parts part = of_block(to, block);
      T* const parts[] = {part.re, part.im};
      for (int i = 0; i < 2; ++i) {
        planes_to_pixels<T, kLanes>(of_first[i]);
        for (int lane = 0; lane < first; ++lane) put<kLanes>(parts[i] + (y + lane) * kLanes, of_first[i][lane]);
        if (second == 0) continue;
        planes_to_pixels<T, kLanes>(of_second[i]);
        for (int lane = 0; lane < second; ++lane)
          put<kLanes>(parts[i] + (y + kLanes + lane) * kLanes, of_second[i][lane]);
      }
    }
  }

  // The inverse: z^ = a^ + i b^ at k and, since a and b are real, conj a^ + i conj b^ at M - k.
  template <class At>
  void join_rows(Parts from, int64_t y, int64_t first, int64_t second, At at) const {
    for (int64_t block = 0; block < blocks_; ++block) {
      const Parts part = of_block(from, block);
      const T* const parts[] = {part.re, part.im};
      V of_first[2][kLanes] = {}, of_second[2][kLanes] = {};
      for (int i = 0; i < 2; ++i) {
        for (int lane = 0; lane < first; ++lane) of_first[i][lane] = take<kLanes>(parts[i] + at(y + lane) * kLanes);
        for (int lane = 0; lane < second; ++lane)
          of_second[i][lane] = take<kLanes>(parts[i] + at(y + kLanes + lane) * kLanes);
        planes_to_pixels<T, kLanes>(of_first[i]);
        if (second > 0) planes_to_pixels<T, kLanes>(of_second[i]);
      }
      for (int lane = 0; lane < kLanes; ++lane) {
        const int64_t k = block * kLanes + lane;
        if (k > M_ / 2) break;
        const int64_t one = across_.place(k) * kLanes;
        put<kLanes>(line_.re + one, of_first[0][lane] - of_second[1][lane]);
        put<kLanes>(line_.im + one, of_first[1][lane] + of_second[0][lane]);
        if (k == 0 || 2 * k == M_) continue;
        const int64_t other = across_.place(M_ - k) * kLanes;
        put<kLanes>(line_.re + other, of_first[0][lane] + of_second[1][lane]);
        put<kLanes>(line_.im + other, of_second[0][lane] - of_first[1][lane]);
      }
    }
  }

  const Fourier<T> down_, across_;
  const int64_t N_, M_, blocks_;
  Buffer<T> real_, imaginary_;
  Parts line_;
};

}  // namespace reidops::REIDOPS_ISA
