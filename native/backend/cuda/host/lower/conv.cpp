// Convolutions, with the epilogue that the planner fused, and pooling.
#include "backend/cuda/host/lower.h"
#include "backend/cuda/host/matmul_choice.h"

namespace downhill::cuda {

void lower_conv(Lowering& lowering) {
  const Step& step = lowering.step;
  const Shape &first = lowering.in(0).shape, &second = lowering.in(1).shape, &out = lowering.out().shape;
  const auto* const a = static_cast<const float*>(lowering.input(0));
  const auto* const b = static_cast<const float*>(lowering.input(1));
  ConvArgs args;
  args.to = static_cast<float*>(lowering.output());
  switch (step.op) {
    case Op::conv2d:
      args.shape = conv_shape_of(first, second, out, step.attrs);
      args.x = a, args.w = b;
      break;
    case Op::conv2dTranspose:
      args.pass = ConvPass::input_gradient;
      args.shape = conv_shape_of(out, second, first, step.attrs);
      args.d_y = a, args.w = b;
      break;
    default:
      args.pass = ConvPass::filter_gradient;
      args.shape = conv_shape_of(first, out, second, step.attrs);
      args.x = a, args.d_y = b;
  }
  if (step.epilogue.bias) args.bias = static_cast<const float*>(lowering.input(2));
  if (step.epilogue.has_gradient())
    args.saved = static_cast<const float*>(lowering.input(static_cast<int>(step.inputs.size()) - 1));
  args.activation = step.epilogue.activation;
  if (args.activation != Op::identity) read_params(args.activation, step.epilogue.attrs, args.params);
  const int64_t groups = args.shape.groups, rows = args.rows(), columns = args.columns();
  if (groups * rows * columns == 0) return;
  const MatmulChoice choice = choose_matmul(groups, rows, columns, args.depth(), lowering.precision, lowering.target);
  args.kind = choice.kind;
  if (args.pass == ConvPass::filter_gradient) args.splits = choice.splits;
  if (args.splits > 1)
    args.partials = static_cast<float*>(
        lowering.take_scratch(sizeof(float) * static_cast<size_t>(args.splits * groups * rows * columns)));
  lowering.add(args);
}

void lower_pool(Lowering& lowering) {
  const Step& step = lowering.step;
  const Shape &first = lowering.in(0).shape, &out = lowering.out().shape;
  const auto* const a = static_cast<const float*>(lowering.input(0));
  const auto* const b = step.inputs.size() > 1 ? static_cast<const float*>(lowering.input(1)) : nullptr;
  auto* const to = static_cast<float*>(lowering.output());
  if (out.size() == 0) return;
  switch (step.op) {
    case Op::maxPool2d:
      return lowering.add(PoolArgs{pool_shape_of(first, out, step.attrs), PoolKind::max, a, nullptr, to});
    case Op::averagePool2d:
      return lowering.add(PoolArgs{pool_shape_of(first, out, step.attrs), PoolKind::average, a, nullptr, to});
    case Op::maxPool2dPick:
      return lowering.add(PoolArgs{pool_shape_of(first, out, step.attrs), PoolKind::max_pick, a, b, to});
    case Op::maxPool2dGrad:
      return lowering.add(
          PoolArgs{pool_shape_of(first, lowering.in(1).shape, step.attrs), PoolKind::max_grad, a, b, to});
    default:
      return lowering.add(PoolArgs{pool_shape_of(out, first, step.attrs), PoolKind::average_grad, nullptr, a, to});
  }
}

}  // namespace downhill::cuda
