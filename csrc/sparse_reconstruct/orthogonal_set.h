// orthogonal_set.h - an active set over the data themselves: Y_A = QR, for dictionaries whose Gram matrix has lost
// them.
//
// G_AA = R'R has the square of R's condition.  With R the optimum of a set A with signs s is reached by corrections
//
//     R d = Q'rho - t R^-T s,    rho = x - Y_A w  (twice the digits of double),
//
// which is right as long as the atoms differ by more than the rounding of their data.  Atoms join by Gram-Schmidt, done
// twice, and leave by rotations.  It costs a few times as much as the Gram form, and few columns need it.
#pragma once

#include <cmath>

#include "data.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class OrthogonalSet {
  static constexpr int64_t kCapacity = 1024;
  static constexpr double kFloor = 1e-12;  // an atom no further than this from the others' span repeats them

 public:
  // Takes the atoms whose weight is not zero, as many as do not repeat others.
  void start(const Data<T>& data, const double* weight, double t) {
    data_ = data;
    t_ = t;
    const int64_t least = data.M < data.d ? data.M : data.d;
    capacity_ = least < kCapacity ? least : kCapacity;
    q_ = orthogonal_.reserve(data.d * capacity_);
    r_ = triangle_.reserve(capacity_ * capacity_);
    weight_ = vectors_.reserve(4 * capacity_ + data.d);
    sign_ = weight_ + capacity_;
    update_ = sign_ + capacity_;
    right_ = update_ + capacity_;
    atom_ = right_ + capacity_;
    index_ = indices_.reserve(capacity_);
    state_ = states_.reserve(data.M);
    for (int64_t j = 0; j < data.M; ++j) state_[j] = kFree;
    size_ = 0;
    for (int64_t j = 0; j < data.M; ++j)
      if (weight[j] != 0 && size_ < kCapacity) take(j, weight[j]);
  }

  // Goes to the optimum of the set with its signs, through as many changes of sign as there are on the way.
  void settle() {
    for (;;) {
      correct();
      double reach = 1;
      int64_t leaver = -1;
      for (int64_t p = 0; p < size_; ++p) {
        if (!((weight_[p] + update_[p]) * sign_[p] < 0)) continue;
        const double until = -weight_[p] / update_[p];
        if (leaver < 0 || until < reach) reach = until, leaver = p;
      }
      for (int64_t p = 0; p < size_; ++p) weight_[p] += reach * update_[p];
      if (leaver < 0) return;
      leave(leaver);
    }
  }

  // The atom outside the set that violates its condition most, -1 where none does.
  int64_t worst(const double* r) const {
    int64_t found = -1;
    double most = t_;
    for (int64_t j = 0; j < data_.M; ++j) {
      const double size = r[j] < 0 ? -r[j] : r[j];
      if (state_[j] == kFree && size > most) most = size, found = j;
    }
    return found;
  }

  // The atom joins.  One in the span of the others takes the place of the first of them whose weight becomes zero when
  // the reconstruction is held; where none does, it is passed over until `reconsider`.
  void join(int64_t j, double sign) {
    double start = 0;
    for (;;) {
      if (project(j)) break;
      solve_upper(right_, update_);
      const int64_t leaver = size_ == kCapacity ? -1 : slide(sign, start);  // with so many it need not be in the span
      if (leaver < 0) {
        state_[j] = kPassedOver;
        return;
      }
      leave(leaver);
    }
    grow(j, start, sign);
  }

  void reconsider() {
    for (int64_t j = 0; j < data_.M; ++j)
      if (state_[j] == kPassedOver) state_[j] = kFree;
  }

  void scatter(double* weight) const {
    for (int64_t j = 0; j < data_.M; ++j) weight[j] = 0;
    for (int64_t p = 0; p < size_; ++p) weight[index_[p]] = weight_[p];
  }

 private:
  enum State : int8_t { kFree, kMember, kPassedOver };

  double* column(int64_t p) { return q_ + p * data_.d; }
  double* triangle(int64_t p) { return r_ + p * capacity_; }  // column p of R

  // Atom j joins with its weight.  While it repeats others, weights move along (-u, 1), y_j = Y_A u, in the direction
  // in which |w|_1 does not grow, until one of them is zero: so the objective does not grow either.
  void take(int64_t j, double w) {
    const double own = w < 0 ? -1 : 1;
    while (!project(j)) {
      solve_upper(right_, update_);
      const double towards = own - dot(sign_, update_, size_) > 0 ? -1 : 1;
      double reach = towards * own < 0 ? w * own : 0;
      int64_t leaver = -1;
      bool limited = towards * own < 0;  // by w itself
      for (int64_t p = 0; p < size_; ++p) {
        const double speed = -update_[p] * towards;
        if (!(speed * sign_[p] < 0)) continue;
        const double until = -weight_[p] / speed;
        if (!limited || until < reach) reach = until, leaver = p, limited = true;
      }
      for (int64_t p = 0; p < size_; ++p) weight_[p] -= update_[p] * towards * reach;
      w += towards * reach;
      if (leaver < 0) return;
      leave(leaver);
    }
    grow(j, w, own);
  }

  // y_j = Q right + rest into right_ and atom_; returns ||rest||.
  double project_only(int64_t j) {
    data_.load_atom(j, atom_);
    for (int64_t p = 0; p < size_; ++p) right_[p] = 0;
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t p = 0; p < size_; ++p) {
        const double* q = column(p);
        const double along = dot(q, atom_, data_.d);
        for (int64_t i = 0; i < data_.d; ++i) atom_[i] -= along * q[i];
        right_[p] += along;
      }
    return std::sqrt(dot(atom_, atom_, data_.d));
  }

  // The same, and the next columns of Q and R, unless the atom repeats others, as every one does where the set is full.
  bool project(int64_t j) {
    const double rest = project_only(j);
    const double length = std::sqrt(dot(right_, right_, size_) + rest * rest);
    if (size_ == capacity_ || !(rest > kFloor * length)) return false;
    double *q = column(size_), *r = triangle(size_);
    for (int64_t i = 0; i < data_.d; ++i) q[i] = atom_[i] / rest;
    for (int64_t p = 0; p < size_; ++p) r[p] = right_[p];
    r[size_] = rest;
    return true;
  }

  void grow(int64_t j, double weight, double sign) {
    index_[size_] = j;
    weight_[size_] = weight;
    sign_[size_++] = sign;
    state_[j] = kMember;
  }

  // Column p leaves R; rotations of neighbouring rows make the rest triangular again.
  void leave(int64_t p) {
    state_[index_[p]] = kFree;
    --size_;
    for (int64_t k = p; k < size_; ++k) {
      double *to = triangle(k), *from = triangle(k + 1);
      for (int64_t i = 0; i <= k + 1; ++i) to[i] = from[i];
      index_[k] = index_[k + 1], weight_[k] = weight_[k + 1], sign_[k] = sign_[k + 1];
    }
    for (int64_t k = p; k < size_; ++k) {
      const double a = triangle(k)[k], b = triangle(k)[k + 1], length = std::hypot(a, b);
      if (!(length > 0)) continue;
      const double cosine = a / length, sine = b / length;
      for (int64_t c = k; c < size_; ++c) {
        double* r = triangle(c);
        const double upper = r[k], lower = r[k + 1];
        r[k] = cosine * upper + sine * lower;
        r[k + 1] = cosine * lower - sine * upper;
      }
      double *q = column(k), *next = column(k + 1);
      for (int64_t i = 0; i < data_.d; ++i) {
        const double first = q[i], second = next[i];
        q[i] = cosine * first + sine * second;
        next[i] = cosine * second - sine * first;
      }
    }
  }

  // update = d of the equation above.
  void correct() {
    residual_.start(data_, /*twice=*/true);
    for (int64_t p = 0; p < size_; ++p) residual_.subtract(index_[p], weight_[p]);
    const double* rho = residual_.finish();
    for (int64_t p = 0; p < size_; ++p) {  // R'z = s, z in update_
      const double* r = triangle(p);
      update_[p] = (sign_[p] - dot(r, update_, p)) / r[p];
    }
    for (int64_t p = 0; p < size_; ++p) right_[p] = dot(column(p), rho, data_.d) - t_ * update_[p];
    solve_upper(right_, update_);
  }

  // out = R^-1 in; `in` is used up.
  void solve_upper(double* in, double* out) {
    for (int64_t p = size_ - 1; p >= 0; --p) {
      const double* r = triangle(p);
      out[p] = in[p] / r[p];
      for (int64_t i = 0; i < p; ++i) in[i] -= r[i] * out[p];
    }
  }

  // As ActiveSet::slide: w_A moves along -u sign, u in update_, as far as no weight changes sign.
  int64_t slide(double sign, double& start) {
    double reach = 0;
    int64_t leaver = -1;
    for (int64_t p = 0; p < size_; ++p) {
      const double speed = -update_[p] * sign;
      if (!(speed * sign_[p] < 0)) continue;
      const double until = -weight_[p] / speed;
      if (leaver < 0 || until < reach) reach = until, leaver = p;
    }
    if (leaver < 0) return -1;
    for (int64_t p = 0; p < size_; ++p) weight_[p] -= update_[p] * sign * reach;
    start += sign * reach;
    return leaver;
  }

  Data<T> data_;
  DataResidual<T> residual_;
  Buffer<double> orthogonal_, triangle_, vectors_;
  Buffer<int64_t> indices_;
  Buffer<int8_t> states_;
  double *q_ = nullptr, *r_ = nullptr, *weight_ = nullptr, *sign_ = nullptr, *update_ = nullptr, *right_ = nullptr,
         *atom_ = nullptr;
  int64_t* index_ = nullptr;
  int8_t* state_ = nullptr;
  double t_ = 0;
  int64_t capacity_ = 0, size_ = 0;
};

}  // namespace reidops::REIDOPS_ISA
