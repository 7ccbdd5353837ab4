// A convolution and its input gradient as sums over windows: the gradient in as many parts as there are positions
// within a stride.
#pragma once
#include "backend/cpu/kernels/conv_blocks.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// Taps of one axis that a part of an input gradient has, and where its pixels lie.
struct Part {
  Axis axis;
  int64_t first, step;     // pixel q of the part is pixel first + q · step of the result
  int64_t tap0, tap_step;  // tap u of the part is tap tap0 + u · tap_step of the kernel
};

/// Part `a` of stride s: pixels a, a + s, a + 2s …; their taps are those that meet an output, in reverse order.
DH_HOST_DEVICE Part part_of(const Axis& conv, int64_t a) {
  const int64_t s = conv.stride, d = conv.dilation;
  Part part = {{conv.out, conv.in > a ? (conv.in - a + s - 1) / s : 0, 0, 1, 1, 0}, a, s, 0, 1};
  int64_t g = s, rest = d % s;
  while (rest) {
    const int64_t next = g % rest;
    g = rest, rest = next;
  }
  const int64_t period = s / g;
  const int64_t end = smaller(period, conv.kernel);
  int64_t first = 0;
  while (first < end && (a + conv.before - first * d) % s != 0) ++first;
  if (first == end) return part;
  const int64_t count = (conv.kernel - first + period - 1) / period;
  const int64_t base = (a + conv.before - first * d) / s;
  part.axis.kernel = count;
  part.axis.dilation = d / g;
  part.axis.before = (count - 1) * (d / g) - base;
  part.tap0 = first + (count - 1) * period;
  part.tap_step = -period;
  return part;
}

struct Direct {
  Windows shape;
  int64_t groups, c, co;  // channels of a group, read and written
  bool transposed;        // w is (taps, co, groups · c), else (taps, c, groups · co)
  Part y, x;
  int64_t kernel_x;            // of w
  int64_t result_y, result_x;  // size of the images that are written

  int64_t panels() const { return ceil_div(co, kTileCols); }
  int64_t taps() const { return shape.y.kernel * shape.x.kernel; }
  int64_t panel_floats() const { return taps() * c * kTileCols; }
  int64_t flops() const { return 2 * shape.n * shape.y.out * shape.x.out * taps() * c * co * groups; }
  bool empty() const { return shape.n * shape.y.out * shape.x.out * co == 0; }
  size_t weight_bytes() const { return rounded_up(groups * panels() * panel_floats()); }
};

DH_HOST_DEVICE Part whole(const Axis& axis) { return {axis, 0, 1, 0, 1}; }

inline Direct forward_of(const ConvShape& s) {
  return {s, s.groups, s.c, s.co, false, whole(s.y), whole(s.x), s.x.kernel, s.y.out, s.x.out};
}

/// Positions within a stride that images have, along an axis.
inline int64_t positions(const Axis& axis) { return smaller(axis.stride, axis.in); }

inline int64_t parts_of_gradient(const ConvShape& s) { return positions(s.y) * positions(s.x); }

inline Direct part_of_gradient(const ConvShape& s, int64_t index) {
  const Part y = part_of(s.y, index / positions(s.x)), x = part_of(s.x, index % positions(s.x));
  return {{s.n, y.axis, x.axis}, s.groups, s.co, s.c, true, y, x, s.x.kernel, s.y.in, s.x.in};
}

/// Runs body(part) for the parts of an input gradient that have taps.
template <typename F>
void for_parts_with_taps(const ConvShape& s, F&& body) {
  for (int64_t i = 0; i < parts_of_gradient(s); ++i) {
    const Direct part = part_of_gradient(s, i);
    if (!part.empty() && part.taps() > 0) body(part);
  }
}

/// The same; where a part has no taps, zeros come first.
template <typename F>
void for_parts(const ConvArgs& args, F&& body) {
  const ConvShape& s = args.shape;
  const int64_t parts = parts_of_gradient(s);
  bool whole = true;  // every pixel has taps
  for (int64_t i = 0; i < parts; ++i) {
    const Direct part = part_of_gradient(s, i);
    whole = whole && (part.empty() || part.taps() > 0);
  }
  if (!whole) zero_floats(args.to, s.n * s.y.in * s.x.in * s.groups * s.c);
  for_parts_with_taps(s, body);
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
