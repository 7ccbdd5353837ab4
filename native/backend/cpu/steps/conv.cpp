// Convolutions and pooling.
#include <algorithm>

#include "backend/cpu/program.h"
#include "ops/windows.h"

namespace downhill::cpu {

namespace {

struct Conv {
  ConvKernels kernels;
  ConvPass pass;
  ConvArgs args;  // but for the pointers
  int x = -1, w = -1, d_y = -1, to, bias = -1, saved = -1;
  float params[2] = {};

  void operator()(const Run& run) const {
    const auto floats = [&](int value) { return value < 0 ? nullptr : static_cast<const float*>(run.at[value]); };
    ConvArgs now = args;
    now.x = floats(x), now.w = floats(w), now.d_y = floats(d_y);
    now.bias = floats(bias), now.saved = floats(saved);
    now.to = static_cast<float*>(run.at[to]);
    now.activate_params = params;
    now.scratch = run.scratch;
    kernels.run(now, pass);
  }
};

/// One pixel by one, with nothing between: the rows of a matrix product.
bool is_product(const ConvShape& s) {
  const auto plain = [](const Axis& axis) {
    return axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.in == axis.out;
  };
  return s.groups == 1 && plain(s.y) && plain(s.x);
}

struct Product {
  MatmulKernels kernels;
  MatmulArgs args;
  int a, b, c, bias, saved;
  float params[2] = {};

  void operator()(const Run& run) const {
    MatmulArgs now = args;
    now.a = static_cast<const float*>(run.at[a]);
    now.b = static_cast<const float*>(run.at[b]);
    now.c = static_cast<float*>(run.at[c]);
    now.bias = bias < 0 ? nullptr : static_cast<const float*>(run.at[bias]);
    now.saved = saved < 0 ? nullptr : static_cast<const float*>(run.at[saved]);
    now.activate_params = params;
    now.scratch = run.scratch;
    if (now.m > 0 && now.n > 0) kernels.run(now);
  }
};

std::unique_ptr<Launch> compile_product(const Build& build, const Conv& conv) {
  const ConvShape& s = conv.args.shape;
  Product body;
  body.kernels = build.table.matmul;
  MatmulArgs& args = body.args;
  const int64_t pixels = s.n * s.y.in * s.x.in;
  args.activate = conv.args.activate;
  args.gradient = conv.args.gradient;
  std::copy(conv.params, conv.params + 2, body.params);
  body.bias = conv.bias, body.saved = conv.saved, body.c = conv.to;
  switch (conv.pass) {
    case ConvPass::forward:
      args.m = pixels, args.n = s.co, args.k = s.c;
      body.a = conv.x, body.b = conv.w;
      break;
    case ConvPass::input_gradient:
      args.m = pixels, args.n = s.c, args.k = s.co;
      args.transpose_b = true;
      body.a = conv.d_y, body.b = conv.w;
      break;
    default:
      args.m = s.c, args.n = s.co, args.k = pixels;
      args.transpose_a = true;
      body.a = conv.x, body.b = conv.d_y;
  }
  args.lda = args.transpose_a ? args.m : args.k;
  args.ldb = args.transpose_b ? args.k : args.n;
  args.ldc = args.n;
  return launch(body, body.kernels.scratch_bytes(args.m, args.n, args.k, args.transpose_a, args.transpose_b));
}

}  // namespace

std::unique_ptr<Launch> compile_conv(const Build& build) {
  const Step& step = build.step;
  Conv body;
  body.kernels = build.table.conv;
  body.to = step.output;
  const auto shape_of = [&](const Shape& x, const Shape& w, const Shape& y) {
    return conv_shape_of(x, w, y, step.attrs);
  };
  const Shape &first = build.in(0).shape, &second = build.in(1).shape, &out = build.out().shape;
  switch (step.op) {
    case Op::conv2d:
      body.pass = ConvPass::forward;
      body.args.shape = shape_of(first, second, out);
      body.x = build.id(0), body.w = build.id(1);
      break;
    case Op::conv2dTranspose:
      body.pass = ConvPass::input_gradient;
      body.args.shape = shape_of(out, second, first);
      body.d_y = build.id(0), body.w = build.id(1);
      break;
    default:
      body.pass = ConvPass::filter_gradient;
      body.args.shape = shape_of(first, out, second);
      body.x = build.id(0), body.d_y = build.id(1);
  }
  if (step.epilogue.bias) body.bias = build.id(2);
  if (step.epilogue.has_gradient()) body.saved = build.id(static_cast<int>(step.inputs.size()) - 1);
  if (const Op activation = step.epilogue.activation; activation != Op::identity) {
    const int row = static_cast<int>(activation);
    if (body.saved < 0)
      body.args.activate = build.table.activate[row];
    else
      body.args.gradient = build.table.elementwise[row][static_cast<int>(DType::float32)];
    read_params(activation, step.epilogue.attrs, body.params);
  }
  if (is_product(body.args.shape)) return compile_product(build, body);
  return launch(body, body.kernels.scratch_bytes(body.args.shape, body.pass));
}

std::unique_ptr<Launch> compile_pool(const Build& build) {
  const Step& step = build.step;
  const bool averages = step.op == Op::averagePool2d, spreads = step.op == Op::averagePool2dGrad;
  const bool scatters = step.op == Op::maxPool2dGrad, picks = step.op == Op::maxPool2dPick;
  const Shape& x = spreads ? build.out().shape : build.in(0).shape;
  const Shape& y = spreads ? build.in(0).shape : scatters ? build.in(1).shape : build.out().shape;
  const PoolShape shape = pool_shape_of(x, y, step.attrs);
  const PoolKernels* const kernels = &build.table.pool;
  const int first = build.id(0), second = step.inputs.size() > 1 ? build.id(1) : -1, to = step.output;
  const int64_t window = shape.y.kernel * shape.x.kernel;
  if (scatters) {
    constexpr int64_t kTile = 64;  // channels of a task, where there are few images
    const int64_t tile = shape.n >= 16 ? std::max<int64_t>(shape.c, 1) : kTile;
    const int64_t tiles = (shape.c + tile - 1) / tile;
    const int64_t cost = y[1] * y[2] * tile * window;
    return launch([=](const Run& run) {
      const float *const from = static_cast<const float*>(run.at[first]), *const d_y =
                                                                              static_cast<const float*>(run.at[second]);
      float* const d_x = static_cast<float*>(run.at[to]);
      for_pieces(shape.n * tiles, items_per_piece(cost), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t channel = task % tiles * tile;
          kernels->max_grad(shape, from, d_y, d_x, task / tiles, channel, std::min(channel + tile, shape.c));
        }
      });
    });
  }
  const Shape& rows_of = spreads ? x : y;
  const int64_t rows = rows_of[0] * rows_of[1], cost = rows_of[2] * rows_of[3] * window;
  return launch([=](const Run& run) {
    const float* const from = static_cast<const float*>(run.at[first]);
    float* const result = static_cast<float*>(run.at[to]);
    for_pieces(rows, items_per_piece(cost), [&](int64_t begin, int64_t end) {
      if (picks)
        kernels->max_pick(shape, from, static_cast<const float*>(run.at[second]), result, begin, end);
      else if (spreads)
        kernels->average_grad(shape, from, result, begin, end);
      else if (averages)
        kernels->average(shape, from, result, begin, end);
      else
        kernels->max(shape, from, result, begin, end);
    });
  });
}

}  // namespace downhill::cpu
