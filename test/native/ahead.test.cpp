// Work for threads that wait, and batches that they gather ahead: each row once, whoever does it, and the same
// trainings.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#include "backend/cpu/idle.h"
#include "backend/cpu/pool.h"
#include "check.h"
#include "core/denormals.h"
#include "count_allocations.h"
#include "data/permutation.h"
#include "session_fixture.h"

using namespace downhill;
using namespace downhill::test;

namespace {

using Clock = std::chrono::steady_clock;

/// Time for others to take pieces.
void pause() {
  const auto until = Clock::now() + std::chrono::microseconds(15);
  while (Clock::now() < until) {
  }
}

/// Plain ints on purpose: pieces that run after withdraw() are a race under TSan.
struct Counted final : cpu::IdleWork {
  explicit Counted(size_t pieces) : hits(pieces, 0) {}
  bool piece() noexcept override {
    const size_t index = next.fetch_add(1);
    if (index >= hits.size()) return false;
    ++hits[index];
    if (std::this_thread::get_id() != caller) ++by_others;
    if (denormal_mode() != 0) flushed = true;
    return true;
  }
  std::vector<int> hits;
  std::atomic<size_t> next{0};
  std::atomic<int> by_others{0};
  std::atomic<bool> flushed{false};
  const std::thread::id caller = std::this_thread::get_id();
};

void test_waiting_threads_work() {
  cpu::set_threads(1);
  Counted work(200000), other(1);
  CHECK(!cpu::offer(work), "nobody waits");
  if (cpu::default_threads() < 2) return;  // more threads than cores sleep rather than help
  cpu::set_threads(2);
  CHECK(cpu::offer(work) && !cpu::offer(other), "one at a time");
  cpu::withdraw(other);  // is not on offer: nothing happens
  const auto limit = Clock::now() + std::chrono::seconds(20);
  const FlushDenormals flush;  // the regions' mode, not that of pieces
  while (work.by_others.load() < 1000 && Clock::now() < limit) {
    std::vector<int> chunks(8, 0);
    cpu::parallel_for(8, [&](int64_t i) { ++chunks[static_cast<size_t>(i)]; });
    CHECK(std::count(chunks.begin(), chunks.end(), 1) == 8);
    pause();
  }
  cpu::withdraw(work);
  CHECK(work.by_others.load() >= 1000 && !work.flushed.load());
  const size_t taken = std::min(work.next.load(), work.hits.size());
  for (size_t i = 0; i < taken; ++i) --work.hits[i];
  CHECK(std::count(work.hits.begin(), work.hits.end(), 0) == static_cast<int64_t>(work.hits.size()));
  CHECK(cpu::offer(other));
  cpu::withdraw(other);
}

struct Slow final : cpu::IdleWork {
  bool piece() noexcept override {
    running.fetch_add(1);
    started.store(true);
    for (int i = 0; i < 20; ++i) pause();
    running.fetch_sub(1);
    return true;
  }
  std::atomic<int> running{0};
  std::atomic<bool> started{false};
};

void test_withdraw_waits() {
  if (cpu::default_threads() < 2) return;
  cpu::set_threads(2);
  const auto limit = Clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 20; ++i) {
    Slow work;
    CHECK(cpu::offer(work));
    while (!work.started.load() && Clock::now() < limit) {
      cpu::parallel_for(2, [](int64_t) {});
      pause();
    }
    cpu::withdraw(work);
    CHECK(work.started.load() && work.running.load() == 0);
  }
}

/// A helper stays at it until it is let go.
struct Held final : cpu::IdleWork {
  bool piece() noexcept override {
    held.store(true);
    while (!released.load()) {
    }
    return false;
  }
  std::atomic<bool> held{false}, released{false};
};

/// Work without pieces makes room, and who withdraws it does not wait for those who are at the next one's.
void test_exhausted_work_makes_room() {
  if (cpu::default_threads() < 2) return;
  cpu::set_threads(2);
  const auto limit = Clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 20; ++i) {
    Counted first(3);
    Held second;
    CHECK(cpu::offer(first) && !cpu::offer(second));
    bool made_room = false;
    while (!(made_room = cpu::offer(second)) && Clock::now() < limit) {
      cpu::parallel_for(2, [](int64_t) {});
      pause();
    }
    CHECK(made_room, "nothing is left of the first");
    CHECK(std::count(first.hits.begin(), first.hits.end(), 1) == 3);
    std::thread other([&] {  // its regions make the pool's thread wait, and help
      while (!second.held.load() && Clock::now() < limit) {
        cpu::parallel_for(2, [](int64_t) {});
        pause();
      }
    });
    while (!second.held.load() && Clock::now() < limit) {
    }
    cpu::withdraw(first);
    CHECK(second.held.load());
    second.released.store(true);
    other.join();
    cpu::withdraw(second);
  }
}

/// Nothing is on offer, as between two stretches.
bool nobody_gathers() {
  Counted work(1);
  if (!cpu::offer(work)) return false;
  cpu::withdraw(work);
  return true;
}

template <typename From, typename To>
ColumnSource source_of(const std::vector<From>& data, Element element, int64_t width, DType dtype) {
  ColumnSource source;
  source.name = "x";
  source.data = data.data();
  source.data_elements = data.size();
  source.element = element;
  source.width = width;
  source.dtype = dtype;
  return source;
}

/// Two columns whose pieces are taken by hand and by threads that wait, then the rest.
template <typename From, typename To>
void check_pieces(Element element, DType dtype, int64_t width) {
  constexpr int64_t kRows = 90;
  std::vector<From> x(static_cast<size_t>(kRows * width)), y(kRows);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<From>(i * 2654435761U >> 24);
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<From>(i);
  const Dataset dataset({source_of<From, To>(x, element, width, dtype), source_of<From, To>(y, element, 1, dtype)},
                        kRows, true);
  std::vector<uint32_t> order(kRows - 3);
  permute(order, 3, 4);
  BatchPieces pieces;
  const size_t offset = (order.size() * static_cast<size_t>(width) * sizeof(To) + 63) / 64 * 64;
  pieces.add(dataset.columns()[0], 0);
  pieces.add(dataset.columns()[1], offset);
  for (const int threads : {1, 2, 3})
    for (const bool shuffled : {false, true})
      for (const int by_hand : {0, 1, 7, 100000}) {
        cpu::set_threads(threads);
        std::vector<To> batch(offset / sizeof(To) + order.size() + 1, To{77});
        pieces.begin(2, shuffled ? order.data() : nullptr, static_cast<int64_t>(order.size()),
                     reinterpret_cast<std::byte*>(batch.data()));
        pieces.offer();
        std::thread other([&] {
          for (int i = 0; i < by_hand && pieces.piece(); ++i) {
          }
        });
        cpu::parallel_for(2, [](int64_t) { std::this_thread::sleep_for(std::chrono::microseconds(10)); });
        other.join();
        pieces.finish();
        bool same = batch.back() == To{77};
        for (size_t i = 0; i < order.size(); ++i) {
          const size_t row = 2 + (shuffled ? order[i] : i);
          for (size_t k = 0; k < static_cast<size_t>(width); ++k)
            same = same && batch[i * static_cast<size_t>(width) + k] ==
                               static_cast<To>(x[row * static_cast<size_t>(width) + k]);
          same = same && batch[offset / sizeof(To) + i] == static_cast<To>(y[row]);
        }
        CHECK(same, "element %d to %s, width %d, %d threads, %d pieces by hand", static_cast<int>(element),
              name_of(dtype), static_cast<int>(width), threads, by_hand);
      }
}

void test_pieces() {
  for (const int64_t width : {1, 3, 784, 1023, 1025, 5000}) {
    check_pieces<float, float>(Element::float32, DType::float32, width);
    check_pieces<double, float>(Element::float64, DType::float32, width);
    check_pieces<uint8_t, float>(Element::uint8, DType::float32, width);
    check_pieces<int32_t, int32_t>(Element::int32, DType::int32, width);
  }
}

constexpr int64_t kWide = 700;  // a batch of 16 rows is worth gathering ahead

/// Row r of a set has values base + r in x, and 1 in y.
std::shared_ptr<const Dataset> wide_data(int64_t rows, int base) {
  std::vector<float> x(static_cast<size_t>(rows * kWide)), y(static_cast<size_t>(rows), 1);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(base + static_cast<int>(i) / kWide) / 1e5F;
  return std::make_shared<Dataset>(
      std::vector<ColumnSource>{source_of<float, float>(x, Element::float32, kWide, DType::float32),
                                source_of<float, float>(y, Element::float32, 1, DType::float32)},
      rows, true);
}

/// Programs note the rows that they see, whole and in order, while others have time to gather the next ones.
struct WideFit : Fit {
  WideFit() : Fit(FakeModel(kWide)) {
    for (const int64_t rows : {int64_t{16}, int64_t{7}})
      program(rows)->seen = [this, rows](const float* x, const float*) {
        cpu::parallel_for(8, [](int64_t) {});
        pause();
        for (int64_t i = 0; i < rows; ++i) {
          const float* const row = x + i * kWide;
          const bool even = std::all_of(row, row + kWide, [&](float value) { return value == row[0]; });
          seen.push_back(even ? static_cast<int>(std::lround(row[0] * 1e5F)) : -1);
        }
        if (abort_after-- == 1) session->abort();
      };
  }
  std::vector<int> expected(int base, int begin, int64_t rows, uint64_t epoch) const {
    std::vector<uint32_t> order(static_cast<size_t>(rows));
    permute(order, 11, epoch);
    std::vector<int> numbers;
    for (const uint32_t row : order) numbers.push_back(base + begin + static_cast<int>(row));
    return numbers;
  }
  std::vector<int> seen;
  int abort_after = 0;
};

std::vector<float> trained(int threads, int64_t stretch) {
  cpu::set_threads(threads);
  WideFit fit;
  fit.session->set_data(wide_data(110, 0), 4, 107);
  for (int epoch = 0; epoch < 4; ++epoch) {
    fit.seen.clear();
    fit.session->begin_epoch(epoch, 16, Order::shuffled, 11);
    while (!fit.session->run(stretch, 0).done) {
    }
    CHECK(fit.seen == fit.expected(0, 4, 103, static_cast<uint64_t>(epoch)), "%d threads", threads);
  }
  return fit.model.copy();
}

void test_trainings_are_the_same() {
  const std::vector<float> weights = trained(1, 0);
  for (const int threads : {1, 2, 3})
    for (const int64_t stretch : {0, 1, 3}) CHECK(trained(threads, stretch) == weights, "%d threads", threads);
}

/// What was gathered ahead is forgotten: an abort, a jump, other data and another order between two stretches show at
/// once.
void test_nothing_stale() {
  cpu::set_threads(2);
  WideFit fit;
  const auto first = wide_data(110, 0);
  fit.session->set_data(first, 4, 107);
  fit.session->begin_epoch(0, 16, Order::shuffled, 11);
  fit.abort_after = 3;
  CHECK(fit.session->run(0, 0).aborted && fit.seen.size() == 48 && nobody_gathers());
  CHECK(fit.session->run(0, 0).done && fit.seen == fit.expected(0, 4, 103, 0), "goes on where it was");

  fit.seen.clear();
  fit.session->begin_epoch(1, 16, Order::shuffled, 11);
  fit.session->run(2, 0);
  CHECK(nobody_gathers());
  fit.session->seek(5, {0, 0});
  CHECK(fit.session->run(0, 0).done);
  std::vector<int> all = fit.expected(0, 4, 103, 1), part(all.begin(), all.begin() + 32);
  part.insert(part.end(), all.begin() + 80, all.end());
  CHECK(fit.seen == part);

  fit.session->begin_epoch(2, 16, Order::shuffled, 11);
  fit.session->run(2, 0);
  fit.seen.clear();
  fit.session->begin_epoch(3, 16, Order::shuffled, 11);
  CHECK(fit.session->run(0, 0).done && fit.seen == fit.expected(0, 4, 103, 3));

  fit.session->begin_epoch(4, 16, Order::shuffled, 11);
  fit.session->run(2, 0);
  fit.session->set_data(wide_data(103, 1000), 0, 103);
  fit.seen.clear();
  fit.session->begin_epoch(4, 16, Order::shuffled, 11);
  CHECK(fit.session->run(0, 0).done && fit.seen == fit.expected(1000, 0, 103, 4), "other data");
}

void test_no_allocations() {
  cpu::set_threads(2);
  Fit fit{FakeModel(kWide)};
  fit.program(16);
  fit.session->set_data(wide_data(1600, 0), 0, 1600);
  int64_t buffers = 0;
  for (int epoch = 0; epoch < 2; ++epoch) {
    fit.session->begin_epoch(epoch, 16, Order::shuffled, 1);
    fit.session->run(1, 0);
    if (epoch == 0) buffers = Buffer::total_allocations();
    const int64_t before = allocations;
    CHECK(fit.session->run(0, 0).steps == 100);
    const int64_t made = allocations - before;
    CHECK(made <= 8, "%d allocations in a stretch", static_cast<int>(made));  // of the returned sums
  }
  CHECK(Buffer::total_allocations() == buffers, "the next epoch needs no new buffers");
}

/// Several at once: one of them has its batches gathered by threads that wait, nobody has another one's rows.
void test_beside_one_another() {
  cpu::set_threads(2);
  std::vector<std::thread> trainers;
  for (int t = 0; t < 3; ++t)
    trainers.emplace_back([t] {
      WideFit fit;
      fit.session->set_data(wide_data(103, 1000 * t), 0, 103);
      for (int epoch = 0; epoch < 6; ++epoch) {
        fit.seen.clear();
        fit.session->begin_epoch(epoch, 16, Order::shuffled, 11);
        fit.session->run(0, 0);
        CHECK(fit.seen == fit.expected(1000 * t, 0, 103, static_cast<uint64_t>(epoch)));
      }
    });
  for (std::thread& trainer : trainers) trainer.join();
}

}  // namespace

int main() {
  test_waiting_threads_work();
  test_withdraw_waits();
  test_exhausted_work_makes_room();
  test_pieces();
  test_trainings_are_the_same();
  test_nothing_stale();
  test_no_allocations();
  test_beside_one_another();
  return downhill::test::report("ahead");
}
