// Normalization of rows and its gradients. Those of gamma and beta are sums over pieces of the rows, which a second
// command adds up.
#include "graph/normalization.h"

#include <algorithm>

#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

namespace {

constexpr int64_t kMaxPieces = 512;  // enough to fill a large device
constexpr int64_t kLeastRows = 8;    // of a piece that has sums, so that these are few beside its elements

}  // namespace

void lower_normalization(Lowering& lowering) {
  const Step& step = lowering.step;
  const NormalizationSizes sizes = normalization_sizes(lowering.in(0).shape);
  const NormalizationOperands operands = normalization_operands(step.op, step.attrs);
  const auto floats = [&](int i) { return i < 0 ? nullptr : static_cast<const float*>(lowering.input(i)); };
  const auto fill = [&](auto& args) {
    args.x = floats(0), args.gamma = floats(operands.gamma);
    args.rows = sizes.rows, args.n = sizes.n;
    args.epsilon = static_cast<float>(step.attrs.number("epsilon"));
    args.centered = !is_rms_normalization(step.op);
  };
  const bool of_scale = is_scale_gradient(step.op);
  if (!of_scale && !is_normalization_gradient(step.op)) {
    NormalizationArgs args{};
    fill(args);
    args.beta = floats(operands.beta);
    args.y = static_cast<float*>(lowering.output());
    return lowering.add(args);
  }

  NormalizationGradientArgs args{};
  fill(args);
  args.d_y = floats(1);
  if (!of_scale) args.d_x = static_cast<float*>(lowering.output());
  struct {
    int value;
    float** sums;
  } const wanted[] = {{of_scale ? step.output : step.scale_gradient, &args.scale_sums},
                      {step.column_sums, &args.d_sums}};
  args.piece = std::max<int64_t>({kLeastRows, rows_side_by_side(sizes.n), (sizes.rows + kMaxPieces - 1) / kMaxPieces});
  const int64_t pieces = (sizes.rows + args.piece - 1) / args.piece;
  for (const auto& [value, sums] : wanted)
    if (value >= 0)
      *sums = static_cast<float*>(pieces == 1 ? lowering.at[value]
                                              : lowering.take_scratch(static_cast<size_t>(pieces * sizes.n) * 4));
  lowering.add(args);
  for (const auto& [value, sums] : wanted) {
    if (value < 0 || pieces == 1) continue;
    ReduceArgs reduce{};
    reduce.reduction = Reduction::sum;
    reduce.dtype = DType::float32;
    reduce.x = *sums, reduce.y = lowering.at[value];
    reduce.outer = 1, reduce.n = pieces, reduce.inner = sizes.n;
    reduce.piece = std::max<int64_t>(pieces, 1);
    lowering.add(reduce);
  }
}

}  // namespace downhill::cuda
