// Steps that move elements: everything that is a strided copy, and casts.
#include "backend/cuda/host/lower.h"

namespace downhill::cuda {

namespace {

using Strides = std::vector<int64_t>;

int64_t dot(const Strides& a, const Strides& b) {
  int64_t total = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) total += a[i] * b[i];
  return total;
}

/// Where element `offset` lies; null stays null (only sizes are asked for).
template <typename T>
T* element(T* start, int64_t offset) {
  using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
  return start ? static_cast<Byte*>(start) + offset * 4 : nullptr;
}

void add_copy(Lowering& lowering, const Shape& dims, const Strides& to, const Strides& from, int input = 0,
              int64_t to_offset = 0, int64_t from_offset = 0) {
  CopyArgs args{};
  args.to = element(lowering.output(), to_offset);
  args.from = element(lowering.input(input), from_offset);
  args.nest = collapse(dims, {to, from});
  lowering.add(args);
}

}  // namespace

DhCommand copy_unless_stopped(void* to, const void* from, size_t bytes, const StepState* state) {
  CopyArgs args{};
  args.to = to;
  args.from = from;
  const Shape whole{static_cast<int64_t>(bytes / 4)};
  args.nest = collapse(whole, {strides_of(whole), strides_of(whole)});
  args.unless_stopped = state;
  return command(args);
}

void lower_copy(Lowering& lowering) {
  const Attrs& attrs = lowering.step.attrs;
  const Shape &in = lowering.in(0).shape, &out = lowering.out().shape;
  const Strides from = strides_of(in), to = strides_of(out);
  switch (lowering.step.op) {
    case Op::concat: {
      int64_t position = 0;
      for (int i = 0; i < static_cast<int>(lowering.step.inputs.size()); ++i) {
        const Shape& part = lowering.in(i).shape;
        add_copy(lowering, part, to, strides_of(part), i, position * to[static_cast<size_t>(lowering.axis())]);
        position += part[lowering.axis()];
      }
      return;
    }
    case Op::pad:
      lowering.add(FillArgs{lowering.output(), out.size(), 0});
      return add_copy(lowering, in, to, from, 0, dot(attrs.ints("before"), to));
    case Op::broadcastTo:
      return add_copy(lowering, out, to, broadcast_strides(in, out));
    case Op::slice:
      return add_copy(lowering, out, to, from, 0, 0, dot(attrs.ints("begin"), from));
    case Op::transpose: {
      Strides permuted;
      for (int64_t axis : attrs.ints("permutation")) permuted.push_back(from[static_cast<size_t>(axis)]);
      return add_copy(lowering, out, to, permuted);
    }
    default:
      return add_copy(lowering, out, to, to);  // the same elements in another shape
  }
}

void lower_cast(Lowering& lowering) {
  const Value& out = lowering.out();
  if (lowering.in(0).dtype == out.dtype)
    return add_copy(lowering, out.shape, strides_of(out.shape), strides_of(out.shape));
  lowering.add(CastArgs{lowering.input(0), lowering.output(), out.shape.size(), out.dtype});
}

}  // namespace downhill::cuda
