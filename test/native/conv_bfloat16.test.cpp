// Convolutions of operands rounded to bfloat16, of every engine that this machine has, against sums in double precision
// of the same operands; and float32 from three parts beside the chains of AVX-512.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/pool.h"
#include "backend/cpu/processor.h"
#include "check.h"

namespace {

using downhill::Axis;
using downhill::ConvShape;
using downhill::cpu::ConvArgs;
using downhill::cpu::ConvKernels;
using downhill::cpu::ConvPass;
using downhill::cpu::set_threads;

struct Engine {
  const char* name;
  const ConvKernels* kernels;
};

std::vector<Engine> engines() {
  std::vector<Engine> list;
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::has_avx512_bf16())
    list.push_back({"avx512_bf16", &downhill::cpu::avx512_bf16::bfloat16_conv_kernels});
  if (downhill::cpu::may_use_amx()) list.push_back({"amx", &downhill::cpu::amx::bfloat16_conv_kernels});
#endif
  return list;
}

constexpr ConvPass kPasses[] = {ConvPass::forward, ConvPass::input_gradient, ConvPass::filter_gradient};
constexpr float kCanary = -12345.5f;

/// To nearest, ties to even.
float rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

/// in, kernel, stride, dilation, zeros before and behind.
Axis axis(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t behind) {
  const int64_t span = (kernel - 1) * dilation + 1;
  return {in, (in + before + behind - span) / stride + 1, kernel, stride, dilation, before};
}

ConvShape shape(int64_t n, const Axis& y, const Axis& x, int64_t groups, int64_t c, int64_t co) {
  ConvShape s;
  s.n = n, s.y = y, s.x = x, s.groups = groups, s.c = c, s.co = co;
  return s;
}

std::string text(const ConvShape& s, ConvPass pass) {
  const auto of = [](const Axis& a) {
    return std::to_string(a.in) + "->" + std::to_string(a.out) + " k" + std::to_string(a.kernel) + " s" +
           std::to_string(a.stride) + " d" + std::to_string(a.dilation) + " p" + std::to_string(a.before);
  };
  return "pass " + std::to_string(static_cast<int>(pass)) + ", n " + std::to_string(s.n) + ", y " + of(s.y) + ", x " +
         of(s.x) + ", " + std::to_string(s.groups) + " groups of " + std::to_string(s.c) + "-" + std::to_string(s.co);
}

void shifted_square(const float* x, float* y, int64_t n, const float* params) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i] + params[0];
}

void scaled_product(const void* const* in, const int64_t*, void* out, int64_t n, const float* params) {
  const float *saved = static_cast<const float*>(in[0]), *x = static_cast<const float*>(in[1]);
  for (int64_t i = 0; i < n; ++i) static_cast<float*>(out)[i] = saved[i] * x[i] * params[0];
}

using Draw = std::function<float(std::mt19937&)>;
const Draw kUniform = [](std::mt19937& random) { return std::uniform_real_distribution<float>(-1, 1)(random); };

/// Σ and Σ|·| of all products, in double.
struct Sums {
  std::vector<double> value, size;
};

struct Problem {
  ConvShape s;
  ConvPass pass;
  int epilogue;                             // of the forward pass: 1: bias, 2: activation, 4: gradient
  std::vector<float> x, w, y, bias, saved;  // exactly sized, so that the address sanitizer sees every read beyond them
  std::vector<float> to;
  float params[1] = {0.25f};

  Problem(const ConvShape& shape, ConvPass of, int what, std::mt19937& random, const Draw& draw, const Draw& draw_w)
      : s(shape), pass(of), epilogue(of == ConvPass::forward ? what : 0) {
    x = fill(s.n * s.y.in * s.x.in * s.groups * s.c, random, draw);
    w = fill(s.y.kernel * s.x.kernel * s.c * s.groups * s.co, random, draw_w);
    y = fill(s.n * s.y.out * s.x.out * s.groups * s.co, random, pass == ConvPass::filter_gradient ? draw_w : draw);
    bias = fill(s.groups * s.co, random, draw), saved = fill(static_cast<int64_t>(y.size()), random, draw);
    std::vector<float>& result = pass == ConvPass::forward ? y : pass == ConvPass::input_gradient ? x : w;
    to.assign(result.size() + 16, kCanary);
    result.clear();
  }
  static std::vector<float> fill(int64_t n, std::mt19937& random, const Draw& draw) {
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) value = draw(random);
    return values;
  }

  void run(const ConvKernels& kernels) {
    const size_t bytes = kernels.scratch_bytes(s, pass);
    std::unique_ptr<std::byte[]> block(new std::byte[bytes + 64 + 64]);
    std::byte* scratch = block.get() + (64 - reinterpret_cast<uintptr_t>(block.get()) % 64) % 64;
    std::memset(scratch, 0xff, bytes);  // NaN
    std::memset(scratch + bytes, 0x5a, 16);
    ConvArgs args;
    args.shape = s;
    args.x = x.data(), args.w = w.data(), args.d_y = y.data(), args.to = to.data();
    args.scratch = scratch, args.activate_params = params;
    if (epilogue & 1) args.bias = bias.data();
    if (epilogue & 2) args.activate = shifted_square;
    if (epilogue & 4) args.gradient = scaled_product, args.saved = saved.data();
    kernels.run(args, pass);
    for (int i = 0; i < 16; ++i) CHECK(scratch[bytes + static_cast<size_t>(i)] == std::byte{0x5a}, "scratch overrun");
    for (size_t i = to.size() - 16; i < to.size(); ++i) CHECK(to[i] == kCanary, "result overrun");
  }

  Sums sums() const {
    Sums all = {std::vector<double>(to.size() - 16), std::vector<double>(to.size() - 16)};
    const int64_t channels = s.groups * s.c, filters = s.groups * s.co;
    for (int64_t n = 0; n < s.n; ++n)
      for (int64_t oy = 0; oy < s.y.out; ++oy)
        for (int64_t ox = 0; ox < s.x.out; ++ox)
          for (int64_t ky = 0; ky < s.y.kernel; ++ky)
            for (int64_t kx = 0; kx < s.x.kernel; ++kx) {
              const int64_t iy = oy * s.y.stride + ky * s.y.dilation - s.y.before,
                            ix = ox * s.x.stride + kx * s.x.dilation - s.x.before;
              if (iy < 0 || iy >= s.y.in || ix < 0 || ix >= s.x.in) continue;
              for (int64_t g = 0; g < s.groups; ++g)
                for (int64_t c = 0; c < s.c; ++c)
                  for (int64_t f = 0; f < s.co; ++f) {
                    const size_t at_x = static_cast<size_t>(((n * s.y.in + iy) * s.x.in + ix) * channels + g * s.c + c),
                                 at_w =
                                     static_cast<size_t>(((ky * s.x.kernel + kx) * s.c + c) * filters + g * s.co + f),
                                 at_y =
                                     static_cast<size_t>(((n * s.y.out + oy) * s.x.out + ox) * filters + g * s.co + f);
                    const bool forward = pass == ConvPass::forward, input = pass == ConvPass::input_gradient;
                    const size_t at = forward ? at_y : input ? at_x : at_w;
                    const double term = static_cast<double>(forward || !input ? x[at_x] : y[at_y]) *
                                        static_cast<double>(forward || input ? w[at_w] : y[at_y]);
                    all.value[at] += term, all.size[at] += std::fabs(term);
                  }
            }
    return all;
  }

  /// Largest error in units of 2^-24 of Σ|a·b|.
  double error(const Sums& all) const {
    double worst = 0;
    for (size_t i = 0; i < all.value.size(); ++i) {
      double value = all.value[i], scale = all.size[i];
      const double b = static_cast<double>(bias[i % bias.size()]);
      if (epilogue & 1) value += b, scale += std::fabs(b);
      if (epilogue & 2) scale = 2 * std::fabs(value) * scale + value * value + 1, value = value * value + 0.25;
      if (epilogue & 4) {
        const double factor = static_cast<double>(saved[i]) * 0.25;
        value *= factor, scale *= std::fabs(factor);
      }
      const double got = static_cast<double>(to[i]);
      if (!std::isfinite(got)) return INFINITY;
      worst = std::fmax(worst, (std::fabs(got - value) - 0x1p-149) / (scale * 0x1p-24 + 1e-300));
    }
    return worst;
  }
};

/// With strides, dilation, groups, all kinds of padding (also negative), whole and odd strips, several blocks of
/// images, columns and rows.
std::vector<ConvShape> shapes() {
  const auto same = [](int64_t in, int64_t kernel) { return axis(in, kernel, 1, 1, (kernel - 1) / 2, kernel / 2); };
  return {
      shape(40, same(5, 5), same(4, 3), 1, 32, 48),
      shape(33, axis(7, 3, 2, 1, 0, 1), axis(6, 3, 2, 1, 1, 1), 1, 40, 20),
      shape(16, axis(9, 3, 2, 2, 2, 2), axis(8, 2, 3, 1, 0, 0), 1, 33, 64),
      shape(20, axis(1, 1, 1, 1, 0, 0), axis(30, 5, 1, 2, 8, 0), 1, 64, 16),
      shape(12, axis(6, 1, 2, 1, 0, 0), axis(5, 1, 3, 1, 0, 0), 1, 70, 65),
      shape(31, same(4, 3), same(5, 2), 3, 24, 32),
      shape(5, axis(6, 4, 1, 3, 5, 4), axis(7, 3, 2, 3, 3, 3), 1, 36, 34),
      shape(35, axis(4, 2, 1, 1, -1, 1), axis(5, 2, 1, 1, 1, -1), 1, 32, 32),
      shape(32, axis(2, 2, 1, 1, 3, 3), axis(2, 1, 4, 1, 2, 3), 1, 32, 32),
      shape(16, same(2, 3), same(40, 3), 1, 160, 32),
      shape(7, same(3, 3), same(3, 3), 1, 5, 7),
  };
}

template <typename Body>
void for_shapes(Body&& body) {
  uint32_t seed = 1;
  for (const ConvShape& s : shapes())
    for (const ConvPass pass : kPasses) body(s, pass, seed++);
}

/// The kernel rounds: operands that are rounded already give the same bits, on any number of threads, and those are
/// right. Small shapes may stay float32: then they are right without being rounded.
void rounds() {
  if (engines().empty()) return;
  int others = 0;
  for_shapes([&](const ConvShape& s, ConvPass pass, uint32_t seed) {
    std::mt19937 random(seed);
    const Problem plain(s, pass, static_cast<int>(seed / 3 % 8), random, kUniform, kUniform);
    Problem high = plain;
    for (std::vector<float>* values : {&high.x, &high.w, &high.y})
      for (float& value : *values) value = rounded(value);
    const Sums of_plain = plain.sums(), of_high = high.sums();
    const double limit = 6 + 2 * std::sqrt(static_cast<double>(s.n * s.y.kernel * s.x.kernel * s.c));
    for (const Engine& engine : engines()) {
      const std::string what = std::string(engine.name) + " " + text(s, pass);
      Problem exact = high, first = plain;
      set_threads(1);
      exact.run(*engine.kernels);
      first.run(*engine.kernels);
      const double error = exact.error(of_high);
      CHECK(error <= limit, "%s: error %g", what.c_str(), error);
      for (int threads : {2, 3}) {
        Problem again = plain;
        set_threads(threads);
        again.run(*engine.kernels);
        CHECK(std::memcmp(first.to.data(), again.to.data(), first.to.size() * 4) == 0, "%s: other bits with %d threads",
              what.c_str(), threads);
      }
      if (std::memcmp(exact.to.data(), first.to.data(), first.to.size() * 4) == 0) continue;
      ++others;
      CHECK(first.error(of_plain) <= limit, "%s: neither rounded nor float32", what.c_str());
    }
  });
  // 5 to 7 channels on both, and what dot products would have to fill with zeros too much.
  CHECK(others <= 3 + 20, "%d shapes in float32", others);
}

#if defined(DOWNHILL_HAS_AMX)
/// Where taps lie far apart, pixels would be packed for each of them: these shapes stay with float32's kernels.
void leaves_dilated() {
  const auto dilated = [](int64_t in, int64_t by) { return axis(in, 3, 1, by, by, by); };
  const ConvShape few[] = {shape(32, dilated(64, 36), dilated(64, 36), 1, 256, 256),
                           shape(20, dilated(65, 18), dilated(65, 18), 1, 2048, 256),
                           shape(32, axis(1, 1, 1, 1, 0, 0), axis(4096, 2, 1, 512, 512, 0), 1, 64, 64)};
  for (const ConvShape& s : few)
    for (const ConvPass pass : kPasses)
      for (const ConvKernels* kernels : {&downhill::cpu::amx::conv_kernels, &downhill::cpu::amx::bfloat16_conv_kernels})
        CHECK(kernels->scratch_bytes(s, pass) == downhill::cpu::avx512::conv_kernels.scratch_bytes(s, pass), "%s: %zu",
              text(s, pass).c_str(), kernels->scratch_bytes(s, pass));
}

Draw wide(float low, float high) {
  return [=](std::mt19937& random) {
    const float sign = random() % 2 ? 1.0f : -1.0f;
    return sign * std::exp2(std::uniform_real_distribution<float>(low, high)(random));
  };
}

/// Float32 from three parts is about as exact as a chain of multiply-adds, and the same on any number of threads.
void splits() {
  const Draw draws[][2] = {{kUniform, kUniform}, {wide(-60, 30), wide(-60, 30)}, {wide(-149, -127), wide(10, 40)}};
  for_shapes([&](const ConvShape& s, ConvPass pass, uint32_t seed) {
    const auto& draw = draws[seed % 3];
    std::mt19937 random(seed);
    Problem problem(s, pass, static_cast<int>(seed / 3 % 2), random, draw[0], draw[1]), again = problem,
                                                                                        chain = problem;
    set_threads(1);
    problem.run(downhill::cpu::amx::conv_kernels);
    chain.run(downhill::cpu::avx512::conv_kernels);
    const Sums all = problem.sums();
    const double error = problem.error(all), reference = chain.error(all);
    CHECK(error <= 1.5 * reference + 4, "%s: error %g beside %g", text(s, pass).c_str(), error, reference);
    set_threads(3);
    again.run(downhill::cpu::amx::conv_kernels);
    CHECK(std::memcmp(problem.to.data(), again.to.data(), again.to.size() * 4) == 0, "%s", text(s, pass).c_str());
  });
}

/// What is not finite, or large: the bits of the ordinary kernel.
void falls_back() {
  const ConvShape s = shapes()[0];
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f})
    for (const ConvPass pass : kPasses)
      for (int operand = 0; operand < 3; ++operand) {
        std::mt19937 random(9);
        Problem problem(s, pass, operand == 0 ? 7 : 3, random, kUniform, kUniform);
        std::vector<float>& values = operand == 0 ? problem.x : operand == 1 ? problem.w : problem.y;
        if (values.empty()) continue;
        values[values.size() - 3] = bad;
        Problem chain = problem;
        set_threads(2);
        problem.run(downhill::cpu::amx::conv_kernels);
        chain.run(downhill::cpu::avx512::conv_kernels);
        for (size_t i = 0; i < chain.to.size(); ++i)
          CHECK(std::memcmp(&problem.to[i], &chain.to[i], 4) == 0 ||
                (std::isnan(problem.to[i]) && std::isnan(chain.to[i])));
      }
}
#endif

}  // namespace

int main() {
  rounds();
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::may_use_amx()) {
    splits();
    falls_back();
    leaves_dilated();
  }
#endif
  return downhill::test::report("conv_bfloat16");
}
