// Any range of an operand that is broadcast to the shape of the result, as an array side by side.
#pragma once
#include <algorithm>
#include <cstdint>

#include "backend/cpu/kernels/table.h"
#include "backend/layout.h"

namespace downhill::cpu {

class BroadcastReader {
 public:
  BroadcastReader(const Shape& operand, const Shape& result)
      : nest_(collapse(result, {strides_of(result), broadcast_strides(operand, result)})) {}

  bool is_linear() const { return nest_.rank == 1 && nest_.stride[1][0] == 1; }
  bool is_scalar() const { return nest_.rank == 1 && nest_.stride[1][0] == 0; }

  /// The operand starts anew after so many elements of the result.
  int64_t period() const {
    const int repeated = nest_.stride[1][0] == 0 ? 1 : 0;  // outer dimensions; neighbours alike have become one
    int64_t period = 1;
    for (int i = repeated; i < nest_.rank; ++i) period *= nest_.dims[i];
    return period;
  }

  /// Where elements begin … begin + count lie, `stride` apart; null where they are not evenly spaced.
  const int32_t* in_place(const int32_t* from, int64_t begin, int64_t count, int64_t& stride) const {
    const int last = nest_.rank - 1;
    const int64_t column = begin % nest_.dims[last];
    if (column + count > nest_.dims[last]) return nullptr;
    stride = nest_.stride[1][last];
    return from + Walk(nest_, 1, begin / nest_.dims[last]).offset(1) + column * stride;
  }

  /// to[0 … count) = elements begin … begin + count of the result's order.
  void operator()(const MovementKernels& kernels, const int32_t* from, int32_t* to, int64_t begin,
                  int64_t count) const {
    const int last = nest_.rank - 1;
    const int64_t columns = nest_.dims[last], group = last > 0 ? nest_.dims[last - 1] : 1;
    const int64_t from_stride[] = {last > 0 ? nest_.stride[1][last - 1] : 0, nest_.stride[1][last]};
    const int64_t to_stride[] = {columns, 1};
    while (count > 0) {
      const int64_t row = begin / columns, column = begin % columns;
      const bool part = column > 0 || count < columns;
      const int64_t n[] = {part ? 1 : std::min(group - row % group, count / columns),
                           part ? std::min(columns - column, count) : columns};
      const Walk walk(nest_, 1, row);
      kernels.copy(from + walk.offset(1) + column * from_stride[1], from_stride, to, to_stride, n);
      to += n[0] * n[1], begin += n[0] * n[1], count -= n[0] * n[1];
    }
  }

 private:
  Nest nest_;  // operand 0: the result; 1: the operand
};

}  // namespace downhill::cpu
