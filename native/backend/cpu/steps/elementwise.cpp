// Elementwise steps: broadcasting becomes strides, strides become as few loops as possible.
#include "backend/cpu/program.h"
#include "backend/layout.h"
#include "core/error.h"

namespace downhill::cpu {

namespace {

constexpr int64_t kShortRow = 256;  // elements: shorter rows are cheaper in blocks of several

struct Elementwise {
  ElementwiseFn function;
  Nest nest;  // operand 0: the output; then the inputs
  int ids[kMaxOperands];
  float params[2] = {};

  void operator()(const Run& run) const {
    const int last = nest.rank - 1;
    const int64_t inner = nest.dims[last], outer = inner ? nest.size() / inner : 0;
    int64_t stride[kMaxOperands];
    for (int k = 1; k < nest.operands; ++k) stride[k - 1] = nest.stride[k][last];
    // Long rows are cut; short ones are handled several at a time.
    const int64_t pieces = (inner + kChunk - 1) / kChunk;
    const int64_t width = pieces > 1 ? kChunk : inner;
    for_pieces(outer * pieces, items_per_piece(width), [&](int64_t begin, int64_t end) {
      Walk walk(nest, 1, begin / pieces);
      for (int64_t item = begin; item < end; ++item) {
        const int64_t from = (item % pieces) * width, count = from + width < inner ? width : inner - from;
        const void* in[kMaxOperands];
        for (int k = 1; k < nest.operands; ++k)
          in[k - 1] = static_cast<const int32_t*>(run.at[ids[k]]) + walk.offset(k) + from * stride[k - 1];
        function(in, stride, static_cast<int32_t*>(run.at[ids[0]]) + walk.offset(0) + from, count, params);
        if (item % pieces == pieces - 1) walk.next();
      }
    });
  }
};

}  // namespace

ElementwiseFn elementwise_kernel(const Build& build) {
  const Op op = build.step.op;
  const ElementwiseFn kernel = build.table.elementwise[static_cast<int>(op)][static_cast<int>(build.in(0).dtype)];
  if (!kernel)
    throw Error(code::kUnsupported,
                std::string(name_of(op)) + " has no kernel for " + name_of(build.in(0).dtype) + " on the CPU.");
  return kernel;
}

std::unique_ptr<Launch> compile_elementwise(const Build& build) {
  const Step& step = build.step;
  Elementwise body;
  body.function = elementwise_kernel(build);
  const Shape& shape = build.out().shape;
  std::vector<std::vector<int64_t>> strides{strides_of(shape)};
  body.ids[0] = step.output;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    strides.push_back(broadcast_strides(build.in(static_cast<int>(i)).shape, shape));
    body.ids[i + 1] = step.inputs[i];
  }
  body.nest = collapse(shape, strides);
  if (shape.size() > 0 && body.nest.rank > 1 && body.nest.dims[body.nest.rank - 1] < kShortRow) {
    Step chain = step;
    chain.chain = {step};
    return compile_chain({build.plan, chain, build.table});
  }
  read_params(step.op, step.attrs, body.params);
  return launch(body);
}

}  // namespace downhill::cpu
