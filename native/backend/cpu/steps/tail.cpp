#include "backend/cpu/steps/tail.h"

#include <algorithm>

namespace downhill::cpu {

/// A result lies where the next one does that somebody reads; steps between two of these run in place.
Tail::Tail(const Build& build) {
  const Step& step = build.step;
  const std::vector<int> written = step.outputs();
  const auto root = [&](int id) {
    const int alias = build.plan.values[static_cast<size_t>(id)].alias_of;
    return alias >= 0 ? alias : id;
  };
  const auto is_written = [&](int id) { return std::find(written.begin(), written.end(), id) != written.end(); };
  const auto home = [&](size_t result) {  // of the product (0) and its tail
    for (;; ++result)
      if (const int id = result == 0 ? step.sums : step.tail[result - 1].output; is_written(id)) return id;
  };
  for (size_t i = 0; i < step.tail.size(); ++i) {
    const Step& part = step.tail[i];
    Call& call = calls_[count_++];
    const int before = i == 0 ? step.sums : step.tail[i - 1].output;
    for (int input : part.inputs) {
      const bool scalar = build.plan.values[static_cast<size_t>(input)].shape.size() == 1;
      call.stride[call.operands] = scalar && build.out().shape.size() != 1 ? 0 : 1;
      call.in[call.operands++] = root(input) == root(before) ? home(i) : input;
    }
    call.out = home(i + 1);
    if (is_noise(part.op)) {
      call.noise = noise_kernel(build.table, part.op);
      call.noise_params = noise_params(part.op, part.attrs);
    } else {
      call.elementwise = elementwise_kernel({build.plan, part, build.table});
      read_params(part.op, part.attrs, call.params);
    }
  }
}

void Tail::apply(const void* context, int64_t at, int64_t n) {
  constexpr int64_t kBlock = 2048;  // elements that stay in the first cache from one call to the next
  const Bound& bound = *static_cast<const Bound*>(context);
  for (int64_t begin = 0; begin < n; begin += kBlock)
    bound.tail->block(*bound.run, bound.first + at + begin, std::min(kBlock, n - begin));
}

void Tail::block(const Run& run, int64_t first, int64_t n) const {
  for (int i = 0; i < count_; ++i) {
    const Call& call = calls_[i];
    const void* in[kMaxOperands - 1];
    for (int k = 0; k < call.operands; ++k)
      in[k] = static_cast<const float*>(run.at[call.in[k]]) + first * call.stride[k];
    float* const out = static_cast<float*>(run.at[call.out]) + first;
    if (call.elementwise)
      call.elementwise(in, call.stride, out, n, call.params);
    else
      call.noise(static_cast<const float*>(in[0]), out, first, n, call.noise_params, run.step);
  }
}

}  // namespace downhill::cpu
