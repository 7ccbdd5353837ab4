// Convolutions with one channel in each group: elementwise products along the channels.
#pragma once
#include "backend/cpu/kernels/conv_blocks.h"
#include "backend/cpu/kernels/conv_direct.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu::DH_ISA {
namespace {

/// to[g · m + j] += x[g] · w[g · m + j]
DH_HOST_DEVICE void add_stretched(const float* x, const float* w, float* to, int64_t groups, int64_t m) {
  if (m == 1) {
    int64_t i = 0;
    for (; i + kWidth <= groups; i += kWidth) store(to + i, fma(load(x + i), load(w + i), load(to + i)));
    for (; i < groups; ++i) to[i] += x[i] * w[i];
    return;
  }
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t j = 0; j < m; ++j) to[g * m + j] += x[g] * w[g * m + j];
}

/// to[g] += Σ_j y[g · m + j] · w[g · m + j]
DH_HOST_DEVICE void add_gathered(const float* y, const float* w, float* to, int64_t groups, int64_t m) {
  if (m == 1) return add_stretched(y, w, to, groups, 1);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t j = 0; j < m; ++j) to[g] += y[g * m + j] * w[g * m + j];
}

/// Runs body(row) over rows of images.
template <typename F>
void for_rows(int64_t rows, int64_t flops, F&& body) {
  const int64_t chunks = chunks_of(rows, flops);
  parallel_for(chunks, [&](int64_t chunk) {
    const Range range = part(rows, chunks, chunk);
    for (int64_t row = range.begin; row < range.end; ++row) body(row);
  });
}

inline int64_t depthwise_flops(const ConvShape& s) {
  return 2 * s.n * s.y.out * s.x.out * s.y.kernel * s.x.kernel * s.groups * s.co;
}

inline void run_depthwise(const ConvArgs& args) {
  const ConvShape& s = args.shape;
  const int64_t channels = s.groups * s.co;
  const MatmulArgs epilogue = epilogue_of(args);
  for_rows(s.n * s.y.out, depthwise_flops(s), [&](int64_t row) {
    const int64_t image = row / s.y.out, oy = row % s.y.out;
    float* to = args.to + row * s.x.out * channels;
    const int64_t first_y = s.y.first_tap(oy), end_y = s.y.end_tap(oy);
    for (int64_t ox = 0; ox < s.x.out; ++ox, to += channels) {
      if (args.bias)
        copy_floats(args.bias, to, channels);
      else
        zero_floats(to, channels);
      const int64_t first_x = s.x.first_tap(ox), end_x = s.x.end_tap(ox);
      for (int64_t ky = first_y; ky < end_y; ++ky)
        for (int64_t kx = first_x; kx < end_x; ++kx) {
          const int64_t iy = oy * s.y.stride + ky * s.y.dilation - s.y.before,
                        ix = ox * s.x.stride + kx * s.x.dilation - s.x.before;
          add_stretched(args.x + ((image * s.y.in + iy) * s.x.in + ix) * s.groups,
                        args.w + (ky * s.x.kernel + kx) * channels, to, s.groups, s.co);
        }
    }
    if (epilogue.activate || epilogue.gradient)
      finish_line(epilogue, row * s.x.out * channels, s.x.out * channels);
  });
}

inline void run_depthwise_input(const ConvArgs& args) {
  const ConvShape& s = args.shape;
  const int64_t channels = s.groups * s.co;
  for_rows(s.n * s.y.in, depthwise_flops(s), [&](int64_t row) {
    const int64_t image = row / s.y.in, iy = row % s.y.in;
    float* to = args.to + row * s.x.in * s.groups;
    for (int64_t ix = 0; ix < s.x.in; ++ix, to += s.groups) {
      zero_floats(to, s.groups);
      for (int64_t ky = 0; ky < s.y.kernel; ++ky) {
        const int64_t at_y = iy + s.y.before - ky * s.y.dilation;
        if (at_y < 0 || at_y % s.y.stride || at_y / s.y.stride >= s.y.out) continue;
        for (int64_t kx = 0; kx < s.x.kernel; ++kx) {
          const int64_t at_x = ix + s.x.before - kx * s.x.dilation;
          if (at_x < 0 || at_x % s.x.stride || at_x / s.x.stride >= s.x.out) continue;
          add_gathered(args.d_y + ((image * s.y.out + at_y / s.y.stride) * s.x.out + at_x / s.x.stride) * channels,
                       args.w + (ky * s.x.kernel + kx) * channels, to, s.groups, s.co);
        }
      }
    }
  });
}

inline int64_t depthwise_chunks(const ConvShape& s) {
  return larger(1, smaller(smaller(s.n, 16), depthwise_flops(s) / kConvChunkFlops + 1));
}

inline size_t depthwise_filter_scratch(const ConvShape& s) {
  return static_cast<size_t>(depthwise_chunks(s)) * rounded_up(s.y.kernel * s.x.kernel * s.groups * s.co);
}

inline void run_depthwise_filter(const ConvArgs& args) {
  const ConvShape& s = args.shape;
  const int64_t channels = s.groups * s.co, size = s.y.kernel * s.x.kernel * channels;
  const int64_t chunks = depthwise_chunks(s);
  const int64_t step = static_cast<int64_t>(rounded_up(size) / sizeof(float));
  float* const partials = reinterpret_cast<float*>(args.scratch);
  parallel_for(chunks, [&](int64_t chunk) {
    float* const to = partials + chunk * step;
    zero_floats(to, size);
    const Range images = part(s.n, chunks, chunk);
    for (int64_t image = images.begin; image < images.end; ++image)
      for (int64_t oy = 0; oy < s.y.out; ++oy)
        for (int64_t ox = 0; ox < s.x.out; ++ox) {
          const float* const y = args.d_y + ((image * s.y.out + oy) * s.x.out + ox) * channels;
          for (int64_t ky = s.y.first_tap(oy); ky < s.y.end_tap(oy); ++ky)
            for (int64_t kx = s.x.first_tap(ox); kx < s.x.end_tap(ox); ++kx) {
              const int64_t iy = oy * s.y.stride + ky * s.y.dilation - s.y.before,
                            ix = ox * s.x.stride + kx * s.x.dilation - s.x.before;
              add_stretched(args.x + ((image * s.y.in + iy) * s.x.in + ix) * s.groups, y,
                            to + (ky * s.x.kernel + kx) * channels, s.groups, s.co);
            }
        }
  });
  for (int64_t i = 0; i < size; ++i) {
    float sum = partials[i];
    for (int64_t chunk = 1; chunk < chunks; ++chunk) sum += partials[chunk * step + i];
    args.to[i] = sum;
  }
}

}  // namespace
}  // namespace downhill::cpu::DH_ISA
