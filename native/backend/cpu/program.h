// A compiled plan: one kernel object per step, with everything that depends on shapes worked out beforehand.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "plan/indices.h"

namespace downhill::cpu {

/// What changes from run to run.
struct Run {
  void* const* at;      // by value: where it lies
  std::byte* scratch;   // of the step that runs; aligned to 64
  uint64_t step;        // Philox counter
  bool sparse_checked;  // of the inputs
};

/// One step, ready to run.
class Launch {
 public:
  virtual ~Launch() = default;
  virtual void run(const Run& run) const = 0;
  size_t scratch_bytes = 0;
};

/// What a step is compiled from.
struct Build {
  const Plan& plan;
  const Step& step;
  const KernelTable& table;

  const Value& in(int i) const { return plan.values[step.inputs[i]]; }
  const Value& out() const { return plan.values[step.output]; }
  int id(int i) const { return step.inputs[i]; }
  int axis() const { return static_cast<int>(step.attrs.integer("axis")); }
};

/// A launch from a callable taking (const Run&).
template <typename F>
std::unique_ptr<Launch> launch(F body, size_t scratch_bytes = 0) {
  struct Closure final : Launch {
    explicit Closure(F f) : body(std::move(f)) {}
    void run(const Run& run) const override { body(run); }
    F body;
  };
  auto closure = std::make_unique<Closure>(std::move(body));
  closure->scratch_bytes = scratch_bytes;
  return closure;
}

// By family of ops: steps/*.cpp
std::unique_ptr<Launch> compile_elementwise(const Build& build);
std::unique_ptr<Launch> compile_chain(const Build& build);
std::unique_ptr<Launch> compile_matmul(const Build& build);
std::unique_ptr<Launch> compile_reduce(const Build& build);  // sum max min
std::unique_ptr<Launch> compile_argmax(const Build& build);
std::unique_ptr<Launch> compile_attention(const Build& build);
std::unique_ptr<Launch> compile_normalization(const Build& build);
std::unique_ptr<Launch> compile_recurrent(const Build& build);
std::unique_ptr<Launch> compile_rows(const Build& build);  // softmax and its relatives
std::unique_ptr<Launch> compile_copy(const Build& build);  // identity transpose broadcastTo slice concat pad
std::unique_ptr<Launch> compile_cast(const Build& build);
std::unique_ptr<Launch> compile_noise(const Build& build);
std::unique_ptr<Launch> compile_gather(const Build& build);
std::unique_ptr<Launch> compile_scatter_add(const Build& build);
std::unique_ptr<Launch> compile_one_hot(const Build& build);
std::unique_ptr<Launch> compile_conv(const Build& build);    // conv2d conv2dTranspose conv2dFilterGrad
std::unique_ptr<Launch> compile_pool(const Build& build);    // maxPool2d averagePool2d and their gradients
std::unique_ptr<Launch> compile_sparse(const Build& build);  // sparseMatmul sparseMatmulGrad sparseDropout

/// Of an elementwise step; throws UNSUPPORTED.
ElementwiseFn elementwise_kernel(const Build& build);
NoiseFn noise_kernel(const KernelTable& table, Op op);
Reduction reduction_of(Op op);  // sum max min

/// Checks a step's indices before a kernel uses them.
struct IndexRule {
  const KernelTable* table;
  IndexDomain domain;

  explicit IndexRule(const Build& build) : table(&build.table), domain(index_domain(build.plan, build.step)) {}
  void check(const int32_t* indices) const;  // throws what the domain says
};
inline constexpr int64_t kChunk = 8192;      // elements of one piece of parallel work
inline constexpr int64_t kRowPiece = 16384;  // elements of a row that is reduced in one go

/// Runs body(begin, end) over [0, n) in pieces of `size`, on the pool when there is more than one.
template <typename F>
void for_pieces(int64_t n, int64_t size, F&& body) {
  if (n <= 0) return;
  const int64_t pieces = (n + size - 1) / size;
  if (pieces == 1) return body(int64_t{0}, n);
  parallel_for(pieces, [&](int64_t i) { body(i * size, (i + 1) * size < n ? (i + 1) * size : n); });
}

/// Items of `width` elements each that make one piece.
inline int64_t items_per_piece(int64_t width) { return width >= kChunk ? 1 : width <= 0 ? kChunk : kChunk / width; }

inline size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace downhill::cpu
