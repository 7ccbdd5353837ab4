// Pooling, along the channels. An element of a window that is NaN is the largest; of equal ones it is the first.
#include "backend/cpu/kernels/conv_blocks.h"
#include "backend/cpu/kernels/conv_entry.h"
#include "backend/cpu/kernels/lanes.h"

namespace downhill::cpu::DH_ISA {
namespace {

using downhill::DH_ISA::FirstLargest;
constexpr int64_t kChannels = 128;  // looked at together

struct Taps {
  int64_t first_y, end_y, first_x, end_x;
  Taps(const Windows& s, int64_t oy, int64_t ox)
      : first_y(s.y.first_tap(oy)), end_y(s.y.end_tap(oy)), first_x(s.x.first_tap(ox)), end_x(s.x.end_tap(ox)) {}
  float count() const { return static_cast<float>((end_y - first_y) * (end_x - first_x)); }
};

/// Position, in elements, of a window's tap.
int64_t at(const PoolShape& s, int64_t image, int64_t oy, int64_t ox, int64_t ky, int64_t kx) {
  const int64_t iy = oy * s.y.stride + ky - s.y.before, ix = ox * s.x.stride + kx - s.x.before;
  return ((image * s.y.in + iy) * s.x.in + ix) * s.c;
}

/// Runs body(row, image, oy, ox) over the pixels of rows [begin, end) of all images.
template <typename F>
DH_HOST_DEVICE void for_pixels(const PoolShape& s, int64_t begin, int64_t end, F&& body) {
  for (int64_t row = begin; row < end; ++row)
    for (int64_t ox = 0; ox < s.x.out; ++ox) body(row * s.x.out + ox, row / s.y.out, row % s.y.out, ox);
}

void max_pool(const PoolShape& s, const float* x, float* y, int64_t begin, int64_t end) {
  for_pixels(s, begin, end, [&](int64_t pixel, int64_t image, int64_t oy, int64_t ox) {
    const Taps taps(s, oy, ox);
    float* const to = y + pixel * s.c;
    copy_floats(x + at(s, image, oy, ox, taps.first_y, taps.first_x), to, s.c);
    for (int64_t ky = taps.first_y; ky < taps.end_y; ++ky)
      for (int64_t kx = taps.first_x; kx < taps.end_x; ++kx) {
        const float* const from = x + at(s, image, oy, ox, ky, kx);
#pragma GCC ivdep
        for (int64_t c = 0; c < s.c; ++c) to[c] = MaxOf<float>::apply(to[c], from[c]);
      }
  });
}

/// best[c] ← the offset of the largest element from x, of `n` channels.
DH_HOST_DEVICE void largest(const PoolShape& s, const float* x, int64_t image, int64_t oy, int64_t ox, int64_t first,
                            int64_t n, float* value, int32_t* tap) {
  const Taps taps(s, oy, ox);
  const float* const begin = x + at(s, image, oy, ox, taps.first_y, taps.first_x) + first;
  const int32_t first_tap = static_cast<int32_t>(taps.first_y * s.x.kernel + taps.first_x);
  for (int64_t c = 0; c < n; ++c) value[c] = begin[c], tap[c] = first_tap;
  for (int64_t ky = taps.first_y; ky < taps.end_y; ++ky)
    for (int64_t kx = taps.first_x; kx < taps.end_x; ++kx) {
      const float* const from = x + at(s, image, oy, ox, ky, kx) + first;
      const int32_t here = static_cast<int32_t>(ky * s.x.kernel + kx);
#pragma GCC ivdep
      for (int64_t c = 0; c < n; ++c) {
        const float candidate = from[c], best = value[c];
        const bool takes = FirstLargest::replaces(candidate, best);
        value[c] = takes ? candidate : best;
        tap[c] = takes ? here : tap[c];
      }
    }
}

void max_pick(const PoolShape& s, const float* x, const float* z, float* y, int64_t begin, int64_t end) {
  float value[kChannels];
  int32_t tap[kChannels];
  for_pixels(s, begin, end, [&](int64_t pixel, int64_t image, int64_t oy, int64_t ox) {
    for (int64_t first = 0; first < s.c; first += kChannels) {
      const int64_t n = smaller(kChannels, s.c - first);
      largest(s, x, image, oy, ox, first, n, value, tap);
      for (int64_t c = 0; c < n; ++c)
        y[pixel * s.c + first + c] = z[at(s, image, oy, ox, tap[c] / s.x.kernel, tap[c] % s.x.kernel) + first + c];
    }
  });
}

void max_grad(const PoolShape& s, const float* x, const float* d_y, float* d_x, int64_t image, int64_t first,
              int64_t last) {
  float value[kChannels];
  int32_t tap[kChannels];
  const int64_t pixels = s.y.in * s.x.in;
  if (first == 0 && last == s.c)
    zero_floats(d_x + image * pixels * s.c, pixels * s.c);
  else
    for (int64_t i = 0; i < pixels; ++i) zero_floats(d_x + (image * pixels + i) * s.c + first, last - first);
  for (int64_t oy = 0; oy < s.y.out; ++oy)
    for (int64_t ox = 0; ox < s.x.out; ++ox)
      for (int64_t channel = first; channel < last; channel += kChannels) {
        const int64_t n = smaller(kChannels, last - channel);
        largest(s, x, image, oy, ox, channel, n, value, tap);
        const float* const from = d_y + ((image * s.y.out + oy) * s.x.out + ox) * s.c + channel;
        const Taps taps(s, oy, ox);
        for (int64_t ky = taps.first_y; ky < taps.end_y; ++ky)
          for (int64_t kx = taps.first_x; kx < taps.end_x; ++kx) {
            float* const to = d_x + at(s, image, oy, ox, ky, kx) + channel;
            const int32_t here = static_cast<int32_t>(ky * s.x.kernel + kx);
#pragma GCC ivdep
            for (int64_t c = 0; c < n; ++c) to[c] += tap[c] == here ? from[c] : 0.0f;
          }
      }
}

void average(const PoolShape& s, const float* x, float* y, int64_t begin, int64_t end) {
  for_pixels(s, begin, end, [&](int64_t pixel, int64_t image, int64_t oy, int64_t ox) {
    const Taps taps(s, oy, ox);
    float* const to = y + pixel * s.c;
    zero_floats(to, s.c);
    for (int64_t ky = taps.first_y; ky < taps.end_y; ++ky)
      for (int64_t kx = taps.first_x; kx < taps.end_x; ++kx) {
        const float* const from = x + at(s, image, oy, ox, ky, kx);
#pragma GCC ivdep
        for (int64_t c = 0; c < s.c; ++c) to[c] += from[c];
      }
    const float count = taps.count();
#pragma GCC ivdep
    for (int64_t c = 0; c < s.c; ++c) to[c] /= count;
  });
}

/// Outputs [first, end) whose windows hold input i.
struct Reach {
  int64_t first, end;
  Reach(const Axis& axis, int64_t i) {
    const int64_t from = i + axis.before - axis.kernel + 1;
    first = from <= 0 ? 0 : ceil_div(from, axis.stride);
    end = smaller(axis.out, (i + axis.before) / axis.stride + 1);
  }
};

void average_grad(const PoolShape& s, const float* d_y, float* d_x, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t image = row / s.y.in;
    const Reach rows(s.y, row % s.y.in);
    for (int64_t ix = 0; ix < s.x.in; ++ix) {
      const Reach columns(s.x, ix);
      float* const to = d_x + (row * s.x.in + ix) * s.c;
      zero_floats(to, s.c);
      for (int64_t oy = rows.first; oy < rows.end; ++oy)
        for (int64_t ox = columns.first; ox < columns.end; ++ox) {
          const float* const from = d_y + ((image * s.y.out + oy) * s.x.out + ox) * s.c;
          const float count = Taps(s, oy, ox).count();
#pragma GCC ivdep
          for (int64_t c = 0; c < s.c; ++c) to[c] += from[c] / count;
        }
    }
  }
}

}  // namespace

extern const PoolKernels pool_kernels = {max_pool, max_pick, max_grad, average, average_grad};

}  // namespace downhill::cpu::DH_ISA
