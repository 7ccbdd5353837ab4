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
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t j = 0; j < m; ++j) to[g] += y[g * m + j] * w[g * m + j];
}

constexpr int64_t kDepthwiseVecs = 4;  // of channels whose sums stay in registers

/// to[0 … V vectors) = first (null: zeros) + Σ over taps of x[…] · w[…], of channels side by side.
template <int V>
DH_HOST_DEVICE void depthwise_sums(const Windows& s, const float* x, const float* w, int64_t channels, Range rows,
                                   Range columns, const float* first, float* to) {
  Vec sum[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) sum[v] = first ? load(first + v * kWidth) : zero();
  for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
    const float* from = x + (ky * s.y.dilation * s.x.in + columns.begin * s.x.dilation) * channels;
    const float* weights = w + (ky * s.x.kernel + columns.begin) * channels;
    for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[v] = fma(load(from + v * kWidth), load(weights + v * kWidth), sum[v]);
      from += s.x.dilation * channels;
      weights += channels;
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) store(to + v * kWidth, sum[v]);
}

/// The same for any number of channels.
DH_HOST_DEVICE void depthwise_pixel(const Windows& s, const float* x, const float* w, int64_t channels, Range rows,
                                    Range columns, const float* first, float* to) {
  int64_t c = 0;
  const auto from = [&] { return first ? first + c : nullptr; };
  for (; c + kDepthwiseVecs * kWidth <= channels; c += kDepthwiseVecs * kWidth)
    depthwise_sums<kDepthwiseVecs>(s, x + c, w + c, channels, rows, columns, from(), to + c);
  for (; c + kWidth <= channels; c += kWidth)
    depthwise_sums<1>(s, x + c, w + c, channels, rows, columns, from(), to + c);
  for (; c < channels; ++c) {
    float sum = first ? first[c] : 0.0f;
    for (int64_t ky = rows.begin; ky < rows.end; ++ky)
      for (int64_t kx = columns.begin; kx < columns.end; ++kx)
        sum += x[(ky * s.y.dilation * s.x.in + kx * s.x.dilation) * channels + c] *
               w[(ky * s.x.kernel + kx) * channels + c];
    to[c] = sum;
  }
}

constexpr int kTapsTogether = 32;

/// to[c] += Σ_i y[i][c] · w[i][c] for i < count, of channels side by side.
DH_HOST_DEVICE void add_taps(const float* const* y, const float* const* w, int count, int64_t channels, float* to) {
  int64_t c = 0;
  for (; c + kDepthwiseVecs * kWidth <= channels; c += kDepthwiseVecs * kWidth) {
    Vec sum[kDepthwiseVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kDepthwiseVecs; ++v) sum[v] = load(to + c + v * kWidth);
    for (int i = 0; i < count; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kDepthwiseVecs; ++v)
        sum[v] = fma(load(y[i] + c + v * kWidth), load(w[i] + c + v * kWidth), sum[v]);
#pragma GCC unroll 4
    for (int v = 0; v < kDepthwiseVecs; ++v) store(to + c + v * kWidth, sum[v]);
  }
  for (; c < channels; ++c)
    for (int i = 0; i < count; ++i) to[c] += y[i][c] * w[i][c];
}

/// to[c] += Σ_i x[i · x_step + c] · y[i · channels + c] for i < n.
DH_HOST_DEVICE void add_products(const float* x, int64_t x_step, const float* y, int64_t n, int64_t channels,
                                 float* to) {
  int64_t c = 0;
  for (; c + kDepthwiseVecs * kWidth <= channels; c += kDepthwiseVecs * kWidth) {
    Vec sum[kDepthwiseVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kDepthwiseVecs; ++v) sum[v] = load(to + c + v * kWidth);
    for (int64_t i = 0; i < n; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kDepthwiseVecs; ++v)
        sum[v] = fma(load(x + i * x_step + c + v * kWidth), load(y + i * channels + c + v * kWidth), sum[v]);
#pragma GCC unroll 4
    for (int v = 0; v < kDepthwiseVecs; ++v) store(to + c + v * kWidth, sum[v]);
  }
  for (; c < channels; ++c)
    for (int64_t i = 0; i < n; ++i) to[c] += x[i * x_step + c] * y[i * channels + c];
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
      if (s.co == 1) {
        const int64_t iy = oy * s.y.stride - s.y.before, ix = ox * s.x.stride - s.x.before;
        depthwise_pixel(s, args.x + ((image * s.y.in + iy) * s.x.in + ix) * s.groups, args.w, channels,
                        {first_y, end_y}, {s.x.first_tap(ox), s.x.end_tap(ox)}, args.bias, to);
        continue;
      }
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
    if (epilogue.activate || epilogue.gradient) finish_line(epilogue, row * s.x.out * channels, s.x.out * channels);
  });
}

/// The output whose tap t is input i; -1: none.
DH_HOST_DEVICE int64_t output_of(const Axis& axis, int64_t i, int64_t tap) {
  int64_t at = i + axis.before - tap * axis.dilation;
  if (at < 0) return -1;
  if (axis.stride > 1) {
    if (at % axis.stride) return -1;
    at /= axis.stride;
  }
  return at < axis.out ? at : -1;
}

inline void run_depthwise_input(const ConvArgs& args) {
  const ConvShape& s = args.shape;
  const int64_t channels = s.groups * s.co;
  for_rows(s.n * s.y.in, depthwise_flops(s), [&](int64_t row) {
    const int64_t image = row / s.y.in, iy = row % s.y.in;
    float* to = args.to + row * s.x.in * s.groups;
    for (int64_t ix = 0; ix < s.x.in; ++ix, to += s.groups) {
      zero_floats(to, s.groups);
      const float *ys[kTapsTogether], *ws[kTapsTogether];
      int count = 0;
      for (int64_t ky = 0; ky < s.y.kernel; ++ky) {
        const int64_t oy = output_of(s.y, iy, ky);
        if (oy < 0) continue;
        for (int64_t kx = 0; kx < s.x.kernel; ++kx) {
          const int64_t ox = output_of(s.x, ix, kx);
          if (ox < 0) continue;
          const float* const y = args.d_y + ((image * s.y.out + oy) * s.x.out + ox) * channels;
          const float* const w = args.w + (ky * s.x.kernel + kx) * channels;
          if (s.co > 1) {
            add_gathered(y, w, to, s.groups, s.co);
            continue;
          }
          ys[count] = y, ws[count] = w;
          if (++count < kTapsTogether) continue;
          add_taps(ys, ws, count, s.groups, to);
          count = 0;
        }
      }
      add_taps(ys, ws, count, s.groups, to);
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
      for (int64_t oy = 0; oy < s.y.out; ++oy) {
        if (s.co == 1) {
          for (int64_t ky = s.y.first_tap(oy); ky < s.y.end_tap(oy); ++ky)
            for (int64_t kx = 0; kx < s.x.kernel; ++kx) {
              const int64_t first = s.x.first_out(kx), end = s.x.end_out(kx);
              if (first >= end) continue;
              const int64_t iy = oy * s.y.stride + ky * s.y.dilation - s.y.before,
                            ix = first * s.x.stride + kx * s.x.dilation - s.x.before;
              add_products(args.x + ((image * s.y.in + iy) * s.x.in + ix) * channels, s.x.stride * channels,
                           args.d_y + ((image * s.y.out + oy) * s.x.out + first) * channels, end - first, channels,
                           to + (ky * s.x.kernel + kx) * channels);
            }
          continue;
        }
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
