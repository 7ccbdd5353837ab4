// The kernels of convolutions, alone: bench_conv [THREADS [ISA [bfloat16 | float32 [BATCH]]]]. Shapes of the Adam paper's
// network, by default with a batch of 128, and others. GFLOP/s count every tap, those outside the image included.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"

using namespace downhill;
using namespace downhill::cpu;

namespace {

struct Case {
  const char* name;
  int64_t size, c, co, kernel, stride, groups = 1;
};

const Case kCases[] = {
    {"5x5 3-64 @32", 32, 3, 64, 5, 1},     {"3x3 3-64 @32", 32, 3, 64, 3, 1},     {"5x5 64-64 @16", 16, 64, 64, 5, 1},
    {"3x3 64-64 @16", 16, 64, 64, 3, 1},   {"5x5 64-128 @8", 8, 64, 128, 5, 1},   {"3x3 64-128 @8", 8, 64, 128, 3, 1},
    {"3x3 64-64 @32", 32, 64, 64, 3, 1},   {"3x3/2 64-128 @32", 32, 64, 128, 3, 2}, {"3x3 depthwise 64 @32", 32, 1, 1, 3, 1, 64},
    {"3x3 16-16 @32", 32, 16, 16, 3, 1},   {"3x3 8-32 @32", 32, 8, 32, 3, 1},     {"3x3 256-256 @8", 8, 256, 256, 3, 1},
    {"3x3 64-64 @64", 64, 64, 64, 3, 1},   {"1x1/2 64-128 @16", 16, 64, 128, 1, 2}, {"3x3 x4 16-16 @16", 16, 16, 16, 3, 1, 4},
};

ConvShape shape_of(const Case& one, int64_t batch) {
  const int64_t out = (one.size + one.stride - 1) / one.stride;
  const int64_t total = std::max<int64_t>((out - 1) * one.stride + one.kernel - one.size, 0);
  const Axis axis = {one.size, out, one.kernel, one.stride, 1, total / 2};
  ConvShape s;
  s.n = batch, s.y = axis, s.x = axis, s.groups = one.groups, s.c = one.c, s.co = one.co;
  return s;
}

template <typename F>
double seconds(F&& body) {
  using Clock = std::chrono::steady_clock;
  body();
  std::vector<double> times;
  for (int i = 0; i < 7; ++i) {
    const auto begin = Clock::now();
    body();
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::vector<float> values(int64_t n) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f;
  return x;
}

}  // namespace

int main(int count, char** arguments) {
  set_threads(count > 1 ? std::atoi(arguments[1]) : 2);
  if (count > 2) select_isa(arguments[2]);
  const bool rounds = count > 3 && std::string(arguments[3]) == "bfloat16";
  if (rounds && !bfloat16_kernel_table()) return std::printf("bfloat16 is not known to be faster with %s\n", isa()), 1;
  const KernelTable& table = rounds ? *bfloat16_kernel_table() : kernels();
  const int64_t batch = count > 4 ? std::atoi(arguments[4]) : 128;
  std::printf("%s, %s, %d threads: milliseconds (GFLOP/s) forward, input gradient, kernel gradient\n", isa(),
              rounds ? "bfloat16" : "float32", threads());
  for (const Case& one : kCases) {
    const ConvShape s = shape_of(one, batch);
    std::vector<float> x = values(s.n * s.y.in * s.x.in * s.groups * s.c), y = values(s.n * s.y.out * s.x.out * s.groups * s.co),
                       w = values(s.y.kernel * s.x.kernel * s.c * s.groups * s.co);
    const double flops = 2.0 * static_cast<double>(y.size()) * static_cast<double>(s.y.kernel * s.x.kernel * s.c);
    std::printf("%-22s", one.name);
    for (const ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::filter_gradient}) {
      const size_t bytes = table.conv.scratch_bytes(s, pass);
      auto* const scratch = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64));
      ConvArgs args;
      args.shape = s;
      args.x = x.data(), args.w = w.data(), args.d_y = y.data();
      std::vector<float> to(pass == ConvPass::forward ? y.size() : pass == ConvPass::input_gradient ? x.size() : w.size());
      args.to = to.data(), args.scratch = scratch;
      const double time = seconds([&] { table.conv.run(args, pass); });
      std::printf("  %8.2f (%4.0f)", time * 1e3, flops / time / 1e9);
      std::free(scratch);
    }
    std::printf("\n");
  }
}
