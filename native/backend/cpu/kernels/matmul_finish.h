// What all kernels of matrix products share: how ranges are cut, and what happens to finished sums.
#pragma once
#include "backend/cpu/kernels/matmul.h"
#include "core/host_device.h"

namespace downhill::cpu::DH_ISA {
namespace {

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
DH_HOST_DEVICE Range part(int64_t total, int64_t parts, int64_t index) {
  return {total * index / parts, total * (index + 1) / parts};
}

/// c = bias, or zeros: a sum of no terms.
inline void fill(const MatmulArgs& args) {
  for (int64_t i = 0; i < args.m; ++i)
    for (int64_t j = 0; j < args.n; ++j) args.c[i * args.ldc + j] = args.bias ? args.bias[j] : 0.0f;
}

inline void finish_line(const MatmulArgs& args, int64_t at, int64_t n) {
  float* const c = args.c + at;
  if (args.activate) args.activate(c, c, n, args.activate_params);
  if (args.gradient) {
    const void* const in[] = {args.saved + at, c};
    const int64_t stride[] = {1, 1};
    args.gradient(in, stride, c, n, args.activate_params);
  }
  if (args.tail) args.tail(args.tail_context, at, n);
}

inline bool finishes(const MatmulArgs& args) { return args.activate || args.gradient || args.tail; }

/// The activation, or the gradient of one, of finished sums, and what follows.
inline void finish(const MatmulArgs& args, Range rows, Range columns) {
  if (!finishes(args)) return;
  const int64_t begin = rows.begin * args.ldc + columns.begin;
  if (args.ldc == columns.size()) return finish_line(args, begin, rows.size() * args.ldc);
  for (int64_t r = 0; r < rows.size(); ++r) finish_line(args, begin + r * args.ldc, columns.size());
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
