// Attention and its gradient.
#include "graph/attention.h"
#include "backend/cuda/host/lower.h"
#include "backend/layout.h"

namespace downhill::cuda {

void lower_attention(Lowering& lowering) {
  const Step& step = lowering.step;
  const AttentionSizes s = attention_sizes(step.op, static_cast<int>(step.inputs.size()),
                                           [&](int i) -> const Shape& { return lowering.in(i).shape; });
  const auto floats = [&](int i) { return static_cast<float*>(const_cast<void*>(lowering.input(i))); };
  const auto moved = [](float* from, int64_t by) { return from ? from + by : from; };  // null: only sizes are asked for
  const auto place = [&](float* first, int64_t at, int64_t packed, int64_t width) {
    return s.packed ? AttentionRows{moved(first, packed * width), 3 * width} : AttentionRows{moved(first, at), width};
  };
  const int64_t width = s.heads * s.dim, value_width = s.heads * s.value_dim;
  AttentionArgs args{};
  args.backward = step.op == Op::attentionGrad;
  args.n = s.n, args.queries = s.queries, args.keys = s.keys;
  args.heads = s.heads, args.dim = s.dim, args.value_dim = s.value_dim;
  args.scale = static_cast<float>(step.attrs.number("scale", 1));
  args.causal = step.attrs.flag("causal");
  args.rate = static_cast<float>(step.attrs.number("rate"));
  args.key = static_cast<uint64_t>(step.attrs.integer("key"));
  args.q = place(floats(s.first), 0, 0, width);
  args.k = place(floats(s.first + (s.packed ? 0 : 1)), 0, 1, width);
  args.v = place(floats(s.first + (s.packed ? 0 : 2)), 0, 2, value_width);
  if (s.mask >= 0) {
    args.mask = lowering.input(s.mask);
    args.added = lowering.in(s.mask).dtype == DType::float32;
    const std::vector<int64_t> strides = broadcast_strides(lowering.in(s.mask).shape, s.scores());
    for (size_t axis = 0; axis < 4; ++axis) args.mask_stride[axis] = strides[axis];
  }
  args.state = lowering.state;
  args.y = args.backward ? floats(0) : static_cast<float*>(lowering.output());
  if (args.backward) {
    args.d = floats(1);
    args.d_row = lowering.in(1).shape[2];
    float* const to = static_cast<float*>(lowering.output());
    args.d_q = place(to, 0, 0, width);
    args.d_k = place(to, s.q_size(), 1, width);
    args.d_v = place(to, s.q_size() + s.k_size(), 2, value_width);
    args.delta =
        static_cast<float*>(lowering.take_scratch(static_cast<size_t>(s.n * s.heads * s.queries) * sizeof(float)));
  }
  lowering.add(args);
}

}  // namespace downhill::cuda
