// Matrix products of operands rounded to bfloat16, of every engine that this machine has, against sums in double
// precision of the same operands; and float32 from three parts, over the whole range of float32.
#include <array>
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

using downhill::cpu::MatmulArgs;
using downhill::cpu::MatmulKernels;
using downhill::cpu::set_threads;

struct Engine {
  const char* name;
  const MatmulKernels* kernels;
};

std::vector<Engine> engines() {
  std::vector<Engine> list;
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::has_avx512_bf16()) list.push_back({"avx512_bf16", &downhill::cpu::avx512_bf16::bfloat16_kernels});
  if (downhill::cpu::may_use_amx()) list.push_back({"amx", &downhill::cpu::amx::bfloat16_kernels});
#endif
  return list;
}

constexpr float kCanary = -12345.5f;  // around c, and between its rows

/// To nearest, ties to even; denormals become 0, as the processors have it.
float rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value)) return value;
  if ((bits & 0x7f800000u) == 0) bits &= 0x80000000u;
  bits = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&value, &bits, 4);
  return value;
}

struct Case {
  int64_t m, k, n;
  bool transpose_a, transpose_b;
  int64_t pad;   // of every leading dimension
  int epilogue;  // 1: bias, 2: activation, 4: gradient
};

std::string text(const Case& c) {
  return std::to_string(c.m) + "x" + std::to_string(c.k) + "x" + std::to_string(c.n) + (c.transpose_a ? " t" : " n") +
         (c.transpose_b ? "t" : "n") + " pad " + std::to_string(c.pad) + " epilogue " + std::to_string(c.epilogue);
}

void shifted_square(const float* x, float* y, int64_t n, const float* params) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i] + params[0];
}

void scaled_product(const void* const* in, const int64_t*, void* out, int64_t n, const float* params) {
  const float *saved = static_cast<const float*>(in[0]), *x = static_cast<const float*>(in[1]);
  for (int64_t i = 0; i < n; ++i) static_cast<float*>(out)[i] = saved[i] * x[i] * params[0];
}

using Draw = std::function<float(std::mt19937&)>;

struct Problem {
  Case shape;
  int64_t lda, ldb, ldc;
  std::vector<float> a, b, bias, saved, c;
  float params[1] = {0.25f};

  Problem(const Case& s, std::mt19937& random, const Draw& draw_a, const Draw& draw_b) : shape(s) {
    lda = (s.transpose_a ? s.m : s.k) + s.pad, ldb = (s.transpose_b ? s.k : s.n) + s.pad, ldc = s.n + s.pad;
    const int64_t rows_a = s.transpose_a ? s.k : s.m, rows_b = s.transpose_b ? s.n : s.k;
    // Exactly sized, so that the address sanitizer sees every read beyond them; NaN between rows.
    a = fill(rows_a, lda - s.pad, lda, random, draw_a), b = fill(rows_b, ldb - s.pad, ldb, random, draw_b);
    bias = fill(1, s.n, s.n, random, draw_a), saved = fill(s.m, s.n, ldc, random, draw_b);
    c.assign(static_cast<size_t>(s.m * ldc + 64), kCanary);
  }

  static std::vector<float> fill(int64_t rows, int64_t cols, int64_t ld, std::mt19937& random, const Draw& draw) {
    std::vector<float> values(static_cast<size_t>(rows > 0 && cols > 0 ? (rows - 1) * ld + cols : 0),
                              std::numeric_limits<float>::quiet_NaN());
    for (size_t i = 0; i < values.size(); ++i)
      if (static_cast<int64_t>(i) % ld < cols) values[i] = draw(random);
    return values;
  }

  double at_a(int64_t i, int64_t p) const {
    return static_cast<double>(a[shape.transpose_a ? p * lda + i : i * lda + p]);
  }
  double at_b(int64_t p, int64_t j) const {
    return static_cast<double>(b[shape.transpose_b ? j * ldb + p : p * ldb + j]);
  }

  void run(const MatmulKernels& kernels) {
    const size_t bytes = kernels.scratch_bytes(shape.m, shape.n, shape.k, shape.transpose_a, shape.transpose_b);
    std::unique_ptr<std::byte[]> block(new std::byte[bytes + 64 + 64]);
    std::byte* scratch = block.get() + (64 - reinterpret_cast<uintptr_t>(block.get()) % 64) % 64;
    std::memset(scratch, 0xff, bytes);  // NaN
    std::memset(scratch + bytes, 0x5a, 16);
    MatmulArgs args;
    args.m = shape.m, args.n = shape.n, args.k = shape.k;
    args.a = a.data(), args.lda = lda, args.transpose_a = shape.transpose_a;
    args.b = b.data(), args.ldb = ldb, args.transpose_b = shape.transpose_b;
    args.c = c.data(), args.ldc = ldc, args.scratch = scratch, args.activate_params = params;
    if (shape.epilogue & 1) args.bias = bias.data();
    if (shape.epilogue & 2) args.activate = shifted_square;
    if (shape.epilogue & 4) args.gradient = scaled_product, args.saved = saved.data();
    kernels.run(args);
    for (int i = 0; i < 16; ++i) CHECK(scratch[bytes + static_cast<size_t>(i)] == std::byte{0x5a}, "scratch overrun");
  }

  /// Largest error in units of 2^-24 of Σ|a·b|; infinite when something outside c changed.
  double error() const {
    double worst = 0;
    for (size_t i = 0; i < c.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i);
      if ((at >= shape.m * ldc || at % ldc >= shape.n) && c[i] != kCanary) return INFINITY;
    }
    for (int64_t i = 0; i < shape.m; ++i)
      for (int64_t j = 0; j < shape.n; ++j) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < shape.k; ++p) {
          const double term = at_a(i, p) * at_b(p, j);
          sum += term, size += std::fabs(term);
        }
        if (shape.epilogue & 1) sum += static_cast<double>(bias[j]), size += std::fabs(static_cast<double>(bias[j]));
        if (shape.epilogue & 2) size = 2 * std::fabs(sum) * size + sum * sum + 1, sum = sum * sum + 0.25;
        if (shape.epilogue & 4) {
          const double factor = static_cast<double>(saved[i * ldc + j]) * 0.25;
          sum *= factor, size *= std::fabs(factor);
        }
        const double got = static_cast<double>(c[i * ldc + j]);
        if (!std::isfinite(got)) return INFINITY;
        worst = std::fmax(worst, (std::fabs(got - sum) - 0x1p-149) / (size * 0x1p-24 + 1e-300));
      }
    return worst;
  }
};

const Draw kUniform = [](std::mt19937& random) { return std::uniform_real_distribution<float>(-1, 1)(random); };

/// The kernel rounds: an operand that is rounded already gives the same bits, and those are right.
void check(const Case& shape, uint32_t seed) {
  const double limit = 4 + 2 * std::sqrt(static_cast<double>(shape.k));
  for (const Engine& engine : engines()) {
    std::mt19937 random(seed);
    Problem first(shape, random, kUniform, kUniform), exact = first;
    for (std::vector<float>* values : {&exact.a, &exact.b})
      for (float& value : *values) value = rounded(value);
    set_threads(1);
    exact.run(*engine.kernels);
    const double error = exact.error();
    CHECK(error <= limit, "%s %s: error %g", engine.name, text(shape).c_str(), error);
    for (int threads : {1, 2, 3}) {
      std::mt19937 same(seed);
      Problem again(shape, same, kUniform, kUniform);
      set_threads(threads);
      again.run(*engine.kernels);
      CHECK(std::memcmp(exact.c.data(), again.c.data(), exact.c.size() * 4) == 0, "%s %s: other bits with %d threads",
            engine.name, text(shape).c_str(), threads);
    }
  }
}

void shapes() {
  uint32_t seed = 1;
  for (int64_t m : {0, 1, 15, 17, 33})
    for (int64_t n : {0, 1, 10, 16, 31, 40})
      for (int64_t k : {0, 1, 16, 31, 33})
        for (int transposes = 0; transposes < 4; ++transposes, ++seed)
          check({m, k, n, (transposes & 1) != 0, (transposes & 2) != 0, seed % 4, static_cast<int>(seed % 6)}, seed);
  const Case large[] = {
      {128, 784, 32, false, false, 0, 3},  {784, 128, 32, true, false, 0, 0},  {128, 32, 300, false, true, 0, 4},
      {130, 700, 310, false, false, 1, 1}, {130, 700, 310, true, true, 2, 2},  {310, 257, 100, false, true, 0, 5},
      {40, 7000, 40, false, false, 0, 1},  {20, 3333, 500, true, false, 3, 5}, {2100, 40, 2200, false, false, 0, 1},
      {45, 1100, 76, true, false, 1, 3},   {33, 2070, 120, false, true, 0, 4},
  };
  for (const Case& shape : large) check(shape, seed++);
}

/// NaN and infinities reach exactly the rows or columns that read them.
void not_finite() {
  for (const Engine& engine : engines())
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      std::mt19937 random(3);
      Problem problem({45, 70, 37, false, true, 0, 0}, random, kUniform, kUniform);
      problem.a[20 * 70 + 69] = bad;
      set_threads(2);
      problem.run(*engine.kernels);
      for (int64_t i = 0; i < 45; ++i)
        for (int64_t j = 0; j < 37; ++j) CHECK(std::isfinite(problem.c[i * 37 + j]) == (i != 20), "%s", engine.name);
    }
}

#if defined(DOWNHILL_HAS_AMX)
/// Magnitudes 2^low to 2^high, of either sign.
Draw wide(float low, float high) {
  return [=](std::mt19937& random) {
    const float sign = random() % 2 ? 1.0f : -1.0f;
    return sign * std::exp2(std::uniform_real_distribution<float>(low, high)(random));
  };
}

/// Float32 from three parts is as exact as a chain of multiply-adds wherever the operands lie.
void whole_range() {
  const struct {
    const char* name;
    Draw a, b;
  } rows[] = {
      {"small", wide(-75, -55), wide(-75, -55)},
      {"tiny and one", wide(-126, -100), wide(-4, 4)},
      {"denormal and large", wide(-149, -127), wide(10, 40)},
      {"wide", wide(-60, 30), wide(-60, 30)},
      {"large", wide(50, 62), wide(50, 62)},
      {"largest", wide(120, 127.9f), wide(-40, -30)},
      {"largest and smallest", wide(100, 127), wide(-149, -120)},
      {"positive", [](std::mt19937& r) { return std::fmax(0.0f, std::normal_distribution<float>()(r)); }, wide(-2, 2)},
  };
  for (const auto& row : rows)
    for (const auto& [m, k, n] :
         std::vector<std::array<int64_t, 3>>{{256, 300, 520}, {256, 610, 520}, {256, 1100, 520}, {96, 1100, 90}}) {
      std::mt19937 random(static_cast<uint32_t>(k));
      Problem problem({m, k, n, false, false, 0, 1}, random, row.a, row.b), chain = problem;
      set_threads(2);
      problem.run(downhill::cpu::amx::matmul_kernels);
      chain.run(downhill::cpu::avx512::matmul_kernels);
      const double error = problem.error(), reference = chain.error();
      CHECK(error <= 1.5 * reference + 4, "%s, k %d: error %g beside %g", row.name, static_cast<int>(k), error,
            reference);
    }
}

/// One element that is not finite: the bits of the ordinary kernel.
void falls_back(int64_t m, int64_t k, int64_t n) {
  for (float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 3e38f}) {
    std::mt19937 random(9);
    Problem problem({m, k, n, true, false, 0, 3}, random, kUniform, kUniform);
    problem.a[5 * problem.lda + m - 5] = bad;
    problem.b[7 * problem.ldb + 11] = bad;
    Problem chain = problem;
    set_threads(2);
    problem.run(downhill::cpu::amx::matmul_kernels);
    chain.run(downhill::cpu::avx512::matmul_kernels);
    for (size_t i = 0; i < chain.c.size(); ++i)
      CHECK(std::memcmp(&problem.c[i], &chain.c[i], 4) == 0 || (std::isnan(problem.c[i]) && std::isnan(chain.c[i])));
  }
}
#endif

}  // namespace

int main() {
  shapes();
  not_finite();
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::may_use_amx()) {
    whole_range();
    falls_back(200, 600, 390);
    falls_back(96, 1100, 90);
  }
#endif
  return downhill::test::report("matmul_bfloat16");
}
