// One update of 10 million parameters in 50 tensors, by rule, beside a copy of as many floats: microseconds, the bytes that it moves
// (reads of g, p and slots, writes of p and slots) and their rate over that of the copy (reads and writes). Medians and best of rounds
// that alternate with the copy's. An argument names one rule.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "optim/updater.h"

using namespace downhill;

namespace {

constexpr int kTensors = 50, kRounds = 31;
constexpr size_t kBytes = 10'000'000 / kTensors * sizeof(float);
constexpr size_t kArena = kBytes * kTensors;

struct Times {
  double median, best;
};

template <typename F>
double microseconds(F&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

Times times_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[0]};
}

/// All threads copy, by pieces as the update's chunks.
void copy(const Buffer& from, Buffer& to) {
  constexpr size_t kPiece = kUpdateChunk * sizeof(float);
  cpu::parallel_for(static_cast<int64_t>((kArena + kPiece - 1) / kPiece), [&](int64_t chunk) {
    const size_t begin = static_cast<size_t>(chunk) * kPiece;
    std::memcpy(to.data() + begin, from.data() + begin, std::min(kPiece, kArena - begin));
  });
}

struct Work {
  std::vector<std::shared_ptr<Buffer>> arenas;
  std::unique_ptr<Updater> updater;

  Work(Rule rule, const UpdateOptions& options, const Hyper& hyper) {
    const auto arena = [&] { return arenas.emplace_back(std::make_shared<Buffer>(kArena)); };
    const auto parameters = arena(), gradients = arena();
    const auto accumulators = options.accumulation_steps > 1 ? arena() : nullptr;
    const auto averages = options.average ? arena() : nullptr;
    std::vector<std::shared_ptr<Buffer>> slots;
    for (int s = 0; s < slots_of(rule); ++s) slots.push_back(arena());
    std::vector<UpdateSegment> segments;
    for (size_t i = 0; i < kTensors; ++i) {
      const auto view = [&](const std::shared_ptr<Buffer>& buffer) {
        return buffer ? Storage{buffer, i * kBytes, kBytes, nullptr} : Storage{};
      };
      UpdateSegment segment;
      segment.parameter = view(parameters);
      segment.gradient = view(gradients);
      for (const auto& slot : slots) segment.slots.push_back(view(slot));
      segment.accumulator = view(accumulators);
      segment.average = view(averages);
      segments.push_back(segment);
    }
    for (const auto& buffer : arenas) {
      auto* const x = reinterpret_cast<float*>(buffer->data());
      for (size_t i = 0; i < kArena / sizeof(float); ++i) x[i] = 0.001F * static_cast<float>(i % 17 + 1);
    }
    updater = std::make_unique<Updater>(rule, std::move(segments), std::vector<Hyper>{hyper}, options);
  }
};

void print(Rule rule, const char* what, const UpdateOptions& options, const Hyper& hyper, int arrays, Buffer& from,
           Buffer& to) {
  Work work(rule, options, hyper);
  std::vector<double> updates, copies;
  for (int round = 0; round < kRounds; ++round) {
    copies.push_back(microseconds([&] { copy(from, to); }));
    updates.push_back(microseconds([&] {
      for (int64_t step = 0; step < options.accumulation_steps; ++step) work.updater->apply();
    }));
  }
  const Times update = times_of(updates), copied = times_of(copies);
  const double bytes = static_cast<double>(arrays) * kArena, rate = bytes / update.median,
               copy_rate = 2.0 * kArena / copied.median;
  std::printf("%-20s %-22s %8.0f %8.0f %8.0f MB %7.1f GB/s %7.1f GB/s %6.2f\n", name_of(rule), what, update.median,
              update.best, bytes / 1e6, rate / 1e3, copy_rate / 1e3, rate / copy_rate);
}

}  // namespace

int main(int count, char** arguments) {
  std::printf("%s, %d threads, %zu MB an array\n%-20s %-22s %8s %8s %11s %12s %12s %6s\n", cpu::isa(), cpu::threads(),
              kArena / 1'000'000, "rule", "", "µs", "best", "moved", "update", "copy", "ratio");
  Buffer from(kArena), to(kArena);
  std::memset(from.data(), 1, kArena);
  std::memset(to.data(), 1, kArena);
  const std::string only = count > 1 ? arguments[1] : "";
  for (int i = 0; i < kRuleCount; ++i) {
    const Rule rule = static_cast<Rule>(i);
    if (only.empty() || only == name_of(rule)) print(rule, "", {}, {}, 3 + 2 * slots_of(rule), from, to);
  }
  UpdateOptions averaging, accumulating, clipping;
  averaging.average = true;
  accumulating.accumulation_steps = 2;
  clipping.global_clip_norm = 1;
  for (const Rule rule : {Rule::sgd, Rule::adam}) {
    if (!only.empty() && only != name_of(rule)) continue;
    const int arrays = 3 + 2 * slots_of(rule);
    print(rule, "moving average", averaging, {}, arrays + 2, from, to);
    print(rule, "two steps accumulated", accumulating, {}, arrays + 1 + 2, from, to);  // a is written once, read once
    print(rule, "globalClipNorm", clipping, {}, arrays + 1, from, to);
  }
}
