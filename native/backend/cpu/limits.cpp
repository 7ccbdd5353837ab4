#include "backend/cpu/limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <vector>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/storage.h"

namespace downhill::cpu {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTries = 5;  // the best counts

/// Seconds of the fastest of several calls.
template <typename F>
double fastest(F&& body) {
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    const Clock::time_point began = Clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - began).count());
  }
  return std::max(best, 1e-9);
}

double measure_flops(const KernelTable& table, int threads) {
  constexpr int64_t kRounds = 400000;
  constexpr size_t kSums = 64;
  std::vector<float> sums(kSums * static_cast<size_t>(threads));
  std::vector<double> flops(static_cast<size_t>(threads));
  const double seconds = fastest([&] {
    parallel_for(threads, [&](int64_t i) {
      const auto thread = static_cast<size_t>(i);
      flops[thread] = table.multiply_adds(kRounds, &sums[kSums * thread]);
    });
  });
  double total = 0;
  for (const double count : flops) total += count;
  return total / seconds;
}

/// Bytes per second of passes over `pieces` pairs of arrays, each gone over `rounds` times in a row: the faster of
/// copies and passes in place.
double measure_bytes(const KernelTable& table, int64_t pieces, size_t bytes, int rounds) {
  Buffer from(static_cast<size_t>(pieces) * bytes), to(static_cast<size_t>(pieces) * bytes);
  const auto at = [&](Buffer& buffer, int64_t piece) { return buffer.data() + static_cast<size_t>(piece) * bytes; };
  const ElementwiseFn negate = table.elementwise[static_cast<int>(Op::neg)][static_cast<int>(DType::float32)];
  const auto elements = static_cast<int64_t>(bytes / sizeof(float));
  const double copies = fastest([&] {
    parallel_for(pieces, [&](int64_t i) {
      for (int round = 0; round < rounds; ++round) std::memcpy(at(to, i), at(from, i), bytes);
    });
  });
  const double in_place = fastest([&] {
    parallel_for(pieces, [&](int64_t i) {
      void* const x = at(to, i);
      const void* const in[] = {x};
      const int64_t stride[] = {1};
      for (int round = 0; round < rounds; ++round) negate(in, stride, x, elements, nullptr);
    });
  });
  return 2.0 * static_cast<double>(pieces) * static_cast<double>(bytes) * rounds / std::min(copies, in_place);
}

Limits measure(const KernelTable& table, int threads) {
  constexpr size_t kCached = size_t{128} << 10, kPiece = size_t{1} << 20;
  constexpr int64_t kPieces = 64;
  Limits limits;
  limits.flops = measure_flops(table, threads);
  limits.cached_bytes = measure_bytes(table, threads, kCached, 100);
  limits.bytes = measure_bytes(table, kPieces, kPiece, 1);
  return limits;
}

}  // namespace

Limits limits() {
  static std::mutex* const mutex = new std::mutex;
  static const KernelTable* measured = nullptr;
  static int with_threads = 0;
  static Limits latest;
  const std::lock_guard<std::mutex> lock(*mutex);
  const KernelTable& table = kernels();
  const int now = threads();
  if (measured != &table || with_threads != now) {
    latest = measure(table, now);
    measured = &table;
    with_threads = now;
  }
  return latest;
}

}  // namespace downhill::cpu
