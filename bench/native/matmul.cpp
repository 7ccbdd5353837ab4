// Speed of the matrix product alone, without Node, beside libraries found at run time.
//   bench_matmul [isa] [threads] [milliseconds per case] [library …]    isa: baseline, avx2, avx512, amx, best (the default)
// A library is a path to a shared object with dnnl_sgemm (oneDNN) or sgemm_ (MKL, OpenBLAS, PyTorch's
// libtorch_cpu.so); set OMP_NUM_THREADS to the same number of threads. Sides alternate in stretches, with warm caches.
// Prints, per shape, the median and best GFLOP/s of each side and the median of ours ÷ theirs, stretch by stretch.
// m x k x n; t marks a transposed operand. BENCH_SHAPES=text keeps the shapes whose label contains it.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/error.h"

namespace {

using downhill::cpu::MatmulArgs;
using downhill::cpu::MatmulKernels;
using Clock = std::chrono::steady_clock;

/// Null where the processor has no such instruction set.
const MatmulKernels* find(const std::string& isa) {
  try {
    if (isa != "best") downhill::cpu::select_isa(isa);
    return &downhill::cpu::kernels().matmul;
  } catch (const downhill::Error& error) {
    return std::fprintf(stderr, "%s\n", error.what()), nullptr;
  }
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
    {64, 20000, 64, "nn"},    {2048, 64, 64, "nn"},     {16, 16, 16, "nn"},       {32, 32, 32, "nn"},
    {48, 48, 48, "nn"},       {96, 96, 96, "nn"},       {8, 784, 1000, "nn"},     {32, 784, 1000, "nn"},
    {64, 1000, 1000, "nn"},   {256, 1000, 1000, "nn"},  {32, 1000, 1000, "nt"},   {4, 1000, 1000, "nn"},
    {4, 1000, 1000, "nt"},    {1000, 128, 1, "tn"},     {128, 1000, 1, "nn"},     {1000, 128, 5, "tn"},
    {128, 1000, 5, "nn"},     {1, 128, 32, "nn"},       {4, 128, 32, "nn"},       {8, 128, 32, "nn"},
    {128, 32, 2, "nn"},       {128, 64, 4, "nn"},       {128, 64, 8, "nn"},       {64, 128, 8, "tn"},
    {32, 128, 2, "tn"},       {128, 4096, 512, "tn"},   {32, 4096, 512, "tn"},    {128, 2048, 128, "tn"},
    {512, 2048, 128, "tn"},   {4096, 32, 512, "nn"},   {128, 256, 512, "nn"},   {64, 512, 512, "nn"},    {128, 784, 256, "nn"},
    {784, 128, 256, "tn"},   {256, 256, 256, "nt"},   {256, 256, 256, "tn"},   {512, 128, 512, "tn"},
    {300, 200, 200, "nn"},   {1024, 64, 256, "nn"},   {1024, 256, 64, "nt"},
};

/// Memory as tensors have it: aligned to 64 bytes.
struct Values {
  explicit Values(int64_t count)
      : at(static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>((count + 15) / 16) * 64)), std::free) {}
  float* data() const { return at.get(); }
  std::unique_ptr<float, void (*)(void*)> at;
};

Values numbers(int64_t count) {
  Values values(count);
  uint32_t state = 1;
  for (int64_t i = 0; i < count; ++i)
    values.data()[i] = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;
  return values;
}

/// One of the two C interfaces that libraries have for c = op(a) · op(b).
struct Library {
  std::string name;
  using RowMajor = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                           float, float*, int64_t);
  using Fortran = void (*)(const char*, const char*, const int*, const int*, const int*, const float*, const float*,
                           const int*, const float*, const int*, const float*, float*, const int*);
  RowMajor row_major = nullptr;
  Fortran fortran = nullptr;

  explicit Library(const char* path) : name(path) {
    name = name.substr(name.find_last_of('/') + 1, 12);
    void* const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) std::fprintf(stderr, "%s\n", dlerror()), std::exit(1);
    row_major = reinterpret_cast<RowMajor>(dlsym(handle, "dnnl_sgemm"));
    fortran = reinterpret_cast<Fortran>(dlsym(handle, "sgemm_"));
    if (!row_major && !fortran) std::fprintf(stderr, "%s has neither dnnl_sgemm nor sgemm_\n", path), std::exit(1);
  }

  void run(const MatmulArgs& args) const {
    const char ta = args.transpose_a ? 'T' : 'N', tb = args.transpose_b ? 'T' : 'N';
    if (row_major) {
      row_major(ta, tb, args.m, args.n, args.k, 1, args.a, args.lda, args.b, args.ldb, 0, args.c, args.ldc);
      return;
    }
    // By columns: the transposed product cᵀ = op(b)ᵀ · op(a)ᵀ.
    const int m = static_cast<int>(args.m), n = static_cast<int>(args.n), k = static_cast<int>(args.k);
    const int lda = static_cast<int>(args.lda), ldb = static_cast<int>(args.ldb), ldc = static_cast<int>(args.ldc);
    const float one = 1, zero = 0;
    fortran(&tb, &ta, &n, &m, &k, &one, args.b, &ldb, args.a, &lda, &zero, args.c, &ldc);
  }
};

template <typename F>
double seconds_of(int count, const F& call) {
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) call();
  return std::chrono::duration<double>(Clock::now() - begin).count() / count;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const MatmulKernels* kernels = find(argc > 1 ? argv[1] : "best");
  if (!kernels) return 1;
  if (argc > 2) downhill::cpu::set_threads(std::atoi(argv[2]));
  const double budget = (argc > 3 ? std::atof(argv[3]) : 200) * 1e-3;
  std::vector<Library> peers;
  for (int i = 4; i < argc; ++i) peers.emplace_back(argv[i]);
  std::printf("%s, %d threads; GFLOP/s\n%-20s %10s %8s %8s", downhill::cpu::isa(), downhill::cpu::threads(), "m x k x n", "median us",
              "median", "best");
  for (const Library& peer : peers) std::printf(" | %12s %8s %6s", peer.name.c_str(), "best", "ratio");
  std::printf("\n");
  for (const Shape& shape : kShapes) {
    const std::string label = std::to_string(shape.m) + "x" + std::to_string(shape.k) + "x" + std::to_string(shape.n) +
                              " " + shape.transposes;
    const char* const only = std::getenv("BENCH_SHAPES");
    if (only && label.find(only) == std::string::npos) continue;
    const Values a = numbers(shape.m * shape.k), b = numbers(shape.k * shape.n);
    const Values c(shape.m * shape.n);
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
    // In seven stretches each; the first of a library only wakes its threads. They spin for a while after a stretch.
    constexpr int kStretches = 7;
    std::vector<double> best(1 + peers.size(), 1e9);
    std::vector<std::vector<double>> medians(1 + peers.size());
    for (int stretch = 0; stretch < kStretches; ++stretch)
      for (size_t side = 0; side <= peers.size(); ++side) {
        if (!peers.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(12));
        const auto call = [&] { side == 0 ? kernels->run(args) : peers[side - 1].run(args); };
        for (const auto start = Clock::now(); std::chrono::duration<double>(Clock::now() - start).count() < 1e-3;) call();
        std::vector<double> times;
        for (const auto start = Clock::now();
             times.size() < 3 || std::chrono::duration<double>(Clock::now() - start).count() < budget / kStretches;)
          times.push_back(seconds_of(inner, call));
        best[side] = std::min(best[side], *std::min_element(times.begin(), times.end()));
        medians[side].push_back(median(times));
      }
    const double ours = median(medians[0]);
    std::printf("%-20s %10.2f %8.1f %8.1f", label.c_str(), ours * 1e6, flops / ours * 1e-9, flops / best[0] * 1e-9);
    for (size_t side = 1; side <= peers.size(); ++side) {
      std::vector<double> ratios;
      for (size_t i = 0; i < kStretches; ++i) ratios.push_back(medians[side][i] / medians[0][i]);
      std::printf(" | %12.1f %8.1f %6.2f", flops / median(medians[side]) * 1e-9, flops / best[side] * 1e-9,
                  median(ratios));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}
