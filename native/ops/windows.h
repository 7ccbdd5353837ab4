// Windows that slide over images (n, height, width, channels): what convolutions and pooling know of their shapes. The
// attributes of the ops, as the shape rules leave them: strides and dilation [y, x], padding [top, bottom, left,
// right].
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/shape.h"
#include "ops/op.h"

namespace downhill {

/// Output element o reads input elements o · stride + t · dilation - before for t < kernel; those outside are no part
/// of the image: zeros to a convolution, nothing to a pool.
struct Axis {
  int64_t in, out, kernel, stride, dilation, before;

  /// First and end of the taps of output o that lie inside.
  DH_HOST_DEVICE int64_t first_tap(int64_t o) const {
    const int64_t start = o * stride - before;
    return start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  }
  DH_HOST_DEVICE int64_t end_tap(int64_t o) const {
    const int64_t left = in - (o * stride - before);
    const int64_t end = left <= 0 ? 0 : (left + dilation - 1) / dilation;
    return end < kernel ? end : kernel;
  }
  /// First and end of the outputs whose tap t lies inside.
  DH_HOST_DEVICE int64_t first_out(int64_t t) const {
    const int64_t start = t * dilation - before;
    const int64_t first = start >= 0 ? 0 : (-start + stride - 1) / stride;
    return first < out ? first : out;
  }
  DH_HOST_DEVICE int64_t end_out(int64_t t) const {
    const int64_t left = in - (t * dilation - before);
    const int64_t end = left <= 0 ? 0 : (left + stride - 1) / stride;
    return end < out ? end : out;
  }
  DH_HOST_DEVICE int64_t span() const { return (kernel - 1) * dilation + 1; }
};

struct Windows {
  int64_t n;
  Axis y, x;
};

/// A convolution of x (n, y.in, x.in, groups · c) with w (y.kernel, x.kernel, c, groups · co) to y (n, y.out, x.out,
/// groups · co).
struct ConvShape : Windows {
  int64_t groups, c, co;  // channels of one group
};

struct PoolShape : Windows {
  int64_t c;
};

inline Windows windows_of(const Shape& in, const Shape& out, int64_t kernel_y, int64_t kernel_x, const Attrs& attrs) {
  const std::vector<int64_t> strides = attrs.ints("strides"), dilation = attrs.ints("dilation"),
                             padding = attrs.ints("padding");
  const bool dilated = dilation.size() == 2;
  return {in[0],
          {in[1], out[1], kernel_y, strides[0], dilated ? dilation[0] : 1, padding[0]},
          {in[2], out[2], kernel_x, strides[1], dilated ? dilation[1] : 1, padding[2]}};
}

inline ConvShape conv_shape_of(const Shape& x, const Shape& w, const Shape& y, const Attrs& attrs) {
  const int64_t groups = attrs.integer("groups", 1);
  return {windows_of(x, y, w[0], w[1], attrs), groups, w[2], w[3] / groups};
}

inline PoolShape pool_shape_of(const Shape& x, const Shape& y, const Attrs& attrs) {
  const std::vector<int64_t> size = attrs.ints("poolSize");
  return {windows_of(x, y, size[0], size[1], attrs), x[3]};
}

}  // namespace downhill
