// Training steps by a session, without JavaScript: cmake --build build-native --target bench_steps &&
// build-native/bench_steps [ROUNDS] [NAME…]. Microseconds per step of whole epochs, least and median of the rounds, the
// cases by turns; `profile` prints the medians of the steps of a plan, too.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/gradients.h"
#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "graph/graph.h"
#include "training/profile.h"
#include "training/session.h"

using namespace downhill;

namespace {

struct Case {
  const char* name;
  std::vector<int64_t> widths;
  Op activation;
  Rule rule;
  int64_t batches;
  Order order = Order::stored;
  Element element = Element::float32;
  int64_t batch = 128;
};

const Case kCases[] = {
    {"lecture", {784, 32, 10}, Op::sigmoid, Rule::sgd, 100},
    {"lecture-hot", {784, 32, 10}, Op::sigmoid, Rule::sgd, 1},
    {"lecture-shuffled", {784, 32, 10}, Op::sigmoid, Rule::sgd, 100, Order::shuffled},
    {"lecture-uint8", {784, 32, 10}, Op::sigmoid, Rule::sgd, 100, Order::stored, Element::uint8},
    {"lecture-uint8-shuffled", {784, 32, 10}, Op::sigmoid, Rule::sgd, 100, Order::shuffled, Element::uint8},
    {"lecture-float64-shuffled", {784, 32, 10}, Op::sigmoid, Rule::sgd, 100, Order::shuffled, Element::float64},
    {"logistic", {784, 10}, Op::identity, Rule::adam, 100},
    {"logistic-hot", {784, 10}, Op::identity, Rule::adam, 1},
    {"logistic-shuffled", {784, 10}, Op::identity, Rule::adam, 100, Order::shuffled},
    {"tiny-shuffled", {8, 8, 2}, Op::sigmoid, Rule::sgd, 100, Order::shuffled, Element::float32, 16},
    {"bag-of-words", {10000, 2}, Op::identity, Rule::adam, 10},
    {"bag-of-words-shuffled", {10000, 2}, Op::identity, Rule::adam, 10, Order::shuffled},
    {"mlp", {784, 1000, 1000, 10}, Op::relu, Rule::adam, 30},
    {"mlp-shuffled", {784, 1000, 1000, 10}, Op::relu, Rule::adam, 30, Order::shuffled},
};

std::shared_ptr<Storage> room(int64_t elements) {
  const auto bytes = static_cast<size_t>(elements) * sizeof(float);
  return std::make_shared<Storage>(Storage{std::make_shared<Buffer>(bytes), 0, bytes, nullptr});
}

uint32_t next_random() {
  static uint32_t state = 1;
  return (state = state * 1664525U + 1013904223U) >> 8;
}

std::shared_ptr<const Dataset> data_of(const Case& c) {
  const int64_t rows = c.batch * c.batches, width = c.widths.front(), elements = rows * width;
  std::vector<std::byte> x(static_cast<size_t>(elements) * size_of(c.element));
  for (int64_t i = 0; i < elements; ++i) {
    const uint32_t value = next_random() & 255;
    if (c.element == Element::uint8)
      reinterpret_cast<uint8_t*>(x.data())[i] = static_cast<uint8_t>(value & 1);
    else if (c.element == Element::float64)
      reinterpret_cast<double*>(x.data())[i] = value / 255.0;
    else
      reinterpret_cast<float*>(x.data())[i] = static_cast<float>(value) / 255;
  }
  std::vector<int32_t> y(static_cast<size_t>(rows));
  for (size_t i = 0; i < y.size(); ++i) y[i] = static_cast<int32_t>(i) % static_cast<int32_t>(c.widths.back());
  std::vector<ColumnSource> sources(2);
  sources[0] = {"x", x.data(), static_cast<size_t>(elements), {}, c.element, width, DType::float32, {}};
  sources[1] = {"y", y.data(), y.size(), {}, Element::int32, 1, DType::int32, {}};
  return std::make_shared<Dataset>(std::move(sources), rows, true);
}

struct Trainer {
  explicit Trainer(const Case& c) : spec(&c), data(data_of(c)) {
    Graph graph;
    std::vector<NodeId> weights;
    PlanOptions options;
    std::vector<UpdateSegment> segments;
    const auto weight = [&](const Shape& shape) {
      const auto w = room(shape.size());
      auto* const at = reinterpret_cast<float*>(w->data());
      for (int64_t i = 0; i < shape.size(); ++i) at[i] = (static_cast<float>(next_random() & 255) / 255 - 0.5F) * 0.1F;
      UpdateSegment& segment = segments.emplace_back();
      segment.parameter = *w;
      options.targets.push_back(room(shape.size()));
      segment.gradient = *options.targets.back();
      for (int s = 0; s < slots_of(c.rule); ++s) {
        segment.slots.push_back(*room(shape.size()));
        std::fill_n(segment.slots.back().data(), segment.slots.back().bytes, std::byte{0});
      }
      weights.push_back(graph.variable(w, shape, DType::float32));
      return weights.back();
    };
    options.targets = {nullptr, nullptr};
    NodeId x = graph.input({c.batch, c.widths[0]}, DType::float32);
    const NodeId y = graph.input({c.batch}, DType::int32);
    for (size_t i = 1; i < c.widths.size(); ++i) {
      x = graph.add(Op::matmul, {x, weight({c.widths[i - 1], c.widths[i]})});
      x = graph.add(Op::add, {x, weight({c.widths[i]})});
      if (i + 1 < c.widths.size() && c.activation != Op::identity) x = graph.add(c.activation, {x});
    }
    const NodeId loss = graph.add(Op::sum, {graph.add(Op::sparseSoftmaxCrossEntropy, {x, y})});
    const NodeId mean = graph.add(Op::div, {loss, graph.scalar(static_cast<double>(c.batch))});
    options.outputs = {loss, graph.scalar(static_cast<double>(c.batch))};
    for (const NodeId gradient : gradients(graph, mean, weights)) options.outputs.push_back(gradient);
    program = cpu::compile(make_plan(graph, options));
    Hyper hyper;
    hyper.learning_rate = 1e-4;
    SessionOptions made;
    made.workspace = std::make_shared<Workspace>();
    updater = made.updater = std::make_shared<Updater>(c.rule, segments, std::vector<Hyper>{hyper});
    made.logs = {1, 1};
    session = std::make_unique<Session>(made);
    session->set_program(c.batch, program);
    session->set_data(data, 0, data->rows());
  }

  /// Microseconds per step of some epochs; what an epoch costs beyond its steps is left out.
  double measure() {
    using Clock = std::chrono::steady_clock;
    std::chrono::duration<double, std::micro> time{0};
    int64_t steps = 0;
    do {
      session->begin_epoch(epoch++, spec->batch, spec->order, 0);
      session->run(1, 0);
      const auto begun = Clock::now();
      for (int64_t repeat = 0; repeat < (spec->batches > 1 ? 1 : 100); ++repeat) {
        if (spec->batches == 1) session->seek(0, {0, 0});
        steps += session->run(0, 0).steps - (spec->batches > 1 ? 1 : 0);
      }
      time += Clock::now() - begun;
    } while (time.count() < 3e4);
    return time.count() / static_cast<double>(steps);
  }

  void print_profile() {
    ProfileOptions options;
    options.program = program;
    options.workspace = std::make_shared<Workspace>();
    options.updater = updater;
    options.data = data;
    options.rows = spec->batch;
    options.shuffled = spec->order != Order::stored;
    const std::vector<ProfileRun> runs = profile(options, 0, 3000, 1e3);
    const auto median = [&](auto&& of) {
      std::vector<double> values;
      for (const ProfileRun& run : runs) values.push_back(of(run) * 1e6);
      std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
      return values[values.size() / 2];
    };
    std::printf("  gather %.2f", median([](const ProfileRun& run) { return run.gather; }));
    for (size_t i = 0; i < program->plan().steps.size(); ++i)
      std::printf(" | %zu %s %.2f", i, std::string(name_of(program->plan().steps[i].op)).c_str(),
                  median([i](const ProfileRun& run) { return run.steps[i]; }));
    std::printf(" | program %.2f | update %.2f | total %.2f\n", median([](const ProfileRun& run) { return run.program; }),
                median([](const ProfileRun& run) { return run.update; }),
                median([](const ProfileRun& run) { return run.total; }));
  }

  const Case* spec;
  std::shared_ptr<const Dataset> data;
  std::shared_ptr<Program> program;
  std::shared_ptr<Updater> updater;
  std::unique_ptr<Session> session;
  int64_t epoch = 0;
  std::vector<double> times;
};

}  // namespace

int main(int count, char** words) {
  const int rounds = count > 1 ? std::max(1, std::atoi(words[1])) : 9;
  bool profiles = false;
  std::vector<std::string> names;
  for (int i = 2; i < count; ++i) {
    if (std::string(words[i]) == "profile")
      profiles = true;
    else
      names.emplace_back(words[i]);
  }
  std::vector<std::unique_ptr<Trainer>> trainers;
  for (const Case& c : kCases)
    if (names.empty() || std::find(names.begin(), names.end(), c.name) != names.end())
      trainers.push_back(std::make_unique<Trainer>(c));
  for (int round = 0; round <= rounds; ++round)
    for (auto& trainer : trainers) {
      const double time = trainer->measure();
      if (round > 0) trainer->times.push_back(time);
    }
  std::printf("threads %d\n", cpu::threads());
  for (auto& trainer : trainers) {
    std::sort(trainer->times.begin(), trainer->times.end());
    std::printf("%-26s %8.1f us (least %.1f)\n", trainer->spec->name, trainer->times[trainer->times.size() / 2],
                trainer->times.front());
    if (profiles) trainer->print_profile();
  }
  return 0;
}
