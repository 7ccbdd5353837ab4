// Speed of the matrix product alone, without Node.
//   bench_matmul [isa] [threads] [milliseconds per case]     isa: baseline, avx2, avx512 (default: the best here)
// Prints, per shape, the median and best time and GFLOP/s, with warm caches. m x k x n; t marks a transposed operand.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/cpu/kernels/matmul.h"
#include "backend/cpu/pool.h"

namespace downhill::cpu {
namespace baseline {
extern const MatmulKernels matmul_kernels;
}
#if defined(DOWNHILL_HAS_AVX2)
namespace avx2 {
extern const MatmulKernels matmul_kernels;
}
#endif
#if defined(DOWNHILL_HAS_AVX512)
namespace avx512 {
extern const MatmulKernels matmul_kernels;
}
#endif
}  // namespace downhill::cpu

namespace {

using downhill::cpu::MatmulArgs;
using downhill::cpu::MatmulKernels;
using Clock = std::chrono::steady_clock;

const MatmulKernels* find(const std::string& isa, const char** name) {
#if defined(DOWNHILL_HAS_AVX512)
  if ((isa.empty() || isa == "avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return *name = "avx512", &downhill::cpu::avx512::matmul_kernels;
#endif
#if defined(DOWNHILL_HAS_AVX2)
  if ((isa.empty() || isa == "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return *name = "avx2", &downhill::cpu::avx2::matmul_kernels;
#endif
  if (isa.empty() || isa == "baseline") return *name = "baseline", &downhill::cpu::baseline::matmul_kernels;
  return nullptr;
}

struct Shape {
  int64_t m, k, n;
  const char* transposes;  // "nn", "nt", "tn", "tt"
};
const Shape kShapes[] = {
    {64, 64, 64, "nn"},       {128, 128, 128, "nn"},    {256, 256, 256, "nn"},    {512, 512, 512, "nn"},
    {1024, 1024, 1024, "nn"}, {2048, 2048, 2048, "nn"}, {1024, 1024, 1024, "nt"}, {1024, 1024, 1024, "tn"},
    {128, 784, 32, "nn"},     {784, 128, 32, "tn"},     {128, 32, 784, "nt"},     {128, 32, 10, "nn"},
    {32, 128, 10, "tn"},      {128, 10, 32, "nt"},      {128, 1000, 1000, "nn"},  {128, 1000, 1000, "nt"},
    {1000, 128, 1000, "tn"},  {128, 784, 1000, "nn"},   {784, 128, 1000, "tn"},   {128, 1000, 10, "nn"},
    {1000, 128, 10, "tn"},    {128, 10, 1000, "nt"},    {1, 1000, 1000, "nn"},    {1, 1000, 1000, "nt"},
    {128, 784, 10, "nn"},     {784, 128, 10, "tn"},     {128, 10000, 2, "nn"},    {10000, 128, 2, "tn"},
    {64, 20000, 64, "nn"},    {2048, 64, 64, "nn"},
};

std::vector<float> numbers(int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& value : values)
    value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  const char* name = "";
  const MatmulKernels* kernels = find(argc > 1 ? argv[1] : "", &name);
  if (!kernels) return std::fprintf(stderr, "unknown or unsupported instruction set: %s\n", argv[1]), 1;
  if (argc > 2) downhill::cpu::set_threads(std::atoi(argv[2]));
  const double budget = (argc > 3 ? std::atof(argv[3]) : 200) * 1e-3;
  std::printf("%s, %d threads\n%-24s %12s %12s %10s %10s\n", name, downhill::cpu::threads(), "m x k x n", "median us",
              "best us", "GFLOP/s", "best");
  for (const Shape& shape : kShapes) {
    const std::vector<float> a = numbers(shape.m * shape.k), b = numbers(shape.k * shape.n);
    std::vector<float> c(static_cast<size_t>(shape.m * shape.n));
    MatmulArgs args;
    args.m = shape.m, args.n = shape.n, args.k = shape.k;
    args.transpose_a = shape.transposes[0] == 't', args.transpose_b = shape.transposes[1] == 't';
    args.a = a.data(), args.lda = args.transpose_a ? args.m : args.k;
    args.b = b.data(), args.ldb = args.transpose_b ? args.k : args.n;
    args.c = c.data(), args.ldc = args.n;
    const size_t bytes = kernels->scratch_bytes(args.m, args.n, args.k, args.transpose_a, args.transpose_b);
    const std::unique_ptr<std::byte[]> scratch(new std::byte[bytes + 64]);
    args.scratch = scratch.get() + (64 - reinterpret_cast<uintptr_t>(scratch.get()) % 64) % 64;
    const double flops = 2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
    const int inner = std::max(1, static_cast<int>(5e7 / flops));
    std::vector<double> times;
    for (const auto start = Clock::now();
         times.size() < 5 || std::chrono::duration<double>(Clock::now() - start).count() < budget;) {
      const auto begin = Clock::now();
      for (int i = 0; i < inner; ++i) kernels->run(args);
      times.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / inner);
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2], best = times[0];
    const std::string label = std::to_string(shape.m) + "x" + std::to_string(shape.k) + "x" + std::to_string(shape.n) +
                              " " + shape.transposes;
    std::printf("%-24s %12.2f %12.2f %10.1f %10.1f\n", label.c_str(), median * 1e6, best * 1e6, flops / median * 1e-9,
                flops / best * 1e-9);
  }
}
