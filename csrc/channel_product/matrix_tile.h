// matrix_tile.h - bfloat16 products in the matrix unit (AMX): tiles of 16 rows of 64 bytes, and how maps are made such.
//
//     left tile    row n: 32 channels of location n
//     right tile   row k: channels 2k and 2k + 1 of 16 locations, in pairs
//     sums         row n: 16 locations m;  sums[n][m] += sum of 32 products, in float32, in an order of the unit's own
//
// which is the same for every place of a tile.  The unit takes subnormal numbers for zero.
#pragma once

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

constexpr int64_t kTileSide = 16;      // rows of a tile, and 32-bit numbers of a row
constexpr int64_t kTileChannels = 32;  // of a product
constexpr int64_t kTileBytes = 1024;

// A tile as 16 registers of pairs of channels.
typedef uint32_t PairRow __attribute__((vector_size(64)));
typedef uint16_t HalfRow __attribute__((vector_size(32)));

// The first `count` of 16 numbers side by side, the rest zero.
REIDOPS_INLINE PairRow read_halves(const BFloat16* from, int64_t count) {
  const auto lanes = __mmask16(count >= kTileSide ? 0xffffu : (1u << count) - 1);
  return __builtin_convertvector(HalfRow(_mm256_maskz_loadu_epi16(lanes, from)), PairRow);
}
REIDOPS_INLINE PairRow read_pairs(const BFloat16* from, int64_t count) {
  const auto lanes = __mmask32(count >= kTileChannels ? 0xffffffffu : (1u << count) - 1);
  return PairRow(_mm512_maskz_loadu_epi16(lanes, from));
}

REIDOPS_INLINE void turn_pairs(PairRow (&rows)[kTileSide]) {
  Run<float> v[kTileSide];
  for (int i = 0; i < kTileSide; ++i) v[i] = Run<float>(rows[i]);
  planes_to_pixels<float, kTileSide>(v);
  for (int i = 0; i < kTileSide; ++i) rows[i] = PairRow(v[i]);
}

// One tile of `channels` channels, up to 32, of `count` locations, up to 16; the rest is zero.
template <bool kLeft>
void lay_out_tile(const channel_product::Side<BFloat16>& side, const BFloat16* from, int64_t channels, int64_t count,
                  uint32_t* to) {
  PairRow rows[kTileSide];
  const bool planar = side.location == 1, turned = !planar && side.channel == 1;
  if (planar) {
    for (int64_t k = 0; k < kTileSide; ++k) {
      const BFloat16* const pair = from + 2 * k * side.channel;
      const PairRow even = 2 * k < channels ? read_halves(pair, count) : PairRow{};
      const PairRow odd = 2 * k + 1 < channels ? read_halves(pair + side.channel, count) : PairRow{};
      rows[k] = even | odd << 16;
    }
  } else if (turned) {
    for (int64_t i = 0; i < kTileSide; ++i)
      rows[i] = i < count ? read_pairs(from + i * side.location, channels) : PairRow{};
  } else {
    uint16_t values[kTileSide][kTileChannels] = {};
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < channels; ++c) values[i][c] = from[i * side.location + c * side.channel].bits;
    std::memcpy(rows, values, sizeof rows);
  }
  if (planar == kLeft) turn_pairs(rows);  // pairs by locations, or the other way round
  for (int64_t i = 0; i < kTileSide; ++i) std::memcpy(to + i * kTileSide, &rows[i], sizeof rows[i]);
}

// The unit's registers, set up and given back: eight tiles of 16 rows of 64 bytes.
class MatrixUnit {
 public:
  MatrixUnit() {
    struct alignas(64) {
      uint8_t palette, start_row, reserved[14];
      uint16_t row_bytes[16];
      uint8_t rows[16];
    } shape = {};
    shape.palette = 1;
    for (int i = 0; i < 8; ++i) shape.row_bytes[i] = 64, shape.rows[i] = kTileSide;
    _tile_loadconfig(&shape);
  }
  ~MatrixUnit() { _tile_release(); }
  MatrixUnit(const MatrixUnit&) = delete;
  MatrixUnit& operator=(const MatrixUnit&) = delete;
};

// sums (32 x 32, contiguous) = or += left right, for `steps` times 32 channels: two tiles of each side, one after another.
REIDOPS_INLINE void multiply_tiles(const uint32_t* left, const uint32_t* right, int64_t steps, bool first, float* sums) {
  constexpr int64_t kRow = 2 * kTileSide * sizeof(float), kTile = kTileBytes / sizeof(uint32_t);
  float* const below = sums + kTileSide * 2 * kTileSide;
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kRow);
    _tile_loadd(1, sums + kTileSide, kRow);
    _tile_loadd(2, below, kRow);
    _tile_loadd(3, below + kTileSide, kRow);
  }
  for (int64_t i = 0; i < steps; ++i, left += 2 * kTile, right += 2 * kTile) {
    _tile_loadd(4, left, 64);
    _tile_loadd(6, right, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right + kTile, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, left + kTile, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, kRow);
  _tile_stored(1, sums + kTileSide, kRow);
  _tile_stored(2, below, kRow);
  _tile_stored(3, below + kTileSide, kRow);
}

}  // namespace reidops::REIDOPS_ISA
