// Operands in bfloat16, packed as the tile registers of AMX want them: strips of 32 rows of a or columns of b, in each
// depth after depth of k, in it part after part, in it two tiles. A tile has 16 rows of 64 bytes: of a, a row and 32 of
// k; of b, a pair of k and 16 columns.
#pragma once
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kTile = 16;                   // rows of a, or columns of b
constexpr int64_t kDepth = 32;                  // of k
constexpr int64_t kTileBytes = 1024;            // kTile x kDepth
constexpr int64_t kStrip = 2 * kTile;           // rows of a, or columns of b, that are packed side by side
constexpr int64_t kPiece = 16;                  // depths whose sums are added up in the tiles, of split operands
constexpr int64_t kPartBytes = 2 * kTileBytes;  // of a strip, a depth and a part of the operand

/// c = or += a · b, of two strips.
struct StripArgs {
  const std::byte *a, *b;
  int64_t depths;
  float* c;  // written to whole tiles
  int64_t ldc;
  bool accumulate;     // c holds the sum so far
  const float* ahead;  // (32, 32), the first rows of it: fetched meanwhile, since it is written next
  int64_t ahead_ld, ahead_rows;
};

constexpr int64_t kPair = kStrip * kStrip;  // sums of two strips

/// Sums of two strips, rows kStrip apart: to += from.
DH_HOST_DEVICE void add_pair(const float* from, float* to, int64_t rows, int64_t cols) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t at = row * kStrip; at < row * kStrip + cols; at += kTile)
      _mm512_storeu_ps(to + at, _mm512_add_ps(_mm512_loadu_ps(to + at), _mm512_loadu_ps(from + at)));
}

/// 16 rows of a by some tiles' columns of b: sums (16, kRowSums) of which the first columns are written.
struct RowArgs {
  const std::byte *a, *b;  // the first tile of a's strip; b's first strip, the next ones b_strip apart
  size_t b_strip;
  int64_t depths;
  float* sums;
};
constexpr int64_t kRowSums = 4 * kTile;

/// Fetches what is written next, some rows at each depth.
class Ahead {
 public:
  explicit Ahead(const StripArgs& args)
      : next_(args.ahead), left_(args.ahead_rows), step_((left_ + args.depths - 1) / args.depths), ld_(args.ahead_ld) {}
  DH_HOST_DEVICE void fetch() {
    for (int64_t i = step_; i > 0 && left_ > 0; --i, --left_, next_ += ld_) {
      __builtin_prefetch(next_, 1);
      __builtin_prefetch(next_ + kTile, 1);
      __builtin_prefetch(next_ + kStrip - 1, 1);
    }
  }

 private:
  const float* next_;
  int64_t left_;
  const int64_t step_, ld_;
};

}  // namespace
}  // namespace downhill::cpu::DH_ISA
