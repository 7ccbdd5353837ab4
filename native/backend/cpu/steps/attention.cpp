// Attention and its gradient.
#include "graph/attention.h"
#include "backend/cpu/program.h"
#include "backend/layout.h"

namespace downhill::cpu {

std::unique_ptr<Launch> compile_attention(const Build& build) {
  const Step& step = build.step;
  const AttentionSizes s = attention_sizes(step.op, static_cast<int>(step.inputs.size()),
                                           [&](int i) -> const Shape& { return build.in(i).shape; });
  const bool backward = step.op == Op::attentionGrad;
  AttentionArgs args{};
  args.n = s.n, args.queries = s.queries, args.keys = s.keys;
  args.heads = s.heads, args.dim = s.dim, args.value_dim = s.value_dim;
  args.scale = static_cast<float>(step.attrs.number("scale", 1));
  args.causal = step.attrs.flag("causal");
  args.rate = static_cast<float>(step.attrs.number("rate"));
  args.key = static_cast<uint64_t>(step.attrs.integer("key"));
  if (backward) args.d_row = build.in(1).shape[2];
  if (s.mask >= 0) {
    args.added = build.in(s.mask).dtype == DType::float32;
    const std::vector<int64_t> strides = broadcast_strides(build.in(s.mask).shape, s.scores());
    for (size_t axis = 0; axis < 4; ++axis) args.mask_stride[axis] = strides[axis];
  }
  const auto id = [&](int i) { return i < 0 ? -1 : build.id(i); };
  const int q = id(s.first), k = s.packed ? q : id(s.first + 1), v = s.packed ? q : id(s.first + 2), mask = id(s.mask);
  const int y = backward ? id(0) : step.output, d = backward ? id(1) : -1, to = step.output;
  const AttentionKernels* const kernels = &build.table.attention;
  return launch(
      [=](const Run& run) {
        const auto floats = [&](int value) { return static_cast<float*>(run.at[value]); };
        AttentionArgs now = args;
        const auto place = [&](float* first, int64_t at, int64_t packed, int64_t width) {
          return s.packed ? AttentionRows{first + packed * width, 3 * width} : AttentionRows{first + at, width};
        };
        const int64_t width = s.heads * s.dim, value_width = s.heads * s.value_dim;
        now.q = place(floats(q), 0, 0, width);
        now.k = place(floats(k), 0, 1, width);
        now.v = place(floats(v), 0, 2, value_width);
        now.mask = mask < 0 ? nullptr : run.at[mask];
        now.y = floats(y);
        now.step = run.step;
        now.scratch = run.scratch;
        if (backward) {
          now.d = floats(d);
          now.d_q = place(floats(to), 0, 0, width);
          now.d_k = place(floats(to), s.q_size(), 1, width);
          now.d_v = place(floats(to), s.q_size() + s.k_size(), 2, value_width);
        }
        (backward ? kernels->backward : kernels->forward)(now);
      },
      kernels->scratch_bytes(args, backward));
}

}  // namespace downhill::cpu
