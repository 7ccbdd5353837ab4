// Microseconds of one update of 10 million parameters in 50 tensors, by rule and by what goes with it; median (best).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "optim/updater.h"

using namespace downhill;

namespace {

constexpr int kTensors = 50, kRounds = 41;
constexpr size_t kBytes = 10'000'000 / kTensors * sizeof(float);

struct Times {
  double median, best;
};

Times microseconds(Rule rule, const UpdateOptions& options, const Hyper& hyper) {
  constexpr size_t kArena = kBytes * kTensors;
  std::vector<std::shared_ptr<Buffer>> arenas;
  const auto arena = [&] { return arenas.emplace_back(std::make_shared<Buffer>(kArena)); };
  const auto parameters = arena(), gradients = arena(), accumulators = arena(), averages = arena();
  std::vector<std::shared_ptr<Buffer>> slots;
  for (int s = 0; s < slots_of(rule); ++s) slots.push_back(arena());
  std::vector<UpdateSegment> segments;
  for (size_t i = 0; i < kTensors; ++i) {
    const auto view = [&](const std::shared_ptr<Buffer>& buffer) {
      return Storage{buffer, i * kBytes, kBytes, nullptr};
    };
    UpdateSegment segment{view(parameters), view(gradients), {}, 0};
    for (const auto& slot : slots) segment.slots.push_back(view(slot));
    segment.accumulator = view(accumulators);
    segment.average = view(averages);
    segments.push_back(segment);
  }
  auto* const g = reinterpret_cast<float*>(gradients->data());
  for (size_t i = 0; i < kArena / sizeof(float); ++i) g[i] = 0.001F * static_cast<float>(i % 17);
  Updater updater(rule, segments, {hyper}, options);
  std::vector<double> times;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t step = 0; step < options.accumulation_steps; ++step) updater.apply();
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[0]};
}

void print(const char* name, const UpdateOptions& options, const Hyper& hyper = {}) {
  std::printf("%-28s", name);
  for (Rule rule : {Rule::sgd, Rule::momentum, Rule::adam}) {
    const Times times = microseconds(rule, options, hyper);
    std::printf("%10.0f (%6.0f)", times.median, times.best);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  std::printf("%s, %d threads; microseconds, median (best): %s, %s, %s\n", cpu::isa(), cpu::threads(), "sgd",
              "momentum", "adam");
  UpdateOptions plain, averaging, accumulating, clipping;
  averaging.average = true;
  accumulating.accumulation_steps = 2;
  clipping.global_clip_norm = 1;
  print("plain", plain);
  print("moving average", averaging);
  print("accumulation of two steps", accumulating);
  print("globalClipNorm", clipping);
}
