// The executor: order, lanes, bounds, cancelling and waiting.
#include "training/executor.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"

using namespace downhill;

namespace {

const int kOwnerA = 0, kOwnerB = 0;

void test_order() {
  std::vector<int> seen;  // without a lock: compute jobs of one owner never overlap
  for (int i = 0; i < 500; ++i) executor::submit(Lane::compute, &kOwnerA, [&seen, i] { seen.push_back(i); });
  executor::wait(&kOwnerA);
  bool in_order = seen.size() == 500;
  for (size_t i = 0; i < seen.size(); ++i) in_order = in_order && seen[i] == static_cast<int>(i);
  CHECK(in_order);
}

void test_training_is_side_by_side_and_bounded() {
  const int limit = cpu::threads();
  std::atomic<int> running{0}, most{0};
  for (int i = 0; i < 8 * limit; ++i)
    executor::submit(Lane::training, &kOwnerA, [&] {
      const int now = running.fetch_add(1) + 1;
      for (int seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      running.fetch_sub(1);
    });
  executor::wait(&kOwnerA);
  CHECK(most == limit, "%d ran at once, expected %d", most.load(), limit);
  CHECK(executor::threads() <= 2 * limit, "%d threads", executor::threads());
}

void test_lanes_do_not_wait_for_each_other() {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 3 * cpu::threads(); ++i)
    executor::submit(Lane::training, &kOwnerA, [released] { released.wait(); });
  std::promise<void> done;
  executor::submit(Lane::compute, &kOwnerA, [&] { done.set_value(); });
  CHECK(done.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  release.set_value();
  executor::wait(&kOwnerA);
}

/// Long writes, more of them than that lane has threads.
void test_files_hold_up_nobody() {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> started{0};
  for (int i = 0; i < 8; ++i)
    executor::submit(Lane::files, &kOwnerA, [&started, released] {
      started.fetch_add(1);
      released.wait();
    });
  while (started < 4) std::this_thread::yield();
  for (const Lane lane : {Lane::training, Lane::compute}) {
    std::promise<void> done;
    executor::submit(lane, &kOwnerA, [&] { done.set_value(); });
    CHECK(done.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  }
  CHECK(executor::cancel(&kOwnerA) == 4);
  release.set_value();
  executor::wait(&kOwnerA);
}

void test_owners() {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  auto alive = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = alive;
  std::atomic<bool> first_ran{false};
  std::promise<void> started;
  executor::submit(Lane::compute, &kOwnerA, [&, released] {
    started.set_value();
    released.wait();
    first_ran = true;
  });
  started.get_future().wait();
  executor::submit(Lane::compute, &kOwnerA, [alive] { ++*alive; });
  executor::submit(Lane::compute, &kOwnerA, [] {});
  alive.reset();
  if (cpu::threads() > 1) {  // another owner has a thread of its own
    std::promise<void> other;
    executor::submit(Lane::compute, &kOwnerB, [&] { other.set_value(); });
    CHECK(other.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
    executor::wait(&kOwnerB);
  }
  CHECK(!watch.expired());
  CHECK(executor::cancel(&kOwnerA) == 2);
  CHECK(watch.expired(), "a cancelled job is destroyed");
  CHECK(executor::cancel(&kOwnerB) == 0);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    release.set_value();
  });
  executor::wait(&kOwnerA);
  CHECK(first_ran);
  later.join();
}

void test_finished_jobs_are_destroyed_before_wait_returns() {
  for (int round = 0; round < 200; ++round) {
    auto held = std::make_shared<int>(round);
    const std::weak_ptr<int> watch = held;
    executor::submit(round % 2 ? Lane::training : Lane::compute, &kOwnerB, [held] {});
    held.reset();
    executor::wait(&kOwnerB);
    CHECK(watch.expired());
  }
}

void test_many_submitters() {
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&count, t] {
      const int owner = t;
      for (int i = 0; i < 300; ++i)
        executor::submit(i % 3 ? Lane::compute : Lane::training, &owner, [&count] { count.fetch_add(1); });
      executor::wait(&owner);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(count == 1200, "%d", count.load());
}

void test_exceptions_end_nothing() {
  executor::submit(Lane::compute, &kOwnerA, [] { throw std::runtime_error("dropped"); });
  std::atomic<bool> ran{false};
  executor::submit(Lane::compute, &kOwnerA, [&] { ran = true; });
  executor::wait(&kOwnerA);
  CHECK(ran);
}

}  // namespace

int main() {
  cpu::set_threads(2);
  test_order();
  test_training_is_side_by_side_and_bounded();
  test_lanes_do_not_wait_for_each_other();
  test_files_hold_up_nobody();
  test_owners();
  test_finished_jobs_are_destroyed_before_wait_returns();
  test_many_submitters();
  test_exceptions_end_nothing();
  return downhill::test::report("executor");
}
