// by_fft.h - large templates by fast Fourier transforms: torch's, of one channel at a time.
//
// The correlation theorem: with both sides padded by zeros to N x M, the circular correlation is
//
//     c[q] = sum over i of template[i] map[(q + i) mod N] = inverse(map^ conj(template^)),
//
// and c[q mod N] is the output that lies at q wherever no other q' = q (mod N) meets the map.  Products are summed
// before the inverse.
//
// An FFT's error is spread evenly: it is a few epsilons of the root mean square of all of c, however small the outputs
// of some corner are.  So the mean square of every block of outputs is compared with that of c.  Where one is too small
// the channel is made again in double, or by the kernels, whose error is relative to what each output adds up.  They
// make what is not finite, too, which an FFT would spread over the whole map.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "operands.h"

namespace reidops::depthwise_xcorr {

constexpr int64_t kMostOfAnFft = 1 << 22;  // elements: 32 MiB for each plane that a thread holds
constexpr int64_t kMostOfASide = 1 << 16;

// The least product of 2, 3 and 5 that is no smaller than n.
inline int64_t fast_size(int64_t n) {
  for (;; ++n) {
    int64_t rest = n;
    for (const int64_t factor : {2, 3, 5})
      while (rest % factor == 0) rest /= factor;
    if (rest == 1) return n;
  }
}

// Rows or columns.  Output y is element q = y - shift of the correlation with elements [first, first + count) of the
// map, which is zero but for -(k - 1) <= q < count: for y in [begin, end).
struct Side {
  int64_t first = 0, count = 0, shift = 0, begin = 0, end = 0, size = 0;
  double products = 0;  // pairs of an output and a tap whose pixel lies in the map

  Side(int64_t map, int64_t k, int64_t out, int64_t before) {
    if (std::max({map, k, out, std::abs(before)}) > kMostOfASide) return;
    first = std::clamp<int64_t>(-before, 0, map);
    count = std::clamp<int64_t>(out - before + k - 1, first, map) - first;
    shift = before + first;
    begin = std::clamp<int64_t>(shift - k + 1, 0, out);
    end = std::clamp<int64_t>(shift + count, begin, out);
    for (int64_t y = begin; y < end; ++y) products += double(std::min(k, count - y + shift) - std::max<int64_t>(0, shift - y));
    if (begin == end) return;
    // q + size lies beyond the map for the first q, and q - size before -(k - 1) for the last.
    size = fast_size(std::max({count, k, count - (begin - shift), end - 1 - shift + k}));
  }
  // Where output y in [begin, end) lies, of `size` elements in a circle.
  int64_t place(int64_t y) const { return y < shift ? y - shift + size : y - shift; }
};

struct Transforms {
  Side rows, columns;
  template <class S>
  explicit Transforms(const Problem<S>& p) : rows(p.H, p.kh, p.h, p.top), columns(p.W, p.kw, p.w, p.left) {}

  // From sizes alone.  An FFT of n elements takes about as long as 12 n log2(n) multiplications and additions of the
  // kernels, and a sum of R products takes 2 R + 1.
  bool pay(int64_t sums) const {
    const double n = double(rows.size) * double(columns.size);
    if (sums < 1 || n < 1 || n > double(kMostOfAnFft)) return false;
    return 12 * n * std::log2(n) * double(2 * sums + 1) < rows.products * columns.products * double(sums);
  }
};

// In F, float or double; a block of outputs may have 1 / kUneven of the root mean square of all.
template <class S, class F>
class ByFft {
  using T = typename Problem<S>::T;
  static constexpr double kUneven = sizeof(F) == sizeof(T) ? 16 : 1 << 24;
  static constexpr int64_t kBlock = 16;  // rows and columns of a block, or a little more

 public:
  // `like`: a tensor on the CPU.
  ByFft(const Problem<S>& p, const Transforms& transforms, const Tensor& like)
      : p_(p), rows_(transforms.rows), columns_(transforms.columns), like_(like) {}

  // Whether the outputs of one channel, which are made here, are as good as the kernels'.
  bool make(const Problem<S>& one) {
    for (int64_t r = 0; r < one.sums.size; ++r) {
      const Place place = one.sums.at(r, {});
      lay_out(map_, one.search + place.search, one.of_search, rows_.first, rows_.count, columns_.first, columns_.count,
              false);
      lay_out(templ_, one.templ + place.templ, one.of_template, 0, one.kh, 0, one.kw, one.turned);
      if (!map_.finite || !templ_.finite) return false;
      add_product(r == 0);
    }
    const Tensor circular = inverse(product_);
    return write(static_cast<const F*>(circular.const_data_ptr()), one);
  }

 private:
  struct Laid {
    Tensor plane, spectrum;
    const S* from = nullptr;
    bool finite = false;
  };

  // Some rows and columns into the corner of a plane that is zero elsewhere; they are the same ones every time.
  void lay_out(Laid& laid, const S* from, const Strides& by, int64_t y, int64_t rows, int64_t x, int64_t columns,
               bool turned) const {
    if (laid.from == from) return;
    if (!laid.plane.defined()) {
      constexpr auto kType = sizeof(F) == 4 ? ScalarType::Float : ScalarType::Double;
      laid.plane = torch::stable::new_empty(like_, std::vector<int64_t>{rows_.size, columns_.size}, kType);
      std::memset(laid.plane.mutable_data_ptr(), 0, size_t(rows_.size * columns_.size) * sizeof(F));
    }
    laid.from = from, laid.finite = true;
    F* const plane = static_cast<F*>(laid.plane.mutable_data_ptr());
    for (int64_t i = 0; i < rows; ++i) {
      const S* const row = from + (y + i) * by.row + x * by.column;
      F* const to = plane + (turned ? rows - 1 - i : i) * columns_.size;
      if (turned)
        for (int64_t j = 0; j < columns; ++j) to[columns - 1 - j] = F(widen(row[j * by.column]));
      else if (by.column == 1)
        for (int64_t j = 0; j < columns; ++j) to[j] = F(widen(row[j]));
      else
        for (int64_t j = 0; j < columns; ++j) to[j] = F(widen(row[j * by.column]));
      int infinite = 0;
      for (int64_t j = 0; j < columns; ++j) infinite |= !(std::abs(to[j]) <= std::numeric_limits<F>::max());
      laid.finite &= !infinite;
    }
    if (laid.finite) laid.spectrum = forward(laid.plane);
  }

  // map^ conj(template^)
  void add_product(bool first) {
    if (!product_.defined()) product_ = torch::stable::new_empty(map_.spectrum, map_.spectrum.sizes());
    const F* const a = static_cast<const F*>(map_.spectrum.const_data_ptr());
    const F* const b = static_cast<const F*>(templ_.spectrum.const_data_ptr());
    F* const to = static_cast<F*>(product_.mutable_data_ptr());
    const int64_t count = rows_.size * (columns_.size / 2 + 1);
    for (int64_t i = 0; i < 2 * count; i += 2) {
      const F real = a[i] * b[i] + a[i + 1] * b[i + 1], imaginary = a[i + 1] * b[i] - a[i] * b[i + 1];
      to[i] = first ? real : to[i] + real;
      to[i + 1] = first ? imaginary : to[i + 1] + imaginary;
    }
  }

  // Row y of the outputs lies in row (y - shift) mod size; outputs beyond [begin, end) meet no pixel.
  bool write(const F* circular, const Problem<S>& one) {
    const double least = mean_square(circular) / (kUneven * kUneven);
    const int64_t inside = columns_.end - columns_.begin, down = std::max<int64_t>(1, (rows_.end - rows_.begin) / kBlock);
    bool even = true;
    for (int64_t part = 0; part < down; ++part) {
      const int64_t begin = rows_.begin + part * (rows_.end - rows_.begin) / down;
      const int64_t end = rows_.begin + (part + 1) * (rows_.end - rows_.begin) / down;
      squares_.assign(size_t(inside), 0);
      for (int64_t y = begin; y < end; ++y) {
        const F* const row = circular + columns_.size * rows_.place(y);
        const int64_t wrapped = std::clamp(columns_.shift, columns_.begin, columns_.end);  // outputs before it, to the left
        write_run(row + columns_.place(columns_.begin), one.out + y * one.of_out.row, columns_.begin, wrapped, one.of_out.column);
        write_run(row + columns_.place(wrapped), one.out + y * one.of_out.row, wrapped, columns_.end, one.of_out.column);
      }
      const int64_t across = std::max<int64_t>(1, inside / kBlock);
      for (int64_t block = 0; block < across; ++block) {
        const int64_t from = block * inside / across, to = (block + 1) * inside / across;
        double sum = 0;
        for (int64_t x = from; x < to; ++x) sum += squares_[size_t(x)];
        even &= sum >= least * double((end - begin) * (to - from));  // not so, too, if it is NaN
      }
    }
    for (int64_t y = 0; y < one.h; ++y)
      for (int64_t x = 0; x < one.w; ++x) {
        const bool met = rows_.begin <= y && y < rows_.end;
        if (met && x == columns_.begin) x = columns_.end;
        if (x < one.w) narrow(T(0), one.out[y * one.of_out.row + x * one.of_out.column]);
      }
    return even;
  }
  void write_run(const F* from, S* to, int64_t begin, int64_t end, int64_t stride) {
    double* const squares = squares_.data() + (begin - columns_.begin);
    for (int64_t i = 0; i < end - begin; ++i) squares[i] += double(from[i]) * double(from[i]);
    if (stride == 1)
      for (int64_t i = 0; i < end - begin; ++i) narrow(T(from[i]), to[begin + i]);
    else
      for (int64_t i = 0; i < end - begin; ++i) narrow(T(from[i]), to[(begin + i) * stride]);
  }
  double mean_square(const F* circular) {
    squares_.assign(size_t(columns_.size), 0);
    for (int64_t y = 0; y < rows_.size; ++y, circular += columns_.size)
      for (int64_t x = 0; x < columns_.size; ++x) squares_[size_t(x)] += double(circular[x]) * double(circular[x]);
    double sum = 0;
    for (const double square : squares_) sum += square;
    return sum / (double(rows_.size) * double(columns_.size));
  }

  static constexpr int64_t kNone = 0, kByCount = 2;  // ATen's fft_norm_mode

  // Over both dimensions; half of the columns of a spectrum say all.
  static Tensor forward(const Tensor& plane) {
    using torch::stable::detail::from, torch::stable::detail::to;
    std::array<StableIValue, 4> stack{from(plane), from(std::vector<int64_t>{0, 1}), from(kNone), from(true)};
    STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::_fft_r2c", "", stack.data(), TORCH_ABI_VERSION));
    return torch::stable::contiguous(to<Tensor>(stack[0]));
  }
  Tensor inverse(const Tensor& spectrum) const {
    using torch::stable::detail::from, torch::stable::detail::to;
    std::array<StableIValue, 4> stack{from(spectrum), from(std::vector<int64_t>{0, 1}), from(kByCount),
                                      from(columns_.size)};
    STABLE_TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::_fft_c2r", "", stack.data(), TORCH_ABI_VERSION));
    return torch::stable::contiguous(to<Tensor>(stack[0]));
  }

  const Problem<S>& p_;
  const Side rows_, columns_;
  const Tensor& like_;
  Laid map_, templ_;
  Tensor product_;
  std::vector<double> squares_;
};

// Tasks [begin, end) of `outputs.size * C`, ordered as in by_plane.h.  `direct(problem)` makes one that no FFT can.
template <class S, class Direct>
void run_by_fft(const Problem<S>& p, const Transforms& transforms, const Tensor& like, int64_t begin, int64_t end,
                const Direct& direct) {
  using T = typename Problem<S>::T;
  ByFft<S, T> same(p, transforms, like);
  ByFft<S, double> in_double(p, transforms, like);
  const int64_t inner = p.outputs.dims == 0 ? 1 : p.outputs.extent[p.outputs.dims - 1];
  for (int64_t task = begin; task < end; ++task) {
    const int64_t channel = task / inner % p.C, outer = task / inner / p.C;
    const Place output = p.outputs.at(outer * inner + task % inner, {});
    Problem<S> one = p;
    one.outputs = {}, one.C = 1;
    one.search += output.search + channel * p.of_search.channel;
    one.templ += output.templ + channel * p.of_template.channel;
    one.out += output.out + channel * p.of_out.channel;
    if (same.make(one)) continue;
    if (sizeof(T) == 4 && in_double.make(one)) continue;
    direct(one);
  }
}

}  // namespace reidops::depthwise_xcorr
