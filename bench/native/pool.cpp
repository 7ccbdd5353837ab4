// What a parallel region costs beyond its work: cmake --build build-native --target bench_pool && build-native/bench_pool
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "backend/cpu/pool.h"

using namespace downhill;

namespace {

using Clock = std::chrono::steady_clock;

/// Nanoseconds of the median of `samples` batches of `count` runs.
double nanoseconds(int samples, int count, const std::function<void()>& run) {
  std::vector<double> times;
  for (int s = 0; s < samples; ++s) {
    const auto begun = Clock::now();
    for (int i = 0; i < count; ++i) run();
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begun).count() / count);
  }
  std::nth_element(times.begin(), times.begin() + samples / 2, times.end());
  return times[static_cast<size_t>(samples / 2)];
}

float sum_of(const float* x, int64_t n) {
  float sums[16] = {};
  for (int64_t i = 0; i < n; ++i) sums[i & 15] += x[i];
  float sum = 0;
  for (float part : sums) sum += part;
  return sum;
}

}  // namespace

int main() {
  std::printf("threads %d\n", cpu::threads());
  volatile int sink = 0;
  for (const int64_t chunks : {2, 8, 32, 128})
    std::printf("%4ld empty chunks: %.0f ns\n", static_cast<long>(chunks), nanoseconds(21, 2000, [&] {
                  cpu::parallel_for(chunks, [&](int64_t chunk) {
                    if (chunk < 0) sink = 1;
                  });
                }));
  // One region writes rows, the next reads them: what it costs that a chunk's data lies in another core's cache.
  for (const int64_t kilobytes : {64, 400, 1600}) {
    const int64_t chunks = 16, each = kilobytes * 256 / chunks;
    std::vector<float> data(static_cast<size_t>(chunks * each), 1.0f), sums(static_cast<size_t>(chunks * 16));
    const auto pass = [&](bool write) {
      cpu::parallel_for(chunks, [&](int64_t chunk) {
        float* const at = data.data() + chunk * each;
        if (write)
          std::fill(at, at + each, static_cast<float>(chunk));
        else
          sums[static_cast<size_t>(chunk) * 16] = sum_of(at, each);
      });
    };
    const double time = nanoseconds(21, 200, [&] {
      pass(true);
      pass(false);
    });
    std::printf("%5ld kB written and read in two regions of 16 chunks: %.1f us\n", static_cast<long>(kilobytes),
                time / 1e3);
  }
  return 0;
}
