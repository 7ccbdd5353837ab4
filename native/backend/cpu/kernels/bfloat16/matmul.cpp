// Matrix products of operands rounded to bfloat16, and with AMX those of float32, too: each split into three bfloat16.
#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/kernels/bfloat16/product.h"

namespace downhill::cpu::DH_ISA {
namespace {

size_t rounded_scratch(int64_t m, int64_t n, int64_t k, bool, bool) { return product_scratch<Rounded>(m, n, k); }

void run_rounded(const MatmulArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  const Product<Rounded> product = product_of<Rounded>(args);
  if (args.k > 0) return product.run();
  fill(args);
  finish(args, {0, args.m}, {0, args.n});
}

#if defined(__AMX_BF16__)
/// Where splitting and packing, once for each element of a and b, cost less than they save; in shorter products than
/// these the way of packed operands from one core to others eats that up.
bool pays(int64_t m, int64_t n, int64_t k) {
  constexpr int64_t kLong = 48;
  if (k < 16 || m * n <= 40 * (m + n)) return false;
  return cut_of<Split::kParts>(m, n, k).cost >= kLong;
}

constexpr int kMost = 125;  // exponent of what may be rounded up, and of sums

/// Of the largest magnitude among bits of magnitudes.
int exponent(const uint32_t* bits, int64_t count) {
  uint32_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = most > bits[i] ? most : bits[i];
  return static_cast<int>(most >> 23) - 127;
}

size_t split_scratch(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  const size_t plain = avx512::matmul_kernels.scratch_bytes(m, n, k, transpose_a, transpose_b);
  if (!pays(m, n, k)) return plain;
  const size_t own = product_scratch<Split>(m, n, k);
  return own > plain ? own : plain;
}

void run_split(const MatmulArgs& args) {
  if (!pays(args.m, args.n, args.k)) return avx512::matmul_kernels.run(args);
  const Product<Split> product = product_of<Split>(args);
  const Cut& cut = product.cut;
  const int64_t shared = ceil_div(cut.shared, kStrip) * cut.pieces;
  for (int64_t i = 0; i < shared; ++i) product.most_shared[i] = 0;
  for (int64_t i = 0; i < cut.chunks; ++i) product.most_others[i] = 0;
  product.run();
  const int most_shared = exponent(product.most_shared, shared),
            most_others = exponent(product.most_others, cut.chunks);
  int growth = 0;
  while (growth < 62 && int64_t{1} << growth < args.k) ++growth;
  const bool finite = most_shared <= kMost && most_others <= kMost && most_shared + most_others + growth <= kMost;
  if (!finite) avx512::matmul_kernels.run(args);
}

#endif

}  // namespace

#if defined(__AMX_BF16__)
extern const MatmulKernels matmul_kernels = {split_scratch, run_split};
#endif
extern const MatmulKernels bfloat16_kernels = {rounded_scratch, run_rounded};

}  // namespace downhill::cpu::DH_ISA
