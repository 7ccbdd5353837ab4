// Softmax and its relatives along one axis. Along any axis but the last, operands are transposed into scratch and back.
#include "backend/cpu/program.h"
#include "backend/layout.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

/// to (outer, b, a) = from (outer, a, b)
void swap_last(const KernelTable& table, const float* from, float* to, int64_t outer, int64_t a, int64_t b) {
  for_pieces(outer, items_per_piece(a * b), [&](int64_t begin, int64_t end) {
    const int64_t from_stride[] = {1, b}, to_stride[] = {a, 1}, n[] = {b, a};
    for (int64_t o = begin; o < end; ++o)
      table.movement.copy(from + o * a * b, from_stride, to + o * a * b, to_stride, n);
  });
}

/// Calls kernel(x, y, begin, end) on rows of n elements for x (outer, n, inner) → y of the same shape, or (outer,
/// inner).
template <typename Kernel>
std::unique_ptr<Launch> along_axis(const Build& build, int axis, Kernel kernel) {
  const Shape& shape = build.in(0).shape;
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  const int64_t n = shape[axis], size = shape.size();
  const int a = build.id(0), b = build.step.inputs.size() > 1 ? build.id(1) : -1, to = build.step.output;
  const bool keeps_shape = build.out().shape.size() == size && build.step.op != Op::logSumExp;
  const KernelTable* table = &build.table;
  const size_t slot = aligned(static_cast<size_t>(size) * sizeof(float));
  if (inner == 1)
    return launch([=](const Run& run) {
      const float *x = static_cast<const float*>(run.at[a]),
                  *x2 = b < 0 ? nullptr : static_cast<const float*>(run.at[b]);
      float* y = static_cast<float*>(run.at[to]);
      for_pieces(outer, items_per_piece(n), [&](int64_t begin, int64_t end) {
        kernel(x + begin * n, b < 0 ? nullptr : x2 + begin * n, y + begin * (keeps_shape ? n : 1), end - begin, n);
      });
    });
  return launch(
      [=](const Run& run) {
        float *x = reinterpret_cast<float*>(run.scratch), *x2 = reinterpret_cast<float*>(run.scratch + slot);
        float* y = keeps_shape ? reinterpret_cast<float*>(run.scratch + 2 * slot) : static_cast<float*>(run.at[to]);
        swap_last(*table, static_cast<const float*>(run.at[a]), x, outer, n, inner);
        if (b >= 0) swap_last(*table, static_cast<const float*>(run.at[b]), x2, outer, n, inner);
        for_pieces(outer * inner, items_per_piece(n), [&](int64_t begin, int64_t end) {
          kernel(x + begin * n, x2 + begin * n, y + begin * (keeps_shape ? n : 1), end - begin, n);
        });
        if (keeps_shape) swap_last(*table, y, static_cast<float*>(run.at[to]), outer, inner, n);
      },
      3 * slot);
}

template <typename Function>
std::unique_ptr<Launch> one_operand(const Build& build, int axis, Function f) {
  return along_axis(build, axis,
                    [f](const float* x, const float*, float* y, int64_t rows, int64_t n) { f(x, y, rows, n); });
}

template <typename Function>
std::unique_ptr<Launch> two_operands(const Build& build, Function f) {
  return along_axis(build, build.axis(), [f](const float* x, const float* d_y, float* y, int64_t rows, int64_t n) {
    f(x, d_y, y, rows, n);
  });
}

/// Cross-entropies: logits (rows, n), targets (rows, n) or labels (rows); with d_y (rows) their gradients.
std::unique_ptr<Launch> cross_entropy(const Build& build) {
  const Shape& shape = build.in(0).shape;
  const int64_t n = shape[shape.rank() - 1];
  int64_t rows = 1;
  for (int i = 0; i + 1 < shape.rank(); ++i) rows *= shape[i];
  const Op op = build.step.op;
  const bool sparse = op == Op::sparseSoftmaxCrossEntropy || op == Op::sparseSoftmaxCrossEntropyGrad;
  const bool gradient = op == Op::softmaxCrossEntropyGrad || op == Op::sparseSoftmaxCrossEntropyGrad;
  const int logits = build.id(0), targets = build.id(1), d_loss = gradient ? build.id(2) : -1, to = build.step.output;
  const RowKernels* kernels = &build.table.rows;
  const IndexRule rule(build);
  return launch([=](const Run& run) {
    if (sparse) rule.check(static_cast<const int32_t*>(run.at[targets]));
    const float *x = static_cast<const float*>(run.at[logits]), *t = static_cast<const float*>(run.at[targets]);
    const int32_t* labels = static_cast<const int32_t*>(run.at[targets]);
    const float* d = gradient ? static_cast<const float*>(run.at[d_loss]) : nullptr;
    float* y = static_cast<float*>(run.at[to]);
    for_pieces(rows, items_per_piece(n), [&](int64_t begin, int64_t end) {
      const int64_t at = begin * n, count = end - begin;
      if (gradient && sparse)
        kernels->sparse_cross_entropy_grad(x + at, labels + begin, d + begin, y + at, count, n);
      else if (gradient)
        kernels->cross_entropy_grad(x + at, t + at, d + begin, y + at, count, n);
      else if (sparse)
        kernels->sparse_cross_entropy(x + at, labels + begin, y + begin, count, n);
      else
        kernels->cross_entropy(x + at, t + at, y + begin, count, n);
    });
  });
}

}  // namespace

std::unique_ptr<Launch> compile_rows(const Build& build) {
  const RowKernels& rows = build.table.rows;
  switch (build.step.op) {
    case Op::softmax:
      return one_operand(build, build.axis(), rows.softmax);
    case Op::logSoftmax:
      return one_operand(build, build.axis(), rows.log_softmax);
    case Op::logSumExp: {
      const std::vector<int64_t> axes = build.step.attrs.ints("axes");
      if (axes.empty()) return compile_copy(build);  // of a scalar
      return one_operand(build, static_cast<int>(axes[0]), rows.log_sum_exp);
    }
    case Op::softmaxGrad:
      return two_operands(build, rows.softmax_grad);
    case Op::logSoftmaxGrad:
      return two_operands(build, rows.log_softmax_grad);
    default:
      return cross_entropy(build);
  }
}

}  // namespace downhill::cpu
