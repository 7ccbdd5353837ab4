// Matrix products, one or a batch, with the epilogue that the planner fused.
#include "backend/cuda/host/lower.h"
#include "backend/cuda/host/matmul_choice.h"
#include "backend/layout.h"

namespace downhill::cuda {

void lower_matmul(Lowering& lowering) {
  const Step& step = lowering.step;
  const Shape &a = lowering.in(0).shape, &b = lowering.in(1).shape, &c = lowering.out().shape;
  MatmulArgs args;
  args.a = static_cast<const float*>(lowering.input(0));
  args.b = static_cast<const float*>(lowering.input(1));
  args.c = static_cast<float*>(lowering.output());
  if (step.column_sums >= 0) args.column_sums = static_cast<float*>(lowering.at[step.column_sums]);
  if (step.epilogue.bias) args.bias = static_cast<const float*>(lowering.input(2));
  if (step.epilogue.has_gradient())
    args.saved = static_cast<const float*>(lowering.input(static_cast<int>(step.inputs.size()) - 1));
  args.activation = step.epilogue.activation;
  if (args.activation != Op::identity) read_params(args.activation, step.epilogue.attrs, args.params);
  args.transpose_a = step.attrs.flag("transposeA");
  args.transpose_b = step.attrs.flag("transposeB");
  args.m = c[c.rank() - 2];
  args.n = c[c.rank() - 1];
  args.k = a[a.rank() - (args.transpose_a ? 2 : 1)];
  args.lda = a[a.rank() - 1];
  args.ldb = b[b.rank() - 1];

  const Shape batch = leading(c);
  if (batch.size() == 0 || args.m == 0 || args.n == 0) return;
  if (leading(b).size() == 1 && !args.transpose_a && leading(a).size() == batch.size()) {
    args.m *= batch.size();  // one tall product
  } else if (batch.size() > 1) {
    const Nest nest = collapse(batch, {strides_of(batch), batch_strides(a, batch), batch_strides(b, batch)});
    args.batch_rank = nest.rank;
    for (int i = 0; i < nest.rank; ++i) {
      args.batch_dims[i] = nest.dims[i];
      args.batch_a[i] = nest.stride[1][i];
      args.batch_b[i] = nest.stride[2][i];
    }
  }
  const int64_t products = args.batch_rank == 0 ? 1 : batch.size();

  const MatmulChoice choice = choose_matmul(products, args.m, args.n, args.k, lowering.precision, lowering.target);
  args.kind = choice.kind;
  args.tile = choice.tile;
  args.splits = choice.splits;
  if (args.splits > 1) {
    const int64_t rows = products * args.m + (step.column_sums >= 0);
    args.partials =
        static_cast<float*>(lowering.take_scratch(sizeof(float) * static_cast<size_t>(args.splits * rows * args.n)));
  }
  lowering.add(args);
}

}  // namespace downhill::cuda
