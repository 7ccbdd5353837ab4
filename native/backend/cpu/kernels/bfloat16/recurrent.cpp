// Recurrences with products of operands rounded to bfloat16, and with AMX those of float32, too: as in matmul.cpp.
#include "backend/cpu/kernels/recurrent_loops.h"

#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/kernels/bfloat16/pack.h"
#if defined(__AMX_BF16__)
#include "backend/cpu/kernels/bfloat16/tiles.h"
#else
#include "backend/cpu/kernels/bfloat16/dots.h"
#endif

namespace downhill::cpu::DH_ISA {
namespace {

constexpr int64_t kAligned = 16;  // floats of 64 bytes

/// b (k, n) in strips of columns. Memory: the strips, then the largest magnitude of each; of a chunk: the largest
/// magnitude of its operands, then a strip of 16 of their rows.
template <typename Operand>
struct Strips {
  static constexpr int64_t kParts = Operand::kParts;
  using Thread = Engine;
  int64_t k, n;
  float* at;

  int64_t depths() const { return ceil_div(k, kDepth); }
  int64_t strips() const { return ceil_div(n, kStrip); }
  size_t strip_bytes() const { return static_cast<size_t>(depths() * kParts * kPartBytes); }
  std::byte* strip(int64_t index) const {
    return reinterpret_cast<std::byte*>(at) + static_cast<size_t>(index) * strip_bytes();
  }
  uint32_t* magnitudes() const { return reinterpret_cast<uint32_t*>(strip(strips())); }
  int64_t floats() const { return strips() * static_cast<int64_t>(strip_bytes() / sizeof(float)) + strips(); }
  int64_t own_floats(int64_t) const { return kAligned + static_cast<int64_t>(strip_bytes() / sizeof(float)); }

  void fill(const float* b, bool transposed) const {
    const Source source = {b, transposed ? k : n, transposed, false};
    parallel_for(strips(), [&](int64_t index) {
      const int64_t column = index * kStrip;
      magnitudes()[index] =
          pack<Operand>(source, {column, smaller(column + kStrip, n)}, {0, k}, strip(index), strip_bytes());
    });
  }
  /// Before a chunk's first product.
  void begin(float* own) const { *magnitude(own) = 0; }

  /// c (rows, n) = a (rows, k) · b, plus bias; leading dimensions a_row and c_row.
  void multiply(const float* a, int64_t a_row, int64_t rows, float* c, int64_t c_row, const float* bias,
                float* own) const {
    uint32_t* const most = magnitude(own);
    std::byte* const packed = reinterpret_cast<std::byte*>(own + kAligned);
    for (int64_t row = 0; row < rows; row += kTile) {
      const int64_t height = smaller(kTile, rows - row);
      const uint32_t seen = pack<Operand>({a, a_row, true, true}, {row, row + height}, {0, k}, packed, strip_bytes());
      *most = *most > seen ? *most : seen;
      for (int64_t column = 0; column < n; column += kRowSums)
        multiply_block(packed, column, height, c + row * c_row + column, c_row, bias ? bias + column : nullptr);
    }
  }

  bool in_range(float* own) const {
    if constexpr (kParts == 1) return true;
    return are_in_range(largest(magnitudes(), strips()), *magnitude(own), k);
  }

 private:
  static uint32_t* magnitude(float* own) { return reinterpret_cast<uint32_t*>(own); }

  void multiply_block(const std::byte* a, int64_t column, int64_t height, float* c, int64_t c_row,
                      const float* bias) const {
    const int64_t cols = smaller(kRowSums, n - column);
    const int64_t piece = kParts == 1 ? depths() : ceil_div(depths(), ceil_div(depths(), kPiece));
    alignas(64) float sums[kTile * kRowSums];
    RowArgs args = {a, strip(column / kStrip), strip_bytes(), 0, sums};
    for (int64_t d = 0; d < depths(); d += piece) {
      args.depths = smaller(piece, depths() - d);
      switch (ceil_div(cols, kTile)) {
        case 1:
          multiply_row<kParts, 1>(args);
          break;
        case 2:
          multiply_row<kParts, 2>(args);
          break;
        case 3:
          multiply_row<kParts, 3>(args);
          break;
        default:
          multiply_row<kParts, 4>(args);
      }
      args.a += piece * kParts * kPartBytes, args.b += piece * kParts * kPartBytes;
      for (int64_t j = 0; j < cols; j += kWidth) {
        const int width = static_cast<int>(smaller(kWidth, cols - j));
        const Vec last = bias && d + piece >= depths() ? load_first(bias + j, width) : zero();
        for (int64_t i = 0; i < height; ++i) {
          float* const to = c + i * c_row + j;
          Vec sum = load(sums + i * kRowSums + j);
          if constexpr (kParts > 1) sum = _mm512_mul_ps(sum, _mm512_set1_ps(1 / (Operand::kScale * Operand::kScale)));
          if (d > 0) sum = add(load_first(to, width), sum);
          store_first(to, bias ? add(sum, last) : sum, width);
        }
      }
    }
  }
};

size_t rounded_scratch(const RecurrentArgs& args, bool backward) {
  return Layout<Strips<Rounded>>(args, backward).bytes();
}

template <bool kBackward>
void run_rounded(const RecurrentArgs& args) {
  run_loops<Strips<Rounded>, kBackward>(args);
}

#if defined(__AMX_BF16__)
/// Where chunks fill the rows of a tile, and three parts of the kernel stay in the second-level cache.
bool pays(const RecurrentArgs& args) { return args.n >= 64 && args.units >= 64 && args.units <= 256; }

size_t split_scratch(const RecurrentArgs& args, bool backward) {
  const size_t plain = avx512::recurrent_kernels.scratch_bytes(args, backward);
  if (!pays(args)) return plain;
  const size_t own = Layout<Strips<Split>>(args, backward).bytes();
  return own > plain ? own : plain;
}

template <bool kBackward>
void run_split(const RecurrentArgs& args) {
  if (pays(args) && run_loops<Strips<Split>, kBackward>(args)) return;
  (kBackward ? avx512::recurrent_kernels.backward : avx512::recurrent_kernels.forward)(args);
}
#endif

}  // namespace

#if defined(__AMX_BF16__)
extern const RecurrentKernels recurrent_kernels = {split_scratch, run_split<false>, run_split<true>};
#endif
extern const RecurrentKernels bfloat16_recurrent_kernels = {rounded_scratch, run_rounded<false>, run_rounded<true>};

}  // namespace downhill::cpu::DH_ISA
