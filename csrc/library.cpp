// library.cpp - every operator's schema: the table of contents.  Kernels register themselves, each beside its code.
#include <string>

#include <torch/csrc/stable/library.h>

#include "common/isa.h"

STABLE_TORCH_LIBRARY(reidops, m) {
  // The lasso of DSR, eq. 3, in Gram form: G dictionaries (gallery images) of M atoms, R columns (probe blocks).
  //   gram (G, M, M) = Y'Y, correlation (R, G, M) = Y'x, energy (R, G) = ||x||^2, and, for sums that must not cancel,
  //   columns (R, G, d) and atoms (G, M, d), at any strides, also in a half type;
  //   error (R, G) = ||x - Yw||^2, gap (R, G) relative, coefficients (R, G, M), or (0,) when not asked for.
  //   index (P, G), on a CPU: the R columns are those of P probes, and those of probe p meet, as number g, dictionary
  //   index[p, g] of gram (D, M, M) and atoms (D, M, d).
  //   solver: an index into SOLVERS of reidops/_ops/sparse_reconstruct_gram.py.
  m.def(
      "sparse_reconstruct_gram(Tensor gram, Tensor correlation, Tensor energy, Tensor? columns, Tensor? atoms, "
      "float beta, float tolerance, int max_iterations, int solver, bool return_coefficients, Tensor? index=None) "
      "-> (Tensor error, Tensor gap, Tensor coefficients)");

  // One-to-many affine sampling (STNReID, eq. 1): input (*B, C, H, W), theta (*B, 2, 3) -> (*B, C, h, w), the batch
  // dimensions broadcast.  mode, padding_mode: indices into MODES and PADDING_MODES of reidops/_ops/affine_sample.py.
  m.def(
      "affine_sample(Tensor input, Tensor theta, SymInt h, SymInt w, int mode, int padding_mode, bool align_corners) "
      "-> Tensor");
  // Its gradients: of input, and of theta for each sample, (*B, 2, 3); (0,) where not wanted.
  m.def(
      "affine_sample_backward(Tensor grad, Tensor input, Tensor theta, int mode, int padding_mode, bool align_corners, "
      "bool of_input, bool of_theta) -> (Tensor grad_input, Tensor grad_theta)");

  // Depthwise cross-correlation (CSN, eq. 2): search (*B, C, H, W), template (*B, C, kh, kw) -> (*batch, C, h, w).  The
  // batch dimensions broadcast and are summed down to `batch`; the template is turned by 180 degrees where `turned`.
  // Output pixel (y, x) has the template's first element over pixel (y - top, x - left).
  m.def(
      "depthwise_xcorr(Tensor search, Tensor template, SymInt top, SymInt left, SymInt h, SymInt w, bool turned, "
      "SymInt[] batch) -> Tensor");

  // The same, pooled and projected, which is a 1x1 convolution: search (*B, C, H, W), template (*B, T, C, kh, kw), weight
  // (O, T, C) -> (*batch, O, h, w), or half as high and wide, rounded up, where 2x2 max-pooling comes between.  `batch`
  // is the broadcast one.
  m.def(
      "projected_xcorr(Tensor search, Tensor template, Tensor weight, SymInt top, SymInt left, SymInt h, SymInt w, "
      "bool pooled, SymInt[] batch) -> Tensor");

  // Products over channels, DSR's correlations: left (P, C, N), right (G, C, M) -> (P, N, G, M), or, where `index` (P, K)
  // names the partners of each left map, (P, N, K, M); float32 for float16 and bfloat16.  A value has the same bits
  // whatever is made beside it.
  m.def("channel_product(Tensor left, Tensor right, Tensor? index) -> Tensor");
  // Of every map with itself: (G, C, M) -> (G, M, M), symmetric, the bits of channel_product.
  m.def("channel_gram(Tensor maps) -> Tensor");
  // Sums of maps' locations by weights that are mostly zeros, which is a product's gradient: weights (A, I, B, J), maps
  // (B, C, J) -> (A, C, I).
  m.def("sparse_sums(Tensor weights, Tensor maps) -> Tensor");

  // The CPU instruction set in use: baseline, avx2, avx512 or amx.
  m.def("cpu_isa() -> str");
}

namespace {
std::string cpu_isa_name() { return reidops::cpu_isa_name(); }
}  // namespace

STABLE_TORCH_LIBRARY_IMPL(reidops, CompositeExplicitAutograd, m) { m.impl("cpu_isa", TORCH_BOX(&cpu_isa_name)); }
