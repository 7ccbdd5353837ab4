// Matrix products, one or a batch, with the epilogue that the planner fused.
#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/cpu/program.h"
#include "backend/cpu/steps/tail.h"
#include "backend/layout.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kSmallProduct =
    64 * 64 * 64;                // multiplications below which whole products are spread over the threads
constexpr int64_t kGroups = 16;  // of such products; each has scratch of its own

struct Matmul {
  MatmulKernels kernels;
  MatmulArgs args;  // but for the pointers
  Nest batch;       // operands c, a, b
  int c, a, b, bias, saved;
  Tail tail;
  float params[2] = {};
  size_t scratch = 0;  // of one product

  explicit Matmul(const Build& build) : tail(build) {}

  void one(const Run& run, const Walk& walk, std::byte* memory) const {
    MatmulArgs product = args;
    product.a = static_cast<const float*>(run.at[a]) + walk.offset(1);
    product.b = static_cast<const float*>(run.at[b]) + walk.offset(2);
    product.c = static_cast<float*>(run.at[c]) + walk.offset(0);
    product.bias = bias < 0 ? nullptr : static_cast<const float*>(run.at[bias]);
    product.saved = saved < 0 ? nullptr : static_cast<const float*>(run.at[saved]) + walk.offset(0);
    product.activate_params = params;
    const Tail::Bound bound = {&tail, &run, walk.offset(0)};
    if (!tail.empty()) product.tail = Tail::apply, product.tail_context = &bound;
    product.scratch = memory;
    kernels.run(product);
  }

  bool grouped() const { return batch.size() > 1 && args.m * args.n * args.k < kSmallProduct; }

  void operator()(const Run& run) const {
    const int64_t count = batch.size();
    if (args.m == 0 || args.n == 0 || count == 0) return;
    if (!grouped()) {
      Walk walk(batch, 0, 0);
      for (int64_t i = 0; i < count; ++i, walk.next()) one(run, walk, run.scratch);
      return;
    }
    const int64_t size = (count + kGroups - 1) / kGroups;
    for_pieces(count, size, [&](int64_t begin, int64_t end) {
      Walk walk(batch, 0, begin);
      for (int64_t i = begin; i < end; ++i, walk.next())
        one(run, walk, run.scratch + static_cast<size_t>(begin / size) * scratch);
    });
  }
};

/// The sums of b's columns, after the product: by the loops of `sum`, so in its order. They take a hundredth of the
/// product's time, which is all that the product's own loops could save.
std::unique_ptr<Launch> with_column_sums(const Build& build, std::unique_ptr<Launch> product) {
  Step step;
  step.op = Op::sum;
  step.inputs = {build.id(1)};
  step.output = build.step.column_sums;
  step.attrs.set("axes", std::vector<int64_t>{0});
  std::unique_ptr<Launch> sums = compile_reduce({build.plan, step, build.table});
  const size_t scratch = std::max(product->scratch_bytes, sums->scratch_bytes);
  return launch(
      [product = std::move(product), sums = std::move(sums)](const Run& run) {
        product->run(run);
        sums->run(run);
      },
      scratch);
}

}  // namespace

std::unique_ptr<Launch> compile_matmul(const Build& build) {
  const Step& step = build.step;
  const Shape &a = build.in(0).shape, &b = build.in(1).shape,
              &c = build.plan.values[step.tail.empty() ? step.output : step.sums].shape;
  Matmul body(build);
  body.kernels = build.table.matmul;
  MatmulArgs& args = body.args;
  args.transpose_a = step.attrs.flag("transposeA");
  args.transpose_b = step.attrs.flag("transposeB");
  args.m = c[c.rank() - 2];
  args.n = c[c.rank() - 1];
  args.k = a[a.rank() - (args.transpose_a ? 2 : 1)];
  args.lda = a[a.rank() - 1];
  args.ldb = b[b.rank() - 1];
  args.ldc = args.n;
  body.c = step.output, body.a = build.id(0), body.b = build.id(1);
  body.bias = step.epilogue.bias ? build.id(2) : -1;
  body.saved = step.epilogue.has_gradient() ? build.id(static_cast<int>(step.product_inputs()) - 1) : -1;
  if (const Op activation = step.epilogue.activation; activation != Op::identity) {
    const int row = static_cast<int>(activation);
    if (body.saved < 0)
      args.activate = build.table.activate[row];
    else
      args.gradient = build.table.elementwise[row][static_cast<int>(DType::float32)];
    read_params(activation, step.epilogue.attrs, body.params);
  }
  const Shape batch = leading(c);
  body.batch = collapse(batch, {batch_strides(c, batch), batch_strides(a, batch), batch_strides(b, batch)});
  if (leading(b).size() == 1 && !args.transpose_a && leading(a).size() == batch.size()) {  // one tall product
    args.m *= batch.size();
    body.batch = collapse(Shape(), {{}, {}, {}});
  }
  body.scratch = aligned(body.kernels.scratch_bytes(args.m, args.n, args.k, args.transpose_a, args.transpose_b));
  std::unique_ptr<Launch> product = launch(body, body.scratch * (body.grouped() ? kGroups : 1));
  return step.column_sums < 0 ? std::move(product) : with_column_sums(build, std::move(product));
}

}  // namespace downhill::cpu
