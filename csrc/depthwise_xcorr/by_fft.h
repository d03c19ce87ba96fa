// by_fft.h - large templates by fast Fourier transforms (spectrum.h), a channel at a time.
//
//     out = inverse(sum over products of map^ conj(template^))            (the correlation theorem; circle.h)
//
// An FFT's rounding is spread evenly: each output's is about
//
//     2 epsilon b,   b = |map| |template| / sqrt(N M),
//
// with the norms of all that is transformed, however small the output is and what it adds up (2 was measured).  The
// kernels' is relative to what an output adds up: for K taps of no order about epsilon sqrt(K / 50) |template| times the
// root mean square of the pixels under it, which is more for K > 200 unless the map is darker there than elsewhere.  So
// blocks of outputs are looked at when they are made.  Where the root mean square of a block is below b / kUneven the
// kernels make it again, so that an error is no more than about 2 kUneven epsilon of that.  They make what is not
// finite, too.
#pragma once

#include <limits>

#include "by_plane.h"
#include "circle.h"
#include "spectrum.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class ByFft {
  using Problem = depthwise_xcorr::Problem<S>;
  using T = typename Problem::T;
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;
  static constexpr double kUneven = 16;
  static constexpr int64_t kFewestTaps = 144;  // sums of fewer products are quicker and more precise
  static constexpr int64_t kBlock = 16;        // rows and columns of a block, or up to twice as many

 public:
  // What is laid out: three spectra, the outputs of a range, which has no more than there are, and a row of squares.  A
  // circle has up to 2048 places (circle.h).
  explicit ByFft(const Problem& p)
      : p_(p), rows_(p.H, p.kh, p.top, p.h), columns_(p.W, p.kw, p.left, p.w), inner_(p.outputs.innermost()),
        transform_(rows_.size, columns_.size) {
    map_.spectrum.reserve(transform_.blocks() * transform_.block_numbers());
    templ_.spectrum.reserve(transform_.blocks() * transform_.block_numbers());
    product_.reserve(transform_.blocks() * transform_.block_numbers());
    made_ = made_memory_.reserve(rows_.length * columns_.length, false);
    squares_ = square_memory_.reserve(columns_.length);
  }
  static int64_t tasks(const Problem& p) {
    return p.outputs.size * p.C * Cut(p.H, p.kh, p.top, p.h).parts * Cut(p.W, p.kw, p.left, p.w).parts;
  }

  // In the unit of ways.h, of one channel's output; infinite where there is no such way, or it is clearly above `most`.
  static double cost(const Problem& p, double most) {
    constexpr double kNever = std::numeric_limits<double>::infinity();
    if (p.kh * p.kw < kFewestTaps || p.sums.size < 1) return kNever;
    if (40 * double(p.h) * double(p.w) / kLanes > most) return kNever;  // less than what follows
    const Cut rows(p.H, p.kh, p.top, p.h), columns(p.W, p.kw, p.left, p.w);
    if (rows.size == 0 || columns.size == 0) return kNever;
    const double N = double(rows.size), M = double(columns.size);
    const auto lines = [](int64_t count) { return double((count + 2 * kLanes - 1) / (2 * kLanes)); };
    const double blocks = double((columns.size / 2 + kLanes) / kLanes), sums = double(p.sums.size);
    const double across = sums * (lines(std::min(p.H, rows.size)) + lines(p.kh)) + lines(rows.length);
    const double stages = across * M * std::log2(M) + (2 * sums + 1) * blocks * N * std::log2(N);
    const double copied = 100 * double(rows.length + sums * rows.size) + (p.of_search.column == 1 ? 0 : 16) * N * M;
    return double(rows.parts * columns.parts) * (5 * stages + copied + 4000);
  }

  // Tasks are ordered (outer outputs, channels, ranges, inner outputs), so that those that share a map or a template
  // follow one another, and it is transformed once.
  void run(int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t cuts = rows_.parts * columns_.parts, rest = task / inner_;
      const int64_t cut = rest % cuts, channel = rest / cuts % p_.C, outer = rest / cuts / p_.C;
      const depthwise_xcorr::Place output = p_.outputs.at(outer * inner_ + task % inner_, {});
      const int64_t y = cut / columns_.parts * rows_.length, x = cut % columns_.parts * columns_.length;
      Problem one = p_;
      one.outputs = {}, one.C = 1;
      one.search += output.search + channel * p_.of_search.channel;
      one.templ += output.templ + channel * p_.of_template.channel;
      one.out += output.out + channel * p_.of_out.channel;
      correlate(range(one, y, std::min(rows_.length, p_.h - y), x, std::min(columns_.length, p_.w - x)));
    }
  }

 private:
  struct Laid {
    Spectrum<T> spectrum;
    const S* from = nullptr;
    int64_t rows = 0, columns = 0;
    double squares = 0;
  };
  // The problem of outputs [y, y + rows) x [x, x + columns) of one channel.
  static Problem range(Problem one, int64_t y, int64_t rows, int64_t x, int64_t columns) {
    one.out += y * one.of_out.row + x * one.of_out.column;
    one.top -= y, one.left -= x, one.h = rows, one.w = columns;
    return one;
  }

  void correlate(const Problem& one) {
    const Arc down(one.H, one.kh, one.top, 0, one.h), across(one.W, one.kw, one.left, 0, one.w);
    const bool all = down.begin == 0 && down.end == one.h && across.begin == 0 && across.end == one.w;
    if (!all) std::memset(made_, 0, size_t(one.h * one.w) * sizeof(T));
    double bound = 0;
    if (down.needs > 0 && across.needs > 0) {
      for (int64_t r = 0; r < one.sums.size; ++r) {
        const depthwise_xcorr::Place place = one.sums.at(r, {});
        const S* const templ = one.templ + place.templ;
        const S* const map =
            one.search + place.search + down.first * one.of_search.row + across.first * one.of_search.column;
        const bool new_map = rows_forward(map_, map, one.of_search, down.count, across.count, false);
        const bool new_templ = rows_forward(templ_, templ, one.of_template, one.kh, one.kw, one.turned);
        bound += std::sqrt(map_.squares * templ_.squares);
        for (int64_t block = 0; block < transform_.blocks(); ++block) {
          if (new_map) transform_.columns_forward(map_.spectrum.parts, block, down.count);
          if (new_templ) transform_.columns_forward(templ_.spectrum.parts, block, one.kh);
          add_product(block, r == 0);
          if (r + 1 == one.sums.size) transform_.columns_back(product_.parts, block);
        }
      }
      read_back(one, down, across);
    }
    write(one, bound / (kUneven * std::sqrt(double(rows_.size) * double(columns_.size))));
  }

  // Whether it was not there already.
  bool rows_forward(Laid& laid, const S* from, Strides by, int64_t rows, int64_t columns, bool turned) {
    if (laid.from == from && laid.rows == rows && laid.columns == columns) return false;
    laid.from = from, laid.rows = rows, laid.columns = columns;
    if (turned) from += (rows - 1) * by.row + (columns - 1) * by.column, by.row = -by.row, by.column = -by.column;
    laid.squares = transform_.rows_forward(from, by.row, by.column, rows, columns, laid.spectrum.parts);
    return true;
  }

  // map^ conj(template^), by 1 / (4 N M) since both are twice what they should be and the inverse is N M times that.
  void add_product(int64_t block, bool first) {
    const T scale = T(0.25 / (double(rows_.size) * double(columns_.size)));
    const auto [a_re, a_im] = map_.spectrum.parts;
    const auto [b_re, b_im] = templ_.spectrum.parts;
    const auto [re, im] = product_.parts;
    const int64_t begin = block * transform_.block_numbers(), end = begin + transform_.block_numbers();
    for (int64_t i = begin; i < end; i += kLanes) {
      const V a = take<kLanes>(a_re + i) * scale, b = take<kLanes>(a_im + i) * scale;
      const V c = take<kLanes>(b_re + i), d = take<kLanes>(b_im + i);
      const V real = a * c + b * d, imaginary = b * c - a * d;
      put<kLanes>(re + i, first ? real : take<kLanes>(re + i) + real);
      put<kLanes>(im + i, first ? imaginary : take<kLanes>(im + i) + imaginary);
    }
  }

  // The outputs that meet the map, to made_[y, x].  Those left of `shift` come from the circle's end.
  void read_back(const Problem& one, const Arc& down, const Arc& across) {
    const int64_t turn = std::clamp(across.shift, across.begin, across.end), w = one.w;
    transform_.rows_back(
        product_.parts, down.end - down.begin, [&](int64_t y) { return down.place(down.begin + y, rows_.size); },
        [&](const T* pixels, int64_t y, int64_t rows) {
          T* const to = made_ + (down.begin + y) * w;
          const auto columns = [&](int64_t begin, int64_t end) {
            const T* const from = pixels + across.place(begin, columns_.size) * kLanes;
            if (begin < end) scatter_pixels<T, kLanes>(from, rows, end - begin, to + begin, w, 1);
          };
          columns(across.begin, turn), columns(turn, across.end);
        });
  }

  // To where they belong; blocks whose root mean square is below `least`, or no number, are made by the kernels.
  void write(const Problem& one, double least) {
    const int64_t down = std::max<int64_t>(1, one.h / kBlock), across = std::max<int64_t>(1, one.w / kBlock);
    for (int64_t i = 0; i < down; ++i) {
      const int64_t y0 = i * one.h / down, y1 = (i + 1) * one.h / down;
      std::memset(squares_, 0, size_t(one.w) * sizeof(double));
      for (int64_t y = y0; y < y1; ++y) {
        const T* const from = made_ + y * one.w;
        for (int64_t x = 0; x < one.w; ++x) squares_[x] += double(from[x]) * double(from[x]);
        write_row(from, one.w, one.out + y * one.of_out.row, one.of_out.column);
      }
      int64_t begin = 0;  // of the blocks that are to be made again
      for (int64_t j = 0; j <= across; ++j) {
        const int64_t x0 = begin * one.w / across, x = j * one.w / across;
        if (j < across && !large(x, (j + 1) * one.w / across, y1 - y0, least)) continue;
        if (x0 < x) {
          const Problem again = range(one, y0, y1 - y0, x0, x - x0);
          ByPlane<S>(again).run(0, ByPlane<S>::tasks(again));
        }
        begin = j + 1;
      }
    }
  }
  bool large(int64_t begin, int64_t end, int64_t rows, double least) const {
    double sum = 0;
    for (int64_t x = begin; x < end; ++x) sum += squares_[x];
    const double mean = std::sqrt(sum / double(rows * (end - begin)));
    return mean > 0 && mean >= least && sum <= std::numeric_limits<double>::max();  // not so, too, if it is no number
  }

  const Problem& p_;
  const Cut rows_, columns_;
  const int64_t inner_;
  PlaneTransform<T> transform_;
  Laid map_, templ_;
  Spectrum<T> product_;
  Buffer<T> made_memory_;
  T* made_;  // outputs [y, x] of a range
  Buffer<double> square_memory_;
  double* squares_;  // of some rows of them, for each column
};

}  // namespace reidops::REIDOPS_ISA
