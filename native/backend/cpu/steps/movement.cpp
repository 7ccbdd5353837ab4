// Steps that move elements: everything that is a strided copy, and casts.
#include <algorithm>
#include <cstring>

#include "backend/cpu/program.h"
#include "backend/layout.h"

namespace downhill::cpu {

namespace {

/// Copies between two strided arrays of one shape.
class StridedCopy {
 public:
  StridedCopy(const KernelTable& table, const Shape& dims, const std::vector<int64_t>& to,
              const std::vector<int64_t>& from, int64_t to_offset = 0, int64_t from_offset = 0)
      : copy_(table.movement.copy),
        nest_(collapse(dims, {to, from})),
        to_offset_(to_offset),
        from_offset_(from_offset) {
    if (nest_.rank == 1) return;
    // A dimension that the source walks side by side goes next to the innermost, so that the kernel sees a
    // transposition.
    const int last = nest_.rank - 1;
    if (nest_.stride[1][last] > 1)
      for (int i = 0; i < last; ++i)
        if (nest_.stride[1][i] == 1) {
          std::rotate(nest_.dims + i, nest_.dims + i + 1, nest_.dims + last);
          for (int k = 0; k < 2; ++k) std::rotate(nest_.stride[k] + i, nest_.stride[k] + i + 1, nest_.stride[k] + last);
          break;
        }
  }

  void operator()(const void* from, void* to) const {
    if (nest_.size() == 0) return;
    const int32_t* x = static_cast<const int32_t*>(from) + from_offset_;
    int32_t* y = static_cast<int32_t*>(to) + to_offset_;
    const int last = nest_.rank - 1;
    const int64_t columns = nest_.dims[last];
    if (last == 0) {
      const int64_t to_stride[] = {0, nest_.stride[0][0]}, from_stride[] = {0, nest_.stride[1][0]};
      return for_pieces(columns, 2 * kChunk, [&](int64_t begin, int64_t end) {
        const int64_t n[] = {1, end - begin};
        copy_(x + begin * from_stride[1], from_stride, y + begin * to_stride[1], to_stride, n);
      });
    }
    const int64_t rows = nest_.dims[last - 1], outer = nest_.size() / (rows * columns);
    const int64_t block = std::min(rows, std::max<int64_t>(16, items_per_piece(columns))),
                  blocks = (rows + block - 1) / block;
    const int64_t to_stride[] = {nest_.stride[0][last - 1], nest_.stride[0][last]};
    const int64_t from_stride[] = {nest_.stride[1][last - 1], nest_.stride[1][last]};
    for_pieces(outer * blocks, items_per_piece(block * columns), [&](int64_t begin, int64_t end) {
      Walk walk(nest_, 2, begin / blocks);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i % blocks * block, n[] = {std::min(block, rows - row), columns};
        copy_(x + walk.offset(1) + row * from_stride[0], from_stride, y + walk.offset(0) + row * to_stride[0],
              to_stride, n);
        if (i % blocks == blocks - 1) walk.next();
      }
    });
  }

 private:
  decltype(MovementKernels::copy) copy_;
  Nest nest_;  // operand 0: to; 1: from
  int64_t to_offset_, from_offset_;
};

int64_t dot(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  int64_t total = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) total += a[i] * b[i];
  return total;
}

std::unique_ptr<Launch> copy_one(const Build& build, StridedCopy copy) {
  const int from = build.id(0), to = build.step.output;
  return launch([=](const Run& run) { copy(run.at[from], run.at[to]); });
}

std::unique_ptr<Launch> concat(const Build& build) {
  const std::vector<int64_t> to = strides_of(build.out().shape);
  std::vector<std::pair<int, StridedCopy>> parts;
  int64_t position = 0;
  for (size_t i = 0; i < build.step.inputs.size(); ++i) {
    const Shape& in = build.in(static_cast<int>(i)).shape;
    parts.emplace_back(build.step.inputs[i],
                       StridedCopy(build.table, in, to, strides_of(in), position * to[build.axis()]));
    position += in[build.axis()];
  }
  const int target = build.step.output;
  return launch([parts = std::move(parts), target](const Run& run) {
    for (const auto& [from, copy] : parts) copy(run.at[from], run.at[target]);
  });
}

std::unique_ptr<Launch> pad(const Build& build) {
  const Shape& in = build.in(0).shape;
  const std::vector<int64_t> to = strides_of(build.out().shape);
  const StridedCopy copy(build.table, in, to, strides_of(in), dot(build.step.attrs.ints("before"), to));
  const int from = build.id(0), target = build.step.output;
  const size_t bytes = build.out().bytes();
  return launch([=](const Run& run) {
    if (bytes) std::memset(run.at[target], 0, bytes);
    copy(run.at[from], run.at[target]);
  });
}

}  // namespace

std::unique_ptr<Launch> compile_copy(const Build& build) {
  const Shape &in = build.in(0).shape, &out = build.out().shape;
  const std::vector<int64_t> from = strides_of(in), to = strides_of(out);
  switch (build.step.op) {
    case Op::concat:
      return concat(build);
    case Op::pad:
      return pad(build);
    case Op::broadcastTo:
      return copy_one(build, StridedCopy(build.table, out, to, broadcast_strides(in, out)));
    case Op::slice:
      return copy_one(build, StridedCopy(build.table, out, to, from, 0, dot(build.step.attrs.ints("begin"), from)));
    case Op::transpose: {
      std::vector<int64_t> permuted;
      for (int64_t axis : build.step.attrs.ints("permutation")) permuted.push_back(from[axis]);
      return copy_one(build, StridedCopy(build.table, out, to, permuted));
    }
    default:
      return copy_one(build, StridedCopy(build.table, out, to, to));  // the same elements in another shape
  }
}

std::unique_ptr<Launch> compile_cast(const Build& build) {
  const DType in = build.in(0).dtype, out = build.out().dtype;
  if (in == out) return compile_copy(build);
  const int from = build.id(0), to = build.step.output;
  const int64_t n = build.out().shape.size();
  const MovementKernels* kernels = &build.table.movement;
  return launch([=](const Run& run) {
    const float* f = static_cast<const float*>(run.at[from]);
    const int32_t* i = static_cast<const int32_t*>(run.at[from]);
    for_pieces(n, kChunk, [&](int64_t begin, int64_t end) {
      if (out == DType::int32)
        kernels->to_int(f + begin, static_cast<int32_t*>(run.at[to]) + begin, end - begin);
      else
        kernels->to_float(i + begin, static_cast<float*>(run.at[to]) + begin, end - begin);
    });
  });
}

}  // namespace downhill::cpu
