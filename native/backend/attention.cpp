#include "backend/attention.h"

#include "backend/layout.h"

namespace downhill {

AttentionStep::AttentionStep(const Plan& plan, const Step& step) : inputs_(step.inputs), output_(step.output) {
  const auto in = [&](int i) -> const Value& {
    return plan.values[static_cast<size_t>(inputs_[static_cast<size_t>(i)])];
  };
  sizes_ =
      attention_sizes(step.op, static_cast<int>(inputs_.size()), [&](int i) -> const Shape& { return in(i).shape; });
  call_.backward = step.op == Op::attentionGrad;
  call_.n = sizes_.n, call_.queries = sizes_.queries, call_.keys = sizes_.keys;
  call_.heads = sizes_.heads, call_.dim = sizes_.dim, call_.value_dim = sizes_.value_dim;
  call_.y_row = sizes_.out_row(), call_.shift = sizes_.results(), call_.factor = call_.shift + sizes_.heads;
  call_.scale = static_cast<float>(step.attrs.number("scale", 1));
  call_.causal = step.attrs.flag("causal");
  call_.rate = static_cast<float>(step.attrs.number("rate"));
  call_.key = static_cast<uint64_t>(step.attrs.integer("key"));
  if (sizes_.mask < 0) return;
  call_.added = in(sizes_.mask).dtype == DType::float32;
  const std::vector<int64_t> strides = broadcast_strides(in(sizes_.mask).shape, sizes_.scores());
  for (size_t axis = 0; axis < 4; ++axis) call_.mask_stride[axis] = strides[axis];
}

AttentionCall AttentionStep::at(void* const* addresses) const {
  AttentionCall call = call_;
  const AttentionSizes& s = sizes_;
  const auto input = [&](int i) { return static_cast<float*>(addresses[inputs_[static_cast<size_t>(i)]]); };
  const auto moved = [](float* from, int64_t by) { return from ? from + by : from; };
  const auto place = [&](float* first, int64_t at, int64_t packed, int64_t width) {
    return s.packed ? AttentionRows{moved(first, packed * width), 3 * width} : AttentionRows{moved(first, at), width};
  };
  const int64_t width = s.heads * s.dim;
  call.q = place(input(s.first), 0, 0, width);
  call.k = place(input(s.first + (s.packed ? 0 : 1)), 0, 1, width);
  call.v = place(input(s.first + (s.packed ? 0 : 2)), 0, 2, s.results());
  if (s.mask >= 0) call.mask = input(s.mask);
  float* const to = static_cast<float*>(addresses[output_]);
  call.y = call.backward ? input(0) : to;
  if (!call.backward) return call;
  call.d = input(1);
  call.d_q = place(to, 0, 0, width);
  call.d_k = place(to, s.q_size(), 1, width);
  call.d_v = place(to, s.q_size() + s.k_size(), 2, s.results());
  return call;
}

}  // namespace downhill
