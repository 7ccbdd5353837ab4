// Readers beside a trainer: predictions see one finished step and do not stall training.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"
#include "session_fixture.h"
#include "training/brief.h"
#include "training/locks.h"
#include "training/run_once.h"
#include "training/snapshot.h"

using namespace downhill;
using namespace downhill::test;

namespace {

/// Wide weights that are all equal after every step, since all columns of x are.
constexpr int64_t kWide = 4096;

std::shared_ptr<const Dataset> wide_data(int64_t rows, bool with_y) {
  std::vector<float> x(static_cast<size_t>(rows * kWide), 0.01F), y(static_cast<size_t>(rows), 1);
  std::vector<ColumnSource> sources(with_y ? 2 : 1);
  sources[0] = {"x", x.data(), x.size(), {}, Element::float32, kWide, DType::float32};
  if (with_y) sources[1] = {"y", y.data(), y.size(), {}, Element::float32, 1, DType::float32};
  return std::make_shared<Dataset>(std::move(sources), rows, true);
}

bool all_equal(const float* w) {
  return std::all_of(w, w + kWide, [&](float value) { return value == w[0]; });
}

void test_readers_beside_a_trainer() {
  Fit fit{FakeModel(kWide)};
  fit.updater->set(0, "learningRate", 1e-4);
  const auto program = fit.program(4);
  fit.session->set_data(wide_data(8, true), 0, 8);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> steps{0};
  std::thread trainer([&] {
    for (int epoch = 0; !stop; ++epoch) {
      fit.session->begin_epoch(epoch, 4, Order::shuffled, 0);
      steps += fit.session->run(0, 0).steps;
      fit.updater->set(0, "learningRate", epoch % 2 ? 1e-4 : 2e-4);
    }
  });

  std::atomic<int> torn{0}, mixed{0}, predictions{0};
  const auto predict = [&] {
    Storage result{std::make_shared<Buffer>(8 * 4), 0, 8 * 4, nullptr};
    auto session = reader(SessionKind::predict, {result});
    auto mine = std::make_shared<FakeProgram>(fit.model, FakeKind::predict, 2);
    mine->seen = [&](const float*, const float* w) {
      if (!all_equal(w)) ++torn;
    };
    session->set_program(2, mine);
    session->set_data(wide_data(8, false), 0, 8);
    while (!stop) {
      session->begin_epoch(0, 2, Order::stored, 0);
      session->run(0, 0);
      const auto* y = reinterpret_cast<const float*>(result.data());
      if (!std::all_of(y, y + 8, [&](float value) { return value == y[0]; })) ++mixed;
      ++predictions;
    }
  };
  const auto run_single = [&] {
    auto mine = std::make_shared<FakeProgram>(fit.model, FakeKind::predict, 1);
    mine->seen = [&](const float*, const float* w) {
      if (!all_equal(w)) ++torn;
    };
    Workspace workspace;
    const Storage result{std::make_shared<Buffer>(4), 0, 4, nullptr};
    while (!stop) {
      run_once(*mine, workspace, {fit.model.weights}, {result}, 0);  // the weights as input x, too
      ++predictions;
    }
  };
  std::thread first(predict), second(run_single);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  stop = true;
  for (std::thread* thread : {&trainer, &first, &second}) thread->join();
  CHECK(torn == 0 && mixed == 0, "%d torn, %d mixed", torn.load(), mixed.load());
  CHECK(steps > 10 && predictions > 10, "%d steps, %d predictions", static_cast<int>(steps), predictions.load());
  CHECK(!is_training(*fit.model.weights.buffer));
  CHECK(program->runs == fit.updater->iterations());
}

/// A write between two batches of one prediction: all rows are of the new variables.
void test_a_write_between_batches() {
  const FakeModel model(kWide);
  std::fill(model.w(), model.w() + kWide, 1.0F);
  const Storage result{std::make_shared<Buffer>(4 * 4), 0, 4 * 4, nullptr};
  auto session = reader(SessionKind::predict, {result});
  session->set_program(2, std::make_shared<FakeProgram>(model, FakeKind::predict, 2));
  session->set_data(wide_data(4, false), 0, 4);
  session->begin_epoch(0, 2, Order::stored, 0);
  CHECK(session->run(1, 0).rows == 2);
  LockSet set;
  set.own(model.weights.buffer);
  {
    const Locked locked(set);
    std::fill(model.w(), model.w() + kWide, 2.0F);
  }
  CHECK(session->run(0, 0).done);
  const auto* y = reinterpret_cast<const float*>(result.data());
  CHECK(y[0] != 0 && y[0] == y[2], "%g %g", static_cast<double>(y[0]), static_cast<double>(y[2]));
}

/// Writers that are no training session, such as setWeights or a single update, are kept out by the locks alone.
void test_readers_beside_a_writer() {
  const FakeModel model(kWide);
  auto session = reader(SessionKind::predict, {Storage{std::make_shared<Buffer>(8), 0, 8, nullptr}});
  auto program = std::make_shared<FakeProgram>(model, FakeKind::predict, 2);
  std::atomic<int> torn{0}, reads{0}, writes{0};
  program->seen = [&](const float*, const float* w) {
    torn += !all_equal(w);
    ++reads;
  };
  session->set_program(2, program);
  session->set_data(wide_data(2, false), 0, 2);
  LockSet set;
  set.own(model.weights.buffer);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (; !stop; ++writes) {
      const Locked locked(set);
      std::fill(model.w(), model.w() + kWide, static_cast<float>(writes % 1000));
    }
  });
  while (reads < 200 || writes < 200) {
    session->begin_epoch(0, 2, Order::stored, 0);
    session->run(0, 0);
  }
  stop = true;
  writer.join();
  CHECK(torn == 0, "%d torn of %d", torn.load(), reads.load());
}

void test_a_slow_reader_does_not_stall_training() {
  Fit fit{FakeModel(kWide)};
  fit.program(4);
  fit.session->set_data(wide_data(4000, true), 0, 4000);
  fit.session->begin_epoch(0, 4, Order::stored, 0);
  fit.session->run(1, 0);  // from here on until its end the epoch is marked
  std::atomic<bool> reading{false}, release{false};
  const Storage result{std::make_shared<Buffer>(8), 0, 8, nullptr};
  auto session = reader(SessionKind::predict, {result});
  auto slow = std::make_shared<FakeProgram>(fit.model, FakeKind::predict, 1);
  slow->seen = [&](const float*, const float*) {
    reading = true;
    while (!release) std::this_thread::yield();
  };
  session->set_program(1, slow);
  session->set_data(wide_data(2, false), 0, 2);  // two batches: one would be read where it is
  session->begin_epoch(0, 1, Order::stored, 0);
  const float before = fit.model.w()[0];
  std::thread thread([&] { session->run(0, 0); });
  while (!reading) std::this_thread::yield();
  const Stretch stretch = fit.session->run(50, 0);  // hangs if the reader holds the weights
  CHECK(stretch.steps == 51);
  release = true;
  thread.join();
  float expected = 0;
  for (int64_t k = 0; k < kWide; ++k) expected += 0.01F * before;
  for (int i = 0; i < 2; ++i)
    CHECK(reinterpret_cast<const float*>(result.data())[i] == expected, "the prediction is of the step when it began");
}

void test_one_brief_batch_reads_the_weights_where_they_are() {
  const FakeModel model(kWidth);
  const TrainingMark mark({model.weights.buffer});
  const Storage result{std::make_shared<Buffer>(8), 0, 8, nullptr};
  auto session = reader(SessionKind::predict, {result});
  auto program = std::make_shared<FakeProgram>(model, FakeKind::predict, 1);
  const float* seen = nullptr;
  bool free = true;
  LockSet writer;
  writer.own(model.weights.buffer);
  program->seen = [&](const float*, const float* w) {
    seen = w;
    std::thread([&] { free = writer.free(); }).join();
  };
  session->set_program(1, program);
  session->set_data(data_of(2, 100, false), 0, 1);
  session->begin_epoch(0, 1, Order::stored, 0);
  session->run(0, 0);
  CHECK(seen == model.w());
  CHECK(!free, "the weights are locked");
  session->set_data(data_of(2, 100, false), 0, 2);
  session->begin_epoch(0, 1, Order::stored, 0);
  session->run(0, 0);
  CHECK(seen != model.w(), "several batches see one moment");
  CHECK(free);
}

void test_brief() {
  const FakeModel model(kWidth);
  const Storage result{std::make_shared<Buffer>(8), 0, 8, nullptr};
  SessionOptions options;
  options.kind = SessionKind::predict;
  options.workspace = std::make_shared<Workspace>();
  options.results = {result};
  Session session(options);
  CHECK(!session.brief(), "no epoch yet");
  auto program = std::make_shared<FakeProgram>(model, FakeKind::predict, 1);
  session.set_program(1, program);
  session.set_data(data_of(2, 100, false), 0, 2);
  session.begin_epoch(0, 1, Order::stored, 0);
  CHECK(session.brief());
  const auto from_another_thread = [&] {
    bool brief = false;
    std::thread([&] { brief = session.brief(); }).join();
    return brief;
  };
  {
    const std::lock_guard<TurnMutex> lock(program->in_use);
    CHECK(!session.brief(), "the program runs");
  }
  {
    const std::lock_guard<TurnMutex> lock(options.workspace->in_use);
    CHECK(!session.brief(), "the workspace is in use");
  }
  {
    const std::unique_lock<std::shared_mutex> lock(model.weights.buffer->guard);
    CHECK(!from_another_thread(), "an update holds the weights");
  }
  CHECK(from_another_thread());
  Fit fit{FakeModel(kWidth)};
  fit.program(2);
  fit.session->set_data(data_of(2), 0, 2);
  fit.session->begin_epoch(0, 2, Order::stored, 0);
  CHECK(!fit.session->brief(), "training is none of JavaScript's thread");
  const std::string isa = cpu::isa();
  const int threads = cpu::threads();
  for (const std::string& name : cpu::available_isas()) {
    cpu::select_isa(name);
    cpu::set_threads(2);
    const double of_thread = name == "baseline" || name == "neon" ? 2e6 : name == "avx2" ? 1e7 : 2e7;
    for (const bool training : {false, true}) {
      const double flops = of_thread * (training ? 4 : 2), bytes = training ? 8e6 : 2e6;
      CHECK(is_brief({flops, bytes}, devices::cpu(), training));
      CHECK(!is_brief({flops + 1, 0}, devices::cpu(), training) && !is_brief({0, bytes + 1}, devices::cpu(), training));
    }
  }
  cpu::select_isa(isa);
  cpu::set_threads(threads);
}

void test_snapshots_are_reused() {
  const FakeModel model(kWidth);
  CHECK(snapshot_if_training(model.weights.buffer) == nullptr);
  const TrainingMark mark({model.weights.buffer});
  const auto first = snapshot_if_training(model.weights.buffer), second = snapshot_if_training(model.weights.buffer);
  CHECK(first && first == second);
  LockSet set;
  set.own(model.weights.buffer);
  {
    const Locked locked(set);
  }
  CHECK(snapshot_if_training(model.weights.buffer) != first);
  const Snapshot* const third = snapshot_if_training(model.weights.buffer).get();
  {
    const Locked locked(set);
  }
  const auto fourth = snapshot_if_training(model.weights.buffer);
  CHECK(fourth.get() == third, "nobody read the third: its memory is taken over");
  CHECK(fourth->version == model.weights.buffer->version);
  const FakeModel other(kWidth);
  const TrainingMark also({other.weights.buffer});
  CHECK(snapshot_if_training({model.weights.buffer, other.weights.buffer}) == nullptr,
        "of two they could differ in time");
  CHECK(snapshot_if_training({model.gradient.buffer, other.weights.buffer}) != nullptr);
}

void test_sharing_a_workspace_takes_turns() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.session->set_data(data_of(16000, 1e6), 0, 16000);
  SessionOptions options;
  options.kind = SessionKind::evaluate;
  options.workspace = fit.workspace;
  options.logs = {1, 1};
  Session evaluate(options);
  evaluate.set_program(16, std::make_shared<FakeProgram>(fit.model, FakeKind::evaluate, 16));
  evaluate.set_data(data_of(160, 1e6), 0, 160);
  std::atomic<int> finished{0}, epochs{0};
  std::thread trainer([&] {  // until the evaluations have had their turns, however the threads are scheduled
    for (; finished < 3 && epochs < 10000; ++epochs) {
      fit.session->begin_epoch(epochs, 16, Order::stored, 0);
      fit.session->run(0, 0);
    }
  });
  while (finished < 3 && epochs < 10000) {
    evaluate.begin_epoch(0, 16, Order::stored, 0);
    if (evaluate.run(0, 0).done) ++finished;
  }
  trainer.join();
  CHECK(finished >= 3, "%d evaluations in %d epochs", finished.load(), epochs.load());
}

}  // namespace

int main() {
  cpu::set_threads(2);
  test_readers_beside_a_trainer();
  test_a_write_between_batches();
  test_readers_beside_a_writer();
  test_a_slow_reader_does_not_stall_training();
  test_one_brief_batch_reads_the_weights_where_they_are();
  test_brief();
  test_snapshots_are_reused();
  test_sharing_a_workspace_takes_turns();
  return report("readers");
}
