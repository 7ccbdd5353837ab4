// Matrix products of operands rounded to bfloat16, and with AMX those of float32, too: each split into three bfloat16.
#include "backend/cpu/kernels/bfloat16/deep.h"
#include "backend/cpu/kernels/bfloat16/entries.h"

namespace downhill::cpu::DH_ISA {
namespace {

size_t rounded_scratch(int64_t m, int64_t n, int64_t k, bool, bool) {
  return is_deep(m, n, k) ? DeepCut<1>(m, n, k).bytes() : product_scratch<Rounded>(m, n, k);
}

void run_rounded(const MatmulArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  if (is_deep(args.m, args.n, args.k)) return static_cast<void>(DeepProduct<Rounded>(args).run());
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
  if (is_deep(m, n, k)) return true;
  return cut_of<Split::kParts>(m, n, k).cost >= kLong;
}

size_t split_scratch(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  const size_t plain = avx512::matmul_kernels.scratch_bytes(m, n, k, transpose_a, transpose_b);
  if (!pays(m, n, k)) return plain;
  const size_t own = is_deep(m, n, k) ? DeepCut<Split::kParts>(m, n, k).bytes() : product_scratch<Split>(m, n, k);
  return own > plain ? own : plain;
}

void run_split(const MatmulArgs& args) {
  if (!pays(args.m, args.n, args.k)) return avx512::matmul_kernels.run(args);
  if (is_deep(args.m, args.n, args.k)) {
    if (!DeepProduct<Split>(args).run()) avx512::matmul_kernels.run(args);
    return;
  }
  const Product<Split> product = product_of<Split>(args);
  const Cut& cut = product.cut;
  const int64_t shared = ceil_div(cut.shared, kStrip) * cut.pieces;
  for (int64_t i = 0; i < shared; ++i) product.most_shared[i] = 0;
  for (int64_t i = 0; i < cut.chunks; ++i) product.most_others[i] = 0;
  product.run();
  const uint32_t most_shared = largest(product.most_shared, shared),
                 most_others = largest(product.most_others, cut.chunks);
  if (!are_in_range(most_shared, most_others, args.k)) avx512::matmul_kernels.run(args);
}

#endif

}  // namespace

#if defined(__AMX_BF16__)
extern const MatmulKernels matmul_kernels = {split_scratch, run_split};
#endif
extern const MatmulKernels bfloat16_kernels = {rounded_scratch, run_rounded};

}  // namespace downhill::cpu::DH_ISA
