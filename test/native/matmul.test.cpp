// The matrix product of every instruction set this machine has, against sums in double precision.
#include "backend/cpu/kernels/matmul.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/kernels/bfloat16/entries.h"
#include "backend/cpu/pool.h"
#include "backend/cpu/processor.h"
#include "check.h"

namespace downhill::cpu {
namespace baseline {
extern const MatmulKernels matmul_kernels;
}
#if defined(DOWNHILL_HAS_AVX2)
namespace avx2 {
extern const MatmulKernels matmul_kernels;
}
#endif
}  // namespace downhill::cpu

namespace {

using downhill::cpu::MatmulArgs;
using downhill::cpu::MatmulKernels;
using downhill::cpu::set_threads;

struct Isa {
  const char* name;
  const MatmulKernels* kernels;
};

std::vector<Isa> isas() {
  std::vector<Isa> list = {{"baseline", &downhill::cpu::baseline::matmul_kernels}};
#if defined(DOWNHILL_HAS_AVX2)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    list.push_back({"avx2", &downhill::cpu::avx2::matmul_kernels});
#endif
#if defined(DOWNHILL_HAS_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    list.push_back({"avx512", &downhill::cpu::avx512::matmul_kernels});
#endif
#if defined(DOWNHILL_HAS_AMX)
  if (downhill::cpu::may_use_amx()) list.push_back({"amx", &downhill::cpu::amx::matmul_kernels});
#endif
  return list;
}

constexpr float kCanary = -12345.5f;  // around c, between its rows, and behind the scratch
constexpr int64_t kGuard = 64;

void shifted_square(const float* x, float* y, int64_t n, const float* params) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i] + params[0];
}

void scaled_product(const void* const* in, const int64_t*, void* out, int64_t n, const float* params) {
  const float *saved = static_cast<const float*>(in[0]), *x = static_cast<const float*>(in[1]);
  float* y = static_cast<float*>(out);
  for (int64_t i = 0; i < n; ++i) y[i] = saved[i] * x[i] * params[0];
}

struct Case {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  int64_t pad_a = 0, pad_b = 0, pad_c = 0;  // leading dimension beyond the row
  bool bias = false, activate = false, gradient = false;
};

std::string text(const Case& c) {
  return std::to_string(c.m) + "x" + std::to_string(c.k) + "x" + std::to_string(c.n) + (c.transpose_a ? " t" : " n") +
         (c.transpose_b ? "t" : "n") + " pads " + std::to_string(c.pad_a) + " " + std::to_string(c.pad_b) + " " +
         std::to_string(c.pad_c) + (c.bias ? " bias" : "") + (c.activate ? " activate" : "") +
         (c.gradient ? " gradient" : "");
}

/// Operands in exactly sized blocks, so that the address sanitizer sees every read beyond them.
struct Problem {
  Case shape;
  int64_t lda, ldb, ldc;
  std::unique_ptr<float[]> a, b, bias, c, saved, scratch_block;
  int64_t c_floats, scratch_floats;
  float params[1] = {0.25f};
  MatmulArgs args;

  Problem(const Case& s, std::mt19937& random) : shape(s) {
    const int64_t rows_a = s.transpose_a ? s.k : s.m, cols_a = s.transpose_a ? s.m : s.k;
    const int64_t rows_b = s.transpose_b ? s.n : s.k, cols_b = s.transpose_b ? s.k : s.n;
    lda = cols_a + s.pad_a, ldb = cols_b + s.pad_b, ldc = s.n + s.pad_c;
    a = fill(rows_a, cols_a, lda, random);
    b = fill(rows_b, cols_b, ldb, random);
    bias = fill(1, s.n, s.n, random);
    saved = fill(s.m, s.n, ldc, random);
    c_floats = kGuard + s.m * ldc + kGuard;
    c.reset(new float[static_cast<size_t>(c_floats)]);
    for (int64_t i = 0; i < c_floats; ++i) c[i] = kCanary;
  }

  static std::unique_ptr<float[]> fill(int64_t rows, int64_t cols, int64_t ld, std::mt19937& random) {
    const int64_t size = rows > 0 && cols > 0 ? (rows - 1) * ld + cols : 0;  // the last row has no padding behind it
    std::unique_ptr<float[]> values(new float[static_cast<size_t>(size)]);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < size; ++i)
      values[i] = i % ld < cols ? uniform(random) : std::numeric_limits<float>::quiet_NaN();
    return values;
  }

  void run(const MatmulKernels& kernels) {
    const size_t bytes = kernels.scratch_bytes(shape.m, shape.n, shape.k, shape.transpose_a, shape.transpose_b);
    scratch_floats = static_cast<int64_t>((bytes + 3) / 4);
    scratch_block.reset(new float[static_cast<size_t>(scratch_floats + 16 + kGuard)]);
    const uintptr_t misaligned = reinterpret_cast<uintptr_t>(scratch_block.get()) % 64;
    float* scratch = scratch_block.get() + (misaligned ? (64 - misaligned) / 4 : 0);
    for (int64_t i = 0; i < scratch_floats; ++i) scratch[i] = std::numeric_limits<float>::quiet_NaN();
    for (int64_t i = 0; i < kGuard; ++i) scratch[scratch_floats + i] = kCanary;
    args.m = shape.m, args.n = shape.n, args.k = shape.k;
    args.a = a.get(), args.lda = lda, args.transpose_a = shape.transpose_a;
    args.b = b.get(), args.ldb = ldb, args.transpose_b = shape.transpose_b;
    args.c = c.get() + kGuard, args.ldc = ldc;
    args.bias = shape.bias ? bias.get() : nullptr;
    args.activate = shape.activate ? shifted_square : nullptr;
    if (shape.gradient) args.gradient = scaled_product, args.saved = saved.get();
    args.activate_params = params;
    args.scratch = reinterpret_cast<std::byte*>(scratch);
    kernels.run(args);
    for (int64_t i = 0; i < kGuard; ++i)
      CHECK(scratch[scratch_floats + i] == kCanary, "scratch overrun, %s", text(shape).c_str());
  }

  /// Largest error in units of the rounding that a sum of k terms may have; infinite when something outside c changed.
  double error() const {
    double worst = 0;
    for (int64_t i = 0; i < c_floats; ++i) {
      const int64_t at = i - kGuard;
      const bool inside = at >= 0 && at < shape.m * ldc && at % ldc < shape.n;
      if (!inside && c[i] != kCanary) return INFINITY;
    }
    for (int64_t i = 0; i < shape.m; ++i)
      for (int64_t j = 0; j < shape.n; ++j) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < shape.k; ++p) {
          const double x = static_cast<double>(a[shape.transpose_a ? p * lda + i : i * lda + p]);
          const double y = static_cast<double>(b[shape.transpose_b ? j * ldb + p : p * ldb + j]);
          sum += x * y, size += std::fabs(x * y);
        }
        if (shape.bias) sum += static_cast<double>(bias[j]), size += std::fabs(static_cast<double>(bias[j]));
        if (shape.activate)
          size = 2 * std::fabs(sum) * size + size * size * 1e-6 + sum * sum + 1,
          sum = sum * sum + static_cast<double>(params[0]);
        if (shape.gradient) {
          const double factor = static_cast<double>(saved[i * ldc + j]) * static_cast<double>(params[0]);
          sum *= factor, size *= std::fabs(factor);
        }
        const double got = static_cast<double>(c[kGuard + i * ldc + j]);
        if (!std::isfinite(got)) return INFINITY;
        worst = std::fmax(worst, std::fabs(got - sum) / (size * 6e-8 + 1e-30));
      }
    return worst;
  }
};

void check(const Case& shape, uint32_t seed) {
  const double limit = 4 + 2 * std::sqrt(static_cast<double>(shape.k));  // rounding errors of a random walk
  for (const Isa& isa : isas()) {
    std::mt19937 random(seed);
    Problem first(shape, random);
    set_threads(1);
    first.run(*isa.kernels);
    const double error = first.error();
    CHECK(error <= limit, "%s %s: error %g", isa.name, text(shape).c_str(), error);
    for (int threads : {2, 3}) {
      std::mt19937 same(seed);
      Problem again(shape, same);
      set_threads(threads);
      again.run(*isa.kernels);
      CHECK(std::memcmp(first.c.get(), again.c.get(), static_cast<size_t>(first.c_floats) * 4) == 0,
            "%s %s: other bits with %d threads", isa.name, text(shape).c_str(), threads);
    }
  }
}

void every_small_shape() {
  uint32_t seed = 1;
  for (int64_t m : {0, 1, 2, 5, 15, 29})
    for (int64_t n : {0, 1, 4, 10, 17, 33})
      for (int64_t k : {0, 1, 3, 8, 21})
        for (int transposes = 0; transposes < 4; ++transposes)
          check({m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, 0, 0, 0, seed % 2 == 0, seed % 3 == 0,
                 seed % 3 == 1},
                seed),
              ++seed;
}

void random_shapes() {
  std::mt19937 random(7);
  const auto up_to = [&](int64_t most) { return static_cast<int64_t>(random() % static_cast<uint32_t>(most + 1)); };
  for (uint32_t round = 0; round < 160; ++round) {
    const int64_t span = round % 4 == 0 ? 300 : 90;
    Case shape = {up_to(span), up_to(span), up_to(2 * span), random() % 2 == 0, random() % 2 == 0};
    shape.pad_a = up_to(3) * up_to(9), shape.pad_b = up_to(3) * up_to(9), shape.pad_c = up_to(3) * up_to(9);
    shape.bias = random() % 2 == 0, shape.activate = random() % 3 == 0;
    shape.gradient = !shape.activate && random() % 2 == 0;
    check(shape, round);
  }
}

/// Each goes through another path: packed and in place, split k, several passes over a and over k, aliasing strides.
void long_paths() {
  const Case shapes[] = {
      {128, 32, 784, false, false, 0, 0, 0, true, true},
      {784, 32, 128, true, false},
      {128, 784, 32, false, true},
      {128, 10, 32, false, false, 0, 0, 0, true, false},
      {1, 700, 300, false, false, 0, 0, 0, true, true},
      {1, 300, 700, false, true},
      {2, 65, 999, true, true},
      {5, 3, 9000, false, false, 1, 0, 2, true, true},
      {16, 20, 12000, true, false, 0, 3, 5, true, true},
      {10, 40, 6007, true, true},
      {31, 65, 4500, false, true},
      {600, 33, 70, false, false},
      {40, 1000, 260, true, false, 0, 24, 0, true, false},
      {130, 100, 1500, false, false, 0, 924, 0, true, true},
      {300, 2048, 48, false, true},
      {700, 130, 3300, false, false, 0, 0, 0, true, true},
      {700, 130, 3300, true, true, 0, 0, 1, true, true},
      {1050, 70, 2000, false, false, 0, 0, 3, true, true},
      {70, 330, 270, false, false, 0, 6, 0, true, true},  // several panels of b at a time, the last ones narrow
      {130, 700, 520, true, false, 0, 0, 0, true, false},
      {60, 150, 1024, false, false},  // small a, packed or not
      {60, 150, 1023, false, true, 1},
      {20, 100, 3000, false, false, 0, 0, 0, true, true},
  };
  uint32_t seed = 1000;
  for (Case shape : shapes) {
    check(shape, seed++);
    shape.activate = false, shape.gradient = true;
    check(shape, seed++);
  }
}

/// A side of a few rows or columns, on either hand: all counts, tails, transposes.
void narrow() {
  uint32_t seed = 3000;
  for (int64_t few = 1; few <= 9; ++few)
    for (int transposes = 0; transposes < 4; ++transposes)
      for (int64_t many : {17, 37})
        for (int64_t k : {67, 130}) {
          Case shape = {many, few, k, (transposes & 1) != 0, (transposes & 2) != 0};
          shape.pad_a = seed % 3, shape.pad_b = seed % 2, shape.pad_c = seed % 5 == 0;
          shape.bias = seed % 2 == 0, shape.activate = seed % 3 == 0, shape.gradient = seed % 3 == 1;
          check(shape, seed++);
          std::swap(shape.m, shape.n);
          check(shape, seed++);
        }
  const Case shapes[] = {
      {5000, 2, 110, true, false, 0, 0, 0, true, true},  // ranges of k
      {2, 5000, 110, false, false, 0, 0, 1, true, false, true},
      {9000, 8, 20, true, true, 0, 0, 0, true, true},  // more lines than sums at once
      {7, 9000, 20, true, false, 0, 0, 0, true, true},
      {1, 24, 8000, false, false, 0, 0, 0, true, false},  // several chains
      {90, 8, 2100, false, false, 0, 0, 0, true, true},   // a packed by two threads, in blocks
      {6, 90, 1400, true, true, 0, 0, 2, true, false, true},
      {3, 2, 9001, false, true, 0, 0, 0, true, true},
      {1, 1, 700, false, false, 0, 0, 0, true, false},
  };
  for (const Case& shape : shapes) check(shape, seed++);
}

/// NaN and infinity reach exactly the rows or columns that read them.
void not_finite() {
  for (const Isa& isa : isas())
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::mt19937 random(3);
      Problem in_a({45, 37, 70, false, true}, random), in_b({45, 37, 70, true, false}, random);
      Problem in_dots({45, 3, 70, false, true}, random), in_rows({45, 3, 70, true, false}, random);
      in_a.a[20 * in_a.lda + 69] = bad;
      in_b.b[69 * in_b.ldb + 36] = bad;
      for (Problem* problem : {&in_dots, &in_rows})
        problem->a[problem == &in_dots ? 20 * problem->lda + 69 : 69 * problem->lda + 20] = bad;
      set_threads(2);
      for (Problem* problem : {&in_a, &in_b, &in_dots, &in_rows}) problem->run(*isa.kernels);
      for (Problem* problem : {&in_dots, &in_rows})
        for (int64_t i = 0; i < 45; ++i)
          for (int64_t j = 0; j < 3; ++j)
            CHECK(std::isfinite(problem->c[kGuard + i * problem->ldc + j]) == (i != 20), "%s", isa.name);
      for (int64_t i = 0; i < 45; ++i)
        for (int64_t j = 0; j < 37; ++j) {
          CHECK(std::isfinite(in_a.c[kGuard + i * in_a.ldc + j]) == (i != 20), "%s", isa.name);
          CHECK(std::isfinite(in_b.c[kGuard + i * in_b.ldc + j]) == (j != 36), "%s", isa.name);
        }
    }
}

}  // namespace

int main() {
  every_small_shape();
  random_shapes();
  long_paths();
  narrow();
  not_finite();
  return downhill::test::report("matmul");
}
