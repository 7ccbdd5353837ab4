// Sessions over a program written by hand: epochs, batches, shuffling, stretches, aborts, losses that are not finite, readers beside a
// trainer, and that a step allocates nothing.
#include "training/session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"
#include "core/error.h"
#include "data/permutation.h"
#include "fake_program.h"
#include "training/run_once.h"

namespace {
std::atomic<int64_t> allocations{0};
}

__attribute__((noinline)) void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace downhill;
using downhill::test::FakeKind;
using downhill::test::FakeModel;
using downhill::test::FakeProgram;

namespace {

constexpr int64_t kWidth = 3;

/// x[row] = (row, row² mod 7, 1) / scale, y = row mod 5.
std::shared_ptr<const Dataset> data_of(int64_t rows, float scale = 100, bool with_y = true) {
  std::vector<float> x, y;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t value : {i, i * i % 7, int64_t{1}}) x.push_back(static_cast<float>(value) / scale);
    y.push_back(static_cast<float>(i % 5));
  }
  std::vector<ColumnSource> sources(with_y ? 2 : 1);
  sources[0].name = "x";
  sources[0].data = x.data();
  sources[0].data_elements = x.size();
  sources[0].width = kWidth;
  if (with_y) {
    sources[1].name = "y";
    sources[1].data = y.data();
    sources[1].data_elements = y.size();
  }
  return std::make_shared<Dataset>(std::move(sources), rows, true);
}

struct Fit {
  explicit Fit(FakeModel m, OnNonFinite mode = OnNonFinite::error) : model(std::move(m)) {
    Hyper h;
    h.learning_rate = 0.05;
    updater = std::make_shared<Updater>(Rule::sgd, std::vector<UpdateSegment>{{model.weights, model.gradient, {}, 0}},
                                        std::vector<Hyper>{h}, 0);
    SessionOptions options;
    options.kind = SessionKind::train;
    options.workspace = workspace;
    options.updater = updater;
    options.logs = 2;
    options.on_non_finite = mode;
    session = std::make_unique<Session>(options);
  }
  std::shared_ptr<FakeProgram> program(int64_t rows) {
    auto made = std::make_shared<FakeProgram>(model, FakeKind::train, rows);
    session->set_program(rows, made);
    return made;
  }

  FakeModel model;
  std::shared_ptr<Workspace> workspace = std::make_shared<Workspace>();
  std::shared_ptr<Updater> updater;
  std::unique_ptr<Session> session;
};

std::unique_ptr<Session> reader(SessionKind kind, std::vector<Storage> results = {}) {
  SessionOptions options;
  options.kind = kind;
  options.workspace = std::make_shared<Workspace>();
  options.logs = kind == SessionKind::evaluate ? 2 : 0;
  options.results = std::move(results);
  return std::make_unique<Session>(options);
}

template <typename F>
std::string message_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    return std::string(error.code()) + ": " + error.what();
  }
  return "none";
}

bool starts(const std::string& text, const std::string& with) { return text.compare(0, with.size(), with) == 0; }

/// The weights after `epochs` of SGD by a loop of its own, and the sum of the last epoch's losses.
std::vector<float> by_hand(int64_t rows, int64_t batch, int epochs, bool shuffle, double* loss) {
  const auto data = data_of(rows);
  std::vector<float> w(kWidth);
  std::vector<uint32_t> order(static_cast<size_t>(rows));
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    if (shuffle) permute(order, 11, static_cast<uint64_t>(epoch));
    *loss = 0;
    for (int64_t begin = 0; begin < rows; begin += batch) {
      const int64_t n = std::min(batch, rows - begin);
      std::vector<float> g(kWidth);
      float sum = 0;
      for (int64_t i = begin; i < begin + n; ++i) {
        const auto* x = reinterpret_cast<const float*>(data->columns()[0].row(order[static_cast<size_t>(i)]));
        const float y = *reinterpret_cast<const float*>(data->columns()[1].row(order[static_cast<size_t>(i)]));
        float error = 0;
        for (size_t k = 0; k < kWidth; ++k) error += x[k] * w[k];
        error -= y;
        sum += error * error;
        for (size_t k = 0; k < kWidth; ++k) g[k] += 2 * error * x[k] / static_cast<float>(n);
      }
      *loss += static_cast<double>(sum);
      for (size_t k = 0; k < kWidth; ++k) w[k] -= 0.05F * g[k];
    }
  }
  return w;
}

void test_epochs() {
  for (bool shuffle : {false, true}) {
    Fit fit{FakeModel(kWidth)};
    const auto full = fit.program(16), rest = fit.program(7);
    fit.session->set_data(data_of(103), 0, 103);
    Stretch stretch;
    for (int epoch = 0; epoch < 3; ++epoch) {
      fit.session->begin_epoch(epoch, 16, shuffle, 11);
      stretch = fit.session->run(0, 0);
      CHECK(stretch.done && !stretch.aborted && stretch.steps == 7 && stretch.rows == 103 && stretch.non_finite == 0);
      CHECK(stretch.sums[1] == 103 && stretch.last[1] == 7);
    }
    double loss = 0;
    const std::vector<float> expected = by_hand(103, 16, 3, shuffle, &loss);
    CHECK(fit.model.copy() == expected);
    CHECK(stretch.sums[0] == loss, "%.17g and %.17g", stretch.sums[0], loss);
    CHECK(full->runs == 18 && rest->runs == 3 && fit.updater->iterations() == 21 && rest->last_step == 20);
    const Stretch again = fit.session->run(0, 0);
    CHECK(again.done && again.steps == 7 && fit.updater->iterations() == 21, "an epoch that has ended stays so");
  }
}

void test_range_and_shuffle_cover_each_row_once() {
  Fit fit{FakeModel(kWidth)};
  std::multiset<int> rows;
  std::vector<int> order, previous;
  for (int64_t size : {8, 4}) {
    fit.program(size)->seen = [&, size](const float* x, const float*) {
      for (int64_t i = 0; i < size; ++i) order.push_back(static_cast<int>(std::lround(x[i * kWidth] * 100)));
    };
  }
  fit.session->set_data(data_of(80), 10, 70);  // 60 rows
  for (int epoch = 0; epoch < 3; ++epoch) {
    order.clear();
    fit.session->begin_epoch(epoch, 8, true, 5);
    fit.session->run(0, 0);
    rows = std::multiset<int>(order.begin(), order.end());
    bool each_once = rows.size() == 60;
    for (int row = 10; row < 70; ++row) each_once = each_once && rows.count(row) == 1;
    CHECK(each_once);
    CHECK(order != previous, "another order in every epoch");
    previous = order;
  }
  order.clear();
  fit.session->begin_epoch(2, 8, true, 5);
  fit.session->run(0, 0);
  CHECK(order == previous, "the same seed and epoch give the same order");
}

void test_in_place_and_conversion() {
  Fit fit{FakeModel(kWidth)};
  const auto data = data_of(32);
  std::vector<const void*> at;
  fit.program(8)->seen = [&](const float* x, const float*) { at.push_back(x); };
  fit.session->set_data(data, 8, 32);
  fit.session->begin_epoch(0, 8, false, 0);
  fit.session->run(0, 0);
  CHECK(at.size() == 3 && at[0] == data->columns()[0].row(8) && at[2] == data->columns()[0].row(24));

  std::vector<uint8_t> x(20 * kWidth, 3);
  std::vector<double> y(20, 0.5);
  std::vector<ColumnSource> sources(2);
  sources[0] = {"x", x.data(), x.size(), {}, Element::uint8, kWidth, DType::float32};
  sources[1] = {"y", y.data(), y.size(), {}, Element::float64, 1, DType::float32};
  auto session = reader(SessionKind::evaluate);
  const FakeModel model(kWidth);
  model.w()[0] = 2;
  for (int64_t size : {16, 4})
    session->set_program(size, std::make_shared<FakeProgram>(model, FakeKind::evaluate, size));
  session->set_data(std::make_shared<Dataset>(sources, 20, true), 0, 20);
  session->begin_epoch(0, 16, false, 0);
  CHECK(session->run(0, 0).sums[0] == 20 * 5.5 * 5.5);
}

void test_powers_of_two_and_results() {
  const FakeModel model(kWidth);
  model.w()[0] = 100;
  model.w()[2] = 300;
  Storage result{std::make_shared<Buffer>(103 * 4), 0, 103 * 4, nullptr};
  auto predict = reader(SessionKind::predict, {result});
  auto evaluate = reader(SessionKind::evaluate);
  std::vector<std::shared_ptr<FakeProgram>> programs;
  for (int64_t size : {16, 4, 2, 1}) {
    programs.push_back(std::make_shared<FakeProgram>(model, FakeKind::predict, size));
    predict->set_program(size, programs.back());
    evaluate->set_program(size, std::make_shared<FakeProgram>(model, FakeKind::evaluate, size));
  }
  predict->set_data(data_of(103, 100, false), 0, 103);
  predict->begin_epoch(0, 16, false, 0);
  const Stretch stretch = predict->run(0, 0);
  CHECK(stretch.done && stretch.steps == 9 && stretch.rows == 103);
  CHECK(programs[0]->runs == 6 && programs[1]->runs == 1 && programs[2]->runs == 1 && programs[3]->runs == 1);
  bool right = true;
  for (int64_t i = 0; i < 103; ++i)
    right = right && std::fabs(reinterpret_cast<const float*>(result.data())[i] - static_cast<float>(i + 3)) < 1e-4;
  CHECK(right);
  evaluate->set_data(data_of(103), 0, 103);
  evaluate->begin_epoch(0, 16, false, 0);
  CHECK(evaluate->run(0, 0).sums[1] == 103);
}

void test_stretches() {
  double loss = 0;
  const std::vector<float> expected = by_hand(103, 16, 1, true, &loss);
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.program(7);
  fit.session->set_data(data_of(103), 0, 103);
  fit.session->begin_epoch(0, 16, true, 11);
  Stretch stretch;
  for (int step = 1; step <= 7; ++step) {
    stretch = fit.session->run(1, 0);
    CHECK(stretch.steps == step && stretch.done == (step == 7));
  }
  CHECK(fit.model.copy() == expected && stretch.sums[0] == loss);

  fit.program(16)->seen = [](const float*, const float*) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); };
  fit.session->begin_epoch(0, 16, true, 11);
  stretch = fit.session->run(0, 7);
  CHECK(stretch.steps >= 1 && stretch.steps <= 4 && !stretch.done, "%d steps", static_cast<int>(stretch.steps));
  stretch = fit.session->run(0, 1e-3);
  CHECK(stretch.steps >= 2, "at least one step in a stretch");
}

void test_abort_and_resume() {
  double loss = 0;
  const std::vector<float> expected = by_hand(103, 16, 1, true, &loss);
  Fit fit{FakeModel(kWidth)};
  fit.program(7);
  const auto full = fit.program(16);
  full->seen = [&](const float*, const float*) {
    if (full->runs == 3) fit.session->abort();
  };
  fit.session->set_data(data_of(103), 0, 103);
  fit.session->begin_epoch(0, 16, true, 11);
  Stretch stretch = fit.session->run(0, 0);
  CHECK(stretch.aborted && !stretch.done && stretch.steps == 3);
  fit.session->abort();
  stretch = fit.session->run(0, 0);
  CHECK(stretch.aborted && stretch.steps == 3, "an abort before a stretch ends it before its first step");
  stretch = fit.session->run(0, 0);
  CHECK(!stretch.aborted && stretch.done && stretch.steps == 7);
  CHECK(fit.model.copy() == expected && stretch.sums[0] == loss);
}

std::shared_ptr<const Dataset> data_with_bad_row() {  // row 40 is NaN
  std::vector<float> x(64 * kWidth, 0.5F), y(64, 1);
  x[40 * kWidth + 1] = NAN;
  std::vector<ColumnSource> sources(2);
  sources[0] = {"x", x.data(), x.size(), {}, Element::float32, kWidth, DType::float32};
  sources[1] = {"y", y.data(), y.size(), {}, Element::float32, 1, DType::float32};
  return std::make_shared<Dataset>(sources, 64, false);
}

void test_non_finite() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  const auto data = data_with_bad_row();
  fit.session->set_data(data, 0, 32);
  fit.session->begin_epoch(4, 16, false, 0);
  fit.session->run(0, 0);
  const std::vector<float> good = fit.model.copy();
  fit.model.w()[0] = fit.model.w()[1] = fit.model.w()[2] = 0;
  fit.session->set_data(data, 0, 64);
  fit.session->begin_epoch(4, 16, false, 0);
  const std::string expected = "NON_FINITE: The loss is NaN in epoch 5, step 3.";
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), expected));
  CHECK(fit.model.copy() == good, "the weights are those of step 2");
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), expected), "and the session can be run again");
  CHECK(!is_training(*fit.model.weights.buffer));

  Fit warn{FakeModel(kWidth), OnNonFinite::warn};
  warn.program(16);
  warn.session->set_data(data, 0, 64);
  warn.session->begin_epoch(0, 16, false, 0);
  const Stretch stretch = warn.session->run(0, 0);
  CHECK(stretch.done && stretch.steps == 4 && stretch.non_finite == 2 && std::isnan(stretch.sums[0]));

  auto evaluate = reader(SessionKind::evaluate);
  evaluate->set_program(16, std::make_shared<FakeProgram>(FakeModel(kWidth), FakeKind::evaluate, 16));
  evaluate->set_data(data, 0, 64);
  evaluate->begin_epoch(0, 16, false, 0);
  CHECK(starts(message_of([&] { evaluate->run(0, 0); }), "NON_FINITE: The loss of batch 3 of this evaluation is NaN"));
}

void test_state_is_committed_with_the_update() {
  FakeModel model(kWidth);
  model.commits = true;
  Fit fit{model};
  fit.program(16);
  fit.session->set_data(data_of(32), 0, 32);
  const uint64_t before = model.weights.buffer->version;
  fit.session->begin_epoch(0, 16, false, 0);
  fit.session->run(0, 0);
  CHECK(*reinterpret_cast<float*>(model.state.data()) == 2);
  CHECK(model.weights.buffer->version == before + 2 && model.state.buffer->version == 2);
}

void test_errors() {
  Fit fit{FakeModel(kWidth)};
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "INVALID_ARGUMENT: Start an epoch"));
  CHECK(starts(message_of([&] { fit.session->begin_epoch(0, 8, false, 0); }), "INVALID_ARGUMENT: This session has no data"));
  const auto data = data_of(20);
  CHECK(starts(message_of([&] { fit.session->set_data(data, 0, 21); }), "OUT_OF_RANGE"));
  fit.session->set_data(data, 0, 20);
  CHECK(starts(message_of([&] { fit.session->begin_epoch(0, 0, false, 0); }), "INVALID_ARGUMENT: batchSize"));
  fit.program(8);
  fit.session->begin_epoch(0, 8, false, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "INTERNAL: No program for batches of 4 rows"));
  CHECK(fit.updater->iterations() == 0, "before the first step");
  fit.program(4);
  CHECK(fit.session->run(0, 0).done);
  fit.session->set_program(4, std::make_shared<FakeProgram>(FakeModel(kWidth + 1), FakeKind::train, 4));
  fit.session->begin_epoch(0, 8, false, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "SHAPE_MISMATCH: x has rows of 3 elements, the program expects [4, 4]"));
  fit.session->set_data(data_of(20, 1, false), 0, 20);
  fit.session->begin_epoch(0, 8, false, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "SHAPE_MISMATCH: The program has 2 inputs, the data set 1"));
  auto predict = reader(SessionKind::predict, {Storage{std::make_shared<Buffer>(8), 0, 8, nullptr}});
  predict->set_program(8, std::make_shared<FakeProgram>(FakeModel(kWidth), FakeKind::predict, 8));
  predict->set_data(data_of(16, 1, false), 0, 16);
  predict->begin_epoch(0, 8, false, 0);
  CHECK(starts(message_of([&] { predict->run(0, 0); }), "INTERNAL: Output 0 has no room"));

  Fit busy{FakeModel(kWidth)};
  std::string during;
  busy.program(4)->seen = [&](const float*, const float*) {
    std::thread([&] { during = message_of([&] { busy.session->begin_epoch(1, 4, false, 0); }); }).join();
  };
  busy.session->set_data(data, 0, 20);
  busy.session->begin_epoch(0, 4, false, 0);
  busy.session->run(1, 0);
  CHECK(starts(during, "INVALID_ARGUMENT: This session is running"));
}

void test_no_allocations() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.program(7);
  fit.session->set_data(data_of(1607, 1e4), 0, 1607);
  const auto epoch = [&](int number) {
    fit.session->begin_epoch(number, 16, true, 1);
    fit.session->run(1, 0);
    const int64_t buffers = Buffer::total_allocations(), before = allocations;
    const Stretch stretch = fit.session->run(0, 1e6);
    CHECK(stretch.steps == 101);
    CHECK(Buffer::total_allocations() == buffers);
    return allocations - before;
  };
  const int64_t some = epoch(0);
  CHECK(some <= 8, "%d allocations in a stretch of 100 steps", static_cast<int>(some));  // of the returned sums
  const int64_t buffers = Buffer::total_allocations();
  epoch(1);
  CHECK(Buffer::total_allocations() == buffers, "the next epoch needs no new buffers");
}

// ---- readers beside a trainer ---------------------------------------------------------------------------------------

/// Wide weights that are all equal after every step, since all columns of x are.
constexpr int64_t kWide = 4096;

std::shared_ptr<const Dataset> wide_data(int64_t rows, bool with_y) {
  std::vector<float> x(static_cast<size_t>(rows * kWide), 0.01F), y(static_cast<size_t>(rows), 1);
  std::vector<ColumnSource> sources(with_y ? 2 : 1);
  sources[0] = {"x", x.data(), x.size(), {}, Element::float32, kWide, DType::float32};
  if (with_y) sources[1] = {"y", y.data(), y.size(), {}, Element::float32, 1, DType::float32};
  return std::make_shared<Dataset>(std::move(sources), rows, true);
}

bool all_equal(const float* w) { return std::all_of(w, w + kWide, [&](float value) { return value == w[0]; }); }

void test_readers_beside_a_trainer() {
  Fit fit{FakeModel(kWide)};
  fit.updater->set(0, "learningRate", 1e-4);
  const auto program = fit.program(4);
  fit.session->set_data(wide_data(8, true), 0, 8);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> steps{0};
  std::thread trainer([&] {
    for (int epoch = 0; !stop; ++epoch) {
      fit.session->begin_epoch(epoch, 4, true, 0);
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
      const std::shared_ptr<TrainingMark> mark(  // as within one epoch
          new TrainingMark({fit.model.weights.buffer}));
      session->begin_epoch(0, 2, false, 0);
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
    session->begin_epoch(0, 2, false, 0);
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
  fit.session->begin_epoch(0, 4, false, 0);
  fit.session->run(1, 0);  // from here on until its end the epoch is marked
  std::atomic<bool> reading{false}, release{false};
  const Storage result{std::make_shared<Buffer>(4), 0, 4, nullptr};
  auto session = reader(SessionKind::predict, {result});
  auto slow = std::make_shared<FakeProgram>(fit.model, FakeKind::predict, 1);
  slow->seen = [&](const float*, const float*) {
    reading = true;
    while (!release) std::this_thread::yield();
  };
  session->set_program(1, slow);
  session->set_data(wide_data(1, false), 0, 1);
  session->begin_epoch(0, 1, false, 0);
  const float before = fit.model.w()[0];
  std::thread thread([&] { session->run(0, 0); });
  while (!reading) std::this_thread::yield();
  const Stretch stretch = fit.session->run(50, 0);  // hangs if the reader holds the weights
  CHECK(stretch.steps == 51);
  release = true;
  thread.join();
  float expected = 0;
  for (int64_t k = 0; k < kWide; ++k) expected += 0.01F * before;
  CHECK(*reinterpret_cast<const float*>(result.data()) == expected, "the prediction is of the step when it began");
}

void test_snapshots_are_reused() {
  const FakeModel model(kWidth);
  CHECK(snapshot_if_training(model.weights.buffer) == nullptr);
  const TrainingMark mark({model.weights.buffer});
  const auto first = snapshot_if_training(model.weights.buffer), second = snapshot_if_training(model.weights.buffer);
  CHECK(first && first == second);
  LockSet set;
  set.own(model.weights.buffer);
  { const Locked locked(set); }
  CHECK(snapshot_if_training(model.weights.buffer) != first);
  const FakeModel other(kWidth);
  const TrainingMark also({other.weights.buffer});
  CHECK(snapshot_if_training({model.weights.buffer, other.weights.buffer}) == nullptr, "of two they could differ in time");
  CHECK(snapshot_if_training({model.gradient.buffer, other.weights.buffer}) != nullptr);
}

void test_sharing_a_workspace_takes_turns() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.session->set_data(data_of(160000, 1e6), 0, 160000);
  SessionOptions options;
  options.kind = SessionKind::evaluate;
  options.workspace = fit.workspace;
  options.logs = 2;
  Session evaluate(options);
  evaluate.set_program(16, std::make_shared<FakeProgram>(fit.model, FakeKind::evaluate, 16));
  evaluate.set_data(data_of(160, 1e6), 0, 160);
  fit.session->begin_epoch(0, 16, false, 0);
  std::atomic<bool> over{false};
  std::thread trainer([&] {
    fit.session->run(0, 0);
    over = true;
  });
  int finished = 0;
  while (!over) {
    evaluate.begin_epoch(0, 16, false, 0);
    evaluate.run(0, 0);
    ++finished;
  }
  trainer.join();
  CHECK(finished > 2, "%d evaluations", finished);
}

}  // namespace

int main() {
  cpu::set_threads(2);
  test_epochs();
  test_range_and_shuffle_cover_each_row_once();
  test_in_place_and_conversion();
  test_powers_of_two_and_results();
  test_stretches();
  test_abort_and_resume();
  test_non_finite();
  test_state_is_committed_with_the_update();
  test_errors();
  test_no_allocations();
  test_readers_beside_a_trainer();
  test_readers_beside_a_writer();
  test_a_slow_reader_does_not_stall_training();
  test_snapshots_are_reused();
  test_sharing_a_workspace_takes_turns();
  return downhill::test::report("session");
}
