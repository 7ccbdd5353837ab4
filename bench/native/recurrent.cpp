// The loops over time of recurrent layers, alone: bench_recurrent [THREADS [ISA]]. Milliseconds of the least of many runs;
// with bfloat16 too, where there are kernels for it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"

using namespace downhill;
using namespace downhill::cpu;

namespace {

struct Case {
  const char* name;
  Cell cell;
  int64_t n, steps, units;
};

const Case kCases[] = {
    {"lstm 64x64x128", Cell::lstm, 64, 64, 128},   {"lstm 32x64x128", Cell::lstm, 32, 64, 128},
    {"lstm 16x64x256", Cell::lstm, 16, 64, 256},   {"lstm 128x32x512", Cell::lstm, 128, 32, 512},
    {"lstm 128x64x32", Cell::lstm, 128, 64, 32},   {"gru 64x64x128", Cell::gru, 64, 64, 128},
    {"simpleRNN 64x64x128", Cell::simpleRNN, 64, 64, 128},
};

template <typename F>
double seconds(F&& body) {
  using Clock = std::chrono::steady_clock;
  body();
  double least = 1e9;
  for (int i = 0; i < 40; ++i) {
    const auto begin = Clock::now();
    body();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return least;
}

std::vector<float> values(int64_t n, float scale) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& value : x) value = scale * (static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f);
  return x;
}

void measure(const KernelTable& table, const Case& one) {
  const CellSizes sizes = sizes_of(one.cell);
  const int64_t rows = one.n * one.steps;
  const auto x = values(rows * sizes.gates * one.units, 2), kernel = values(one.units * sizes.gates * one.units, 0.3f),
             bias = values(sizes.gates * one.units, 1), d = values(rows * one.units, 0.1f);
  std::vector<float> states(static_cast<size_t>(rows * sizes.states * one.units)),
      gradients(static_cast<size_t>(rows * sizes.gradients * one.units));
  for (const bool backward : {false, true}) {
    RecurrentArgs args;
    args.cell = one.cell, args.n = one.n, args.steps = one.steps, args.units = one.units;
    args.kernel = kernel.data();
    if (backward) {
      args.states = states.data(), args.d = d.data(), args.width = one.units, args.to = gradients.data();
    } else {
      args.x = x.data(), args.bias = sizes.bias ? bias.data() : nullptr, args.to = states.data();
    }
    const size_t bytes = table.recurrent.scratch_bytes(args, backward);
    args.scratch = static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    const double time = seconds([&] { (backward ? table.recurrent.backward : table.recurrent.forward)(args); });
    const double flops = 2.0 * static_cast<double>(rows * one.units * sizes.gates * one.units);
    std::printf("  %8.3f (%4.0f)", time * 1e3, flops / time / 1e9);
    std::free(args.scratch);
  }
}

}  // namespace

int main(int count, char** arguments) {
  set_threads(count > 1 ? std::atoi(arguments[1]) : 2);
  if (count > 2) select_isa(arguments[2]);
  std::printf("%s, %d threads: milliseconds (GFLOP/s) forward, backward; the same with bfloat16\n", isa(), threads());
  for (const Case& one : kCases) {
    std::printf("%-22s", one.name);
    measure(kernels(), one);
    if (bfloat16_kernel_table()) measure(*bfloat16_kernel_table(), one);
    std::printf("\n");
  }
}
