// Sessions over a program written by hand: epochs, batches, shuffling, stretches, aborts, losses that are not finite,
// and that a step allocates nothing.
#include "training/session.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backend/cpu/pool.h"
#include "check.h"
#include "count_allocations.h"
#include "data/permutation.h"
#include "session_fixture.h"

using namespace downhill;
using namespace downhill::test;

namespace {

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
      fit.session->begin_epoch(epoch, 16, shuffle ? Order::shuffled : Order::stored, 11);
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
    fit.session->begin_epoch(epoch, 8, Order::shuffled, 5);
    fit.session->run(0, 0);
    rows = std::multiset<int>(order.begin(), order.end());
    bool each_once = rows.size() == 60;
    for (int row = 10; row < 70; ++row) each_once = each_once && rows.count(row) == 1;
    CHECK(each_once);
    CHECK(order != previous, "another order in every epoch");
    previous = order;
  }
  order.clear();
  fit.session->begin_epoch(2, 8, Order::shuffled, 5);
  fit.session->run(0, 0);
  CHECK(order == previous, "the same seed and epoch give the same order");
}

/// Chosen rows, in batches of 4 with a rest of 2: as they stand, with a draw of their own, drawn with replacement.
void test_row_sets() {
  Fit fit{FakeModel(kWidth)};
  std::vector<int> seen;
  for (int64_t size : {4, 2})
    fit.program(size)->seen = [&, size](const float* x, const float*) {
      for (int64_t i = 0; i < size; ++i) seen.push_back(static_cast<int>(std::lround(x[i * kWidth] * 100)));
    };
  RowSet set;
  set.rows = {7, 0, 2, 9, 4, 5};
  fit.session->set_data(data_of(40), 10, 20, set);
  const auto epoch = [&](int64_t number, Order order, std::optional<uint64_t> draw = {}) {
    seen.clear();
    fit.session->begin_epoch(number, 4, order, 3, draw);
    CHECK(fit.session->run(0, 0).done);
    return seen;
  };
  CHECK(epoch(0, Order::stored) == std::vector<int>({17, 10, 12, 19, 14, 15}));
  const std::vector<int> shuffled = epoch(1, Order::shuffled, 5);
  CHECK(epoch(2, Order::shuffled, 5) == shuffled && epoch(5, Order::shuffled) == shuffled);
  CHECK(epoch(2, Order::shuffled) != shuffled);
  std::vector<int> sorted = shuffled;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == std::vector<int>({10, 12, 14, 15, 17, 19}));

  set.draws = 22;
  fit.session->set_data(data_of(40), 10, 20, set);
  const std::vector<int> drawn = epoch(0, Order::drawn);
  CHECK(drawn.size() == 22 && std::all_of(drawn.begin(), drawn.end(), [&](int row) {
          return std::binary_search(sorted.begin(), sorted.end(), row);
        }));
  fit.session->begin_epoch(0, 4, Order::drawn, 3);
  fit.session->seek(3, {0, 0});
  seen.clear();
  CHECK(fit.session->run(0, 0).rows == 22 && std::equal(seen.begin(), seen.end(), drawn.begin() + 12, drawn.end()));
  fit.session->begin_epoch(0, 4, Order::stored, 3);
  CHECK(fit.session->run(0, 0).rows == 6, "the other orders visit each row once");

  const auto predict = reader(SessionKind::predict);
  predict->set_data(data_of(40), 10, 20, set);
  CHECK(starts(message_of([&] { predict->begin_epoch(0, 4, Order::stored, 0); }), "INTERNAL"));
  CHECK(starts(message_of([&] { predict->set_data(data_of(40), 10, 19, set); }), "OUT_OF_RANGE: Row 9"));
}

void test_in_place_and_conversion() {
  Fit fit{FakeModel(kWidth)};
  const auto data = data_of(32);
  std::vector<const void*> at;
  fit.program(8)->seen = [&](const float* x, const float*) { at.push_back(x); };
  fit.session->set_data(data, 8, 32);
  fit.session->begin_epoch(0, 8, Order::stored, 0);
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
  session->begin_epoch(0, 16, Order::stored, 0);
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
  predict->begin_epoch(0, 16, Order::stored, 0);
  const Stretch stretch = predict->run(0, 0);
  CHECK(stretch.done && stretch.steps == 9 && stretch.rows == 103);
  CHECK(programs[0]->runs == 6 && programs[1]->runs == 1 && programs[2]->runs == 1 && programs[3]->runs == 1);
  bool right = true;
  for (int64_t i = 0; i < 103; ++i)
    right = right && std::fabs(reinterpret_cast<const float*>(result.data())[i] - static_cast<float>(i + 3)) < 1e-4;
  CHECK(right);
  evaluate->set_data(data_of(103), 0, 103);
  evaluate->begin_epoch(0, 16, Order::stored, 0);
  CHECK(evaluate->run(0, 0).sums[1] == 103);
}

void test_stretches() {
  double loss = 0;
  const std::vector<float> expected = by_hand(103, 16, 1, true, &loss);
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.program(7);
  fit.session->set_data(data_of(103), 0, 103);
  fit.session->begin_epoch(0, 16, Order::shuffled, 11);
  Stretch stretch;
  for (int step = 1; step <= 7; ++step) {
    stretch = fit.session->run(1, 0);
    CHECK(stretch.steps == step && stretch.done == (step == 7));
  }
  CHECK(fit.model.copy() == expected && stretch.sums[0] == loss);

  fit.program(16)->seen = [](const float*, const float*) { std::this_thread::sleep_for(std::chrono::milliseconds(3)); };
  fit.session->begin_epoch(0, 16, Order::shuffled, 11);
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
  fit.session->begin_epoch(0, 16, Order::shuffled, 11);
  Stretch stretch = fit.session->run(0, 0);
  CHECK(stretch.aborted && !stretch.done && stretch.steps == 3);
  fit.session->abort();
  stretch = fit.session->run(0, 0);
  CHECK(stretch.aborted && stretch.steps == 3, "an abort before a stretch ends it before its first step");
  stretch = fit.session->run(0, 0);
  CHECK(!stretch.aborted && stretch.done && stretch.steps == 7);
  CHECK(fit.model.copy() == expected && stretch.sums[0] == loss);
}

std::vector<float> first_column(const std::vector<Storage>& batch) {  // of x, and its number of rows
  const auto* const x = reinterpret_cast<const float*>(batch[0].host());
  std::vector<float> rows;
  for (size_t i = 0; i < batch[1].bytes / sizeof(float); ++i) rows.push_back(x[i * kWidth]);
  return rows;
}

/// batch() tells the rows that the programs see, of any batch so far and of the next one.
void test_batch() {
  for (Order order : {Order::stored, Order::shuffled}) {
    Fit fit{FakeModel(kWidth)};
    std::vector<std::vector<float>> seen;
    for (int64_t rows : {int64_t{16}, int64_t{7}})
      fit.program(rows)->seen = [&seen, rows](const float* x, const float*) {
        std::vector<float> column;
        for (int64_t i = 0; i < rows; ++i) column.push_back(x[i * kWidth]);
        seen.push_back(column);
      };
    fit.session->set_data(data_of(110), 4, 107);
    CHECK(fit.session->batch(0).empty(), "no epoch yet");
    fit.session->begin_epoch(0, 16, order, 11);
    for (int step = 0; step < 7; ++step) {
      const std::vector<float> next = first_column(fit.session->batch(0));
      CHECK(fit.session->batch(step + 1).empty() && fit.session->batch(-1).empty());
      fit.session->run(1, 0);
      CHECK(seen.back() == next && next.size() == (step < 6 ? 16 : 7));
      for (int back = 1; back <= step + 1; ++back)
        CHECK(first_column(fit.session->batch(back)) == seen[static_cast<size_t>(step + 1 - back)]);
    }
    CHECK(fit.session->batch(0).empty(), "the epoch has ended");
  }
  const auto evaluate = reader(SessionKind::evaluate);
  CHECK(starts(message_of([&] { evaluate->batch(0); }), "INTERNAL"));
}

/// Another session takes over after k batches, with the weights and sums of the first, and ends as one that never
/// stopped.
void test_seek() {
  double loss = 0;
  const std::vector<float> expected = by_hand(103, 16, 1, true, &loss);
  for (int64_t k = 0; k <= 7; ++k) {
    Fit first{FakeModel(kWidth)};
    first.program(16);
    first.program(7);
    first.session->set_data(data_of(103), 0, 103);
    first.session->begin_epoch(0, 16, Order::shuffled, 11);
    Stretch stretch;
    stretch.sums = {0, 0};
    if (k > 0) stretch = first.session->run(k, 0);
    Fit second{FakeModel(kWidth)};
    const auto full = second.program(16), rest = second.program(7);
    const std::vector<float> weights = first.model.copy();
    std::copy(weights.begin(), weights.end(), second.model.w());
    second.session->set_data(data_of(103), 0, 103);
    second.session->begin_epoch(0, 16, Order::shuffled, 11);
    second.session->seek(k, stretch.sums);
    stretch = second.session->run(0, 0);
    CHECK(stretch.done && stretch.steps == 7 && stretch.rows == 103 && stretch.sums[1] == 103);
    CHECK(full->runs == (k < 6 ? 6 - k : 0) && rest->runs == (k < 7 ? 1 : 0));
    CHECK(second.model.copy() == expected && stretch.sums[0] == loss);
    CHECK(stretch.last[1] == (k < 7 ? 7 : 0), "the last batch before is not known");
    second.session->begin_epoch(1, 16, Order::shuffled, 11);
    CHECK(second.session->run(0, 0).sums[1] == 103, "the next epoch begins at its first batch");
  }
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.program(7);
  CHECK(starts(message_of([&] { fit.session->seek(1, {0, 0}); }), "INVALID_ARGUMENT: Start an epoch"));
  fit.session->set_data(data_of(103), 0, 103);
  fit.session->begin_epoch(0, 16, Order::shuffled, 11);
  CHECK(starts(message_of([&] { fit.session->seek(8, {0, 0}); }), "OUT_OF_RANGE: Cannot go on after batch 8 of 7"));
  CHECK(starts(message_of([&] { fit.session->seek(-1, {0, 0}); }), "OUT_OF_RANGE"));
  CHECK(starts(message_of([&] { fit.session->seek(1, {0}); }), "INVALID_ARGUMENT: Expected 2 sums, received 1"));
  CHECK(fit.session->run(0, 0).sums[1] == 103, "and nothing has changed");
}

std::shared_ptr<const Dataset> data_with_bad_row() {  // row 40 is NaN
  std::vector<float> x(64 * kWidth, 0.5F), y(64, 1);
  x[40 * kWidth + 1] = NAN;
  std::vector<ColumnSource> sources(2);
  sources[0] = {"x", x.data(), x.size(), {}, Element::float32, kWidth, DType::float32};
  sources[1] = {"y", y.data(), y.size(), {}, Element::float32, 1, DType::float32};
  return std::make_shared<Dataset>(sources, 64, false);
}

/// Logs of several elements stand one after the other, and are added up element by element.
void test_wide_logs() {
  FakeModel model(kWidth);
  model.wide = true;
  Fit fit{model};
  fit.program(8);
  fit.program(4);
  fit.session->set_data(data_of(20), 0, 20);
  fit.session->begin_epoch(0, 8, Order::shuffled, 3);
  const Stretch first = fit.session->run(1, 0);
  CHECK(first.sums.size() == 6 && first.sums[1] == 8 && first.sums[2] == 8 && first.sums[4] == 24);
  const Stretch all = fit.session->run(0, 0);
  CHECK(all.sums[1] == 20 && all.sums[2] == 20 && all.sums[3] == 40 && all.sums[4] == 60 && all.sums[5] == 21);
  CHECK(all.last[1] == 4 && all.last[2] == 4 && all.last[3] == 8 && all.last[4] == 12);

  fit.session->begin_epoch(1, 8, Order::shuffled, 3);
  CHECK(starts(message_of([&] { fit.session->seek(1, {1, 8}); }), "INVALID_ARGUMENT: Expected 6 sums, received 2"));
  fit.session->seek(1, {1, 8, 1, 2, 3, 7});
  CHECK(fit.session->run(0, 0).sums[4] == 3 + 36);

  SessionOptions options;
  options.kind = SessionKind::evaluate;
  options.workspace = fit.workspace;
  options.logs = {1, 1, 4};
  Session other(options);
  other.set_program(8, std::make_shared<FakeProgram>(model, FakeKind::evaluate, 8));
  other.set_data(data_of(8), 0, 8);
  other.begin_epoch(0, 8, Order::stored, 0);
  CHECK(starts(message_of([&] { other.run(0, 0); }), "INTERNAL: Output 2 is a log: expected float32 of 4 elements"));
  options.logs = {1, 0};
  CHECK(starts(message_of([&] { Session empty(options); }), "INTERNAL: A log has at least 1 element"));
}

void test_non_finite() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  const auto data = data_with_bad_row();
  fit.session->set_data(data, 0, 32);
  fit.session->begin_epoch(4, 16, Order::stored, 0);
  fit.session->run(0, 0);
  const std::vector<float> good = fit.model.copy();
  fit.model.w()[0] = fit.model.w()[1] = fit.model.w()[2] = 0;
  fit.session->set_data(data, 0, 64);
  fit.session->begin_epoch(4, 16, Order::stored, 0);
  const std::string expected = "NON_FINITE: The loss is NaN in epoch 5, step 3.";
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), expected));
  CHECK(fit.model.copy() == good, "the weights are those of step 2");
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), expected), "and the session can be run again");
  CHECK(!is_training(*fit.model.weights.buffer));

  Fit warn{FakeModel(kWidth), OnNonFinite::warn};
  warn.program(16);
  warn.session->set_data(data, 0, 64);
  warn.session->begin_epoch(0, 16, Order::stored, 0);
  const Stretch stretch = warn.session->run(0, 0);
  CHECK(stretch.done && stretch.steps == 4 && stretch.non_finite == 2 && std::isnan(stretch.sums[0]));

  auto evaluate = reader(SessionKind::evaluate);
  evaluate->set_program(16, std::make_shared<FakeProgram>(FakeModel(kWidth), FakeKind::evaluate, 16));
  evaluate->set_data(data, 0, 64);
  evaluate->begin_epoch(0, 16, Order::stored, 0);
  CHECK(starts(message_of([&] { evaluate->run(0, 0); }), "NON_FINITE: The loss of batch 3 of this evaluation is NaN"));
}

void test_state_is_committed_with_the_update() {
  FakeModel model(kWidth);
  model.commits = true;
  Fit fit{model};
  fit.program(16);
  fit.session->set_data(data_of(32), 0, 32);
  const uint64_t before = model.weights.buffer->version;
  fit.session->begin_epoch(0, 16, Order::stored, 0);
  fit.session->run(0, 0);
  CHECK(*reinterpret_cast<float*>(model.state.data()) == 2);
  CHECK(model.weights.buffer->version == before + 2 && model.state.buffer->version == 2);

  const auto bad = data_with_bad_row();
  fit.session->set_data(bad, 0, 64);
  fit.session->begin_epoch(1, 16, Order::stored, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "NON_FINITE"));
  CHECK(*reinterpret_cast<float*>(model.state.data()) == 4, "the step whose loss is NaN writes no state");
}

void test_errors() {
  Fit fit{FakeModel(kWidth)};
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "INVALID_ARGUMENT: Start an epoch"));
  CHECK(starts(message_of([&] { fit.session->begin_epoch(0, 8, Order::stored, 0); }),
               "INVALID_ARGUMENT: This session has no data"));
  const auto data = data_of(20);
  CHECK(starts(message_of([&] { fit.session->set_data(data, 0, 21); }), "OUT_OF_RANGE"));
  fit.session->set_data(data, 0, 20);
  CHECK(starts(message_of([&] { fit.session->begin_epoch(0, 0, Order::stored, 0); }), "INVALID_ARGUMENT: batchSize"));
  fit.program(8);
  fit.session->begin_epoch(0, 8, Order::stored, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }), "INTERNAL: No program for batches of 4 rows"));
  CHECK(fit.updater->iterations() == 0, "before the first step");
  fit.program(4);
  CHECK(fit.session->run(0, 0).done);
  fit.session->set_program(4, std::make_shared<FakeProgram>(FakeModel(kWidth + 1), FakeKind::train, 4));
  fit.session->begin_epoch(0, 8, Order::stored, 0);
  CHECK(starts(message_of([&] { fit.session->run(0, 0); }),
               "SHAPE_MISMATCH: x has rows of 3 elements, the program expects [4, 4]"));
  fit.session->set_data(data_of(20, 1, false), 0, 20);
  fit.session->begin_epoch(0, 8, Order::stored, 0);
  CHECK(
      starts(message_of([&] { fit.session->run(0, 0); }), "SHAPE_MISMATCH: The program has 2 inputs, the data set 1"));
  auto predict = reader(SessionKind::predict, {Storage{std::make_shared<Buffer>(8), 0, 8, nullptr}});
  predict->set_program(8, std::make_shared<FakeProgram>(FakeModel(kWidth), FakeKind::predict, 8));
  predict->set_data(data_of(16, 1, false), 0, 16);
  predict->begin_epoch(0, 8, Order::stored, 0);
  CHECK(starts(message_of([&] { predict->run(0, 0); }), "INTERNAL: Output 0 has no room"));

  Fit busy{FakeModel(kWidth)};
  std::string during;
  busy.program(4)->seen = [&](const float*, const float*) {
    std::thread([&] { during = message_of([&] { busy.session->begin_epoch(1, 4, Order::stored, 0); }); }).join();
  };
  busy.session->set_data(data, 0, 20);
  busy.session->begin_epoch(0, 4, Order::stored, 0);
  busy.session->run(1, 0);
  CHECK(starts(during, "INVALID_ARGUMENT: This session is running"));
}

void test_no_allocations() {
  Fit fit{FakeModel(kWidth)};
  fit.program(16);
  fit.program(7);
  fit.session->set_data(data_of(1607, 1e4), 0, 1607);
  const auto epoch = [&](int number) {
    fit.session->begin_epoch(number, 16, Order::shuffled, 1);
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

}  // namespace

int main() {
  cpu::set_threads(2);
  test_epochs();
  test_range_and_shuffle_cover_each_row_once();
  test_row_sets();
  test_in_place_and_conversion();
  test_powers_of_two_and_results();
  test_stretches();
  test_abort_and_resume();
  test_batch();
  test_seek();
  test_wide_logs();
  test_non_finite();
  test_state_is_committed_with_the_update();
  test_errors();
  test_no_allocations();
  return downhill::test::report("session");
}
