// Normalization of rows and its gradients: pieces of whole rows, whose sums for gamma and beta are added in their
// order.
#include <algorithm>

#include "backend/cpu/program.h"
#include "backend/cpu/steps/tail.h"
#include "graph/normalization.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kBlock = 2048;    // elements after which the tail runs, while they are in the first cache
constexpr int64_t kMaxPieces = 64;  // that have sums of their own
constexpr int64_t kLeastRows = 4;   // of such a piece: its sums are to be few beside its elements

const float* floats(const Run& run, int value) {
  return value < 0 ? nullptr : static_cast<const float*>(run.at[value]);
}
float* result(const Run& run, int value) { return value < 0 ? nullptr : static_cast<float*>(run.at[value]); }

/// Calls kernel(first, rows) for rows [begin, end), and the tail on what that made.
template <typename Kernel>
void rows_with_tail(const Tail& tail, const Run& run, int64_t begin, int64_t end, int64_t n, Kernel&& kernel) {
  if (tail.empty()) return kernel(begin, end - begin);
  const Tail::Bound bound = {&tail, &run, 0};
  const int64_t at_once = std::max<int64_t>(1, kBlock / n);
  for (int64_t first = begin; first < end; first += at_once) {
    const int64_t rows = std::min(at_once, end - first);
    kernel(first, rows);
    Tail::apply(&bound, first * n, rows * n);
  }
}

struct Forward {
  NormalizationArgs args{};  // but for the pointers
  void (*kernel)(const NormalizationArgs&);
  int x, gamma, beta, y;
  Tail tail;

  void operator()(const Run& run) const {
    const int64_t n = args.n;
    if (n == 0) return;
    for_pieces(args.rows, items_per_piece(n), [&](int64_t begin, int64_t end) {
      rows_with_tail(tail, run, begin, end, n, [&](int64_t first, int64_t rows) {
        NormalizationArgs now = args;
        now.x = floats(run, x) + first * n, now.y = result(run, y) + first * n, now.rows = rows;
        now.gamma = floats(run, gamma), now.beta = floats(run, beta);
        kernel(now);
      });
    });
  }
};

struct Backward {
  NormalizationGradientArgs args{};
  void (*kernel)(const NormalizationGradientArgs&);
  void (*add_columns)(const void*, int64_t, void*, int64_t, int64_t);
  int x, d_y, gamma, d_x, d_gamma, d_beta;
  Tail tail;

  bool sums() const { return d_gamma >= 0 || d_beta >= 0; }
  int64_t piece() const {
    const int64_t rows = items_per_piece(args.n);
    return sums() ? std::max({rows, kLeastRows, (args.rows + kMaxPieces - 1) / kMaxPieces}) : rows;
  }
  int64_t pieces() const { return sums() ? (args.rows + piece() - 1) / piece() : 0; }
  size_t scratch_bytes() const { return static_cast<size_t>(pieces() * 2 * args.n) * sizeof(float); }

  void operator()(const Run& run) const {
    const int64_t n = args.n;
    if (n == 0) return;
    float* const partial = reinterpret_cast<float*>(run.scratch);  // (pieces, 2, n)
    for_pieces(args.rows, piece(), [&](int64_t begin, int64_t end) {
      float* const own = sums() ? partial + begin / piece() * 2 * n : nullptr;
      if (sums()) std::fill(own, own + 2 * n, 0.0F);
      rows_with_tail(tail, run, begin, end, n, [&](int64_t first, int64_t rows) {
        NormalizationGradientArgs now = args;
        now.x = floats(run, x) + first * n, now.d_y = floats(run, d_y) + first * n, now.gamma = floats(run, gamma);
        now.d_x = d_x < 0 ? nullptr : result(run, d_x) + first * n;
        if (sums()) now.scale_sums = own, now.d_sums = own + n;
        now.rows = rows;
        kernel(now);
      });
    });
    for (const auto& [to, at] : {std::pair{d_gamma, int64_t{0}}, std::pair{d_beta, n}})
      if (to >= 0)
        for_pieces(n, kChunk, [&, from = at, y = result(run, to)](int64_t begin, int64_t end) {
          add_columns(partial + from + begin, 2 * n, y + begin, pieces(), end - begin);
        });
  }
};

}  // namespace

std::unique_ptr<Launch> compile_normalization(const Build& build) {
  const Step& step = build.step;
  const NormalizationSizes sizes = normalization_sizes(build.in(0).shape);
  const NormalizationOperands operands = normalization_operands(step.op, step.attrs);
  const auto id = [&](int operand) { return operand < 0 ? -1 : build.id(operand); };
  const auto fill = [&](auto& body) {
    body.args.rows = sizes.rows, body.args.n = sizes.n;
    body.args.epsilon = static_cast<float>(step.attrs.number("epsilon"));
    body.x = build.id(0), body.gamma = id(operands.gamma);
  };
  const bool rms = is_rms_normalization(step.op), of_scale = is_scale_gradient(step.op);
  if (!of_scale && !is_normalization_gradient(step.op)) {
    Forward body{{}, build.table.normalization.forward[rms], -1, -1, id(operands.beta), step.output, Tail(build)};
    fill(body);
    return launch(std::move(body));
  }
  Backward body{{},
                build.table.normalization.backward[rms],
                build.table.reduce.columns[static_cast<int>(Reduction::sum)][static_cast<int>(DType::float32)],
                -1,
                build.id(1),
                -1,
                of_scale ? -1 : step.output,
                of_scale ? step.output : step.scale_gradient,
                step.column_sums,
                Tail(build)};
  fill(body);
  const size_t scratch = body.scratch_bytes();
  return launch(std::move(body), scratch);
}

}  // namespace downhill::cpu
