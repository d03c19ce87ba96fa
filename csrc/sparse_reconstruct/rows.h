// rows.h - the data as they were given, the columns X and the atoms Y, as rows of T side by side.
//
// Few columns ask for them, and few dictionaries.  So they may be given at any strides and in a half type, and a row
// that does not lie in memory as it is wanted is laid out when it is asked for.
#pragma once

#include "../common/half.h"
#include "../common/lanes.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

using sparse_reconstruct::Problem;
using sparse_reconstruct::Storage;

template <class T>
class Rows {
 public:
  explicit Rows(const Problem<T>& problem) : p_(problem) {}

  bool at_hand() const { return p_.atoms != nullptr; }

  // x of column r, for dictionary g of the table; it stays until the next call.
  const T* column(int64_t r, int64_t g) {
    const int64_t start = r * p_.columns_stride[0] + g * p_.columns_stride[1];
    if (as_it_is(p_.columns_storage, p_.columns_stride[2])) return static_cast<const T*>(p_.columns) + start;
    T* row = column_.reserve(p_.d);
    lay_out(p_.columns, p_.columns_storage, start, 1, 0, p_.columns_stride[2], row);
    return row;
  }

  // The atoms y of dictionary `number`, `atom_stride` apart; they stay until another dictionary is asked for.
  const T* atoms(int64_t number) {
    const int64_t start = number * p_.atoms_stride[0];
    if (atoms_as_they_are()) return static_cast<const T*>(p_.atoms) + start;
    if (number != laid_out_) {
      T* rows = atoms_.reserve(p_.M * p_.d);
      lay_out(p_.atoms, p_.atoms_storage, start, p_.M, p_.atoms_stride[1], p_.atoms_stride[2], rows);
      laid_out_ = number;
    }
    return atoms_.get();
  }
  int64_t atom_stride() const { return atoms_as_they_are() ? p_.atoms_stride[1] : p_.d; }

 private:
  bool atoms_as_they_are() const { return as_it_is(p_.atoms_storage, p_.atoms_stride[2]); }
  bool as_it_is(Storage storage, int64_t stride) const {
    return storage == Storage::kSame && (stride == 1 || p_.d == 1);
  }

  void lay_out(const void* from, Storage storage, int64_t start, int64_t rows, int64_t of_row, int64_t of_channel,
               T* to) const {
    if (storage == Storage::kHalf) copy(static_cast<const Half*>(from) + start, rows, of_row, of_channel, to);
    else if (storage == Storage::kBFloat16)
      copy(static_cast<const BFloat16*>(from) + start, rows, of_row, of_channel, to);
    else copy(static_cast<const T*>(from) + start, rows, of_row, of_channel, to);
  }
  // to[j, i] = from[j, i]: `rows` times d elements are read where the strides say, and written one after another.
  template <class S>
  void copy(const S* from, int64_t rows, int64_t of_row, int64_t of_channel, T* to) const {
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t i = 0; i < p_.d; ++i) to[j * p_.d + i] = T(widen(from[j * of_row + i * of_channel]));
  }

  const Problem<T>& p_;
  Buffer<T> column_, atoms_;
  int64_t laid_out_ = -1;
};

}  // namespace reidops::REIDOPS_ISA
