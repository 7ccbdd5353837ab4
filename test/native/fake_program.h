// A program written by hand, to test sessions without a graph: linear regression of y (rows) on x (rows, width) with
// weights w.
#pragma once
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "backend/device.h"

namespace downhill::test {

struct FakeModel {
  int64_t width;
  Storage weights, gradient;  // (width)
  Storage state;              // (1): batches committed, when the program commits state
  bool commits = false;
  bool wide = false;  // a third log, of three elements, and a fourth

  explicit FakeModel(int64_t width) : width(width) {
    const auto bytes = static_cast<size_t>(width) * 4;
    weights = {std::make_shared<Buffer>(bytes), 0, bytes, nullptr};
    gradient = {std::make_shared<Buffer>(bytes), 0, bytes, nullptr};
    state = {std::make_shared<Buffer>(4), 0, 4, nullptr};
  }
  float* w() const { return reinterpret_cast<float*>(weights.data()); }
  std::vector<float> copy() const { return {w(), w() + width}; }
};

enum class FakeKind { train, evaluate, predict };

/// Outputs of train and evaluate: sum of squared errors, number of rows [, 1, 2 and 3 times it, 7] [, the mean
/// gradient, whose target is the model's]. Predict: w·x (rows).
class FakeProgram : public Program {
 public:
  FakeProgram(const FakeModel& model, FakeKind kind, int64_t rows)
      : Program(plan_of(model, kind, rows)), model_(model), kind_(kind), rows_(rows) {}

  std::function<void(const float* x, const float* w)> seen;  // called at each run, within the locks
  int64_t runs = 0;
  uint64_t last_step = 0;

  Device& device() const override { return devices::cpu(); }

  void run(const Bindings& bindings) override {
    bindings.workspace->reserve(plan_.arena_bytes);
    ++runs;
    last_step = bindings.step;
    const auto* x = static_cast<const float*>(bindings.inputs[0]);
    const std::byte* base = model_.weights.data();
    if (bindings.rebase_from == model_.weights.buffer.get()) base = bindings.rebase_to + model_.weights.offset;
    const auto* w = reinterpret_cast<const float*>(base);
    if (seen) seen(x, w);
    if (kind_ == FakeKind::predict) {
      auto* y = static_cast<float*>(bindings.outputs[0]);
      for (int64_t i = 0; i < rows_; ++i) y[i] = product(x + i * model_.width, w);
      return;
    }
    const auto* y = static_cast<const float*>(bindings.inputs[1]);
    auto* g = reinterpret_cast<float*>(model_.gradient.data());
    if (kind_ == FakeKind::train) std::memset(g, 0, model_.gradient.bytes);
    float loss = 0;
    for (int64_t i = 0; i < rows_; ++i) {
      const float error = product(x + i * model_.width, w) - y[i];
      loss += error * error;
      if (kind_ != FakeKind::train) continue;
      for (int64_t k = 0; k < model_.width; ++k)
        g[k] += 2 * error * x[i * model_.width + k] / static_cast<float>(rows_);
    }
    *static_cast<float*>(bindings.outputs[0]) = loss;
    *static_cast<float*>(bindings.outputs[1]) = static_cast<float>(rows_);
    for (int64_t k = 0; model_.wide && k < 3; ++k)
      static_cast<float*>(bindings.outputs[2])[k] = static_cast<float>((k + 1) * rows_);
    if (model_.wide) *static_cast<float*>(bindings.outputs[3]) = 7;
    if (bindings.commit) commit();
  }

  void commit() override {
    if (model_.commits) *reinterpret_cast<float*>(model_.state.data()) += 1;
  }

 private:
  float product(const float* x, const float* w) const {
    float sum = 0;
    for (int64_t k = 0; k < model_.width; ++k) sum += x[k] * w[k];
    return sum;
  }

  static Plan plan_of(const FakeModel& model, FakeKind kind, int64_t rows) {
    Plan plan;
    const auto add = [&](Shape shape, Place place, int index, const Storage* storage) {
      Value value;
      value.shape = shape;
      value.place = place;
      value.index = index;
      if (storage) value.storage = std::make_shared<Storage>(*storage);
      plan.values.push_back(value);
      return static_cast<int>(plan.values.size()) - 1;
    };
    const auto made = [&](int value) {
      Step step;
      step.output = value;
      plan.steps.push_back(step);
      return value;
    };
    plan.arena_bytes = 256;
    plan.inputs.push_back(add({rows, model.width}, Place::input, 0, nullptr));
    const int w = add({model.width}, Place::storage, -1, &model.weights);
    plan.variables.push_back(plan.values[static_cast<size_t>(w)].storage);
    if (kind == FakeKind::predict) {
      plan.outputs.push_back(made(add({rows, 1}, Place::output, 0, nullptr)));
      return plan;
    }
    plan.inputs.push_back(add({rows}, Place::input, 1, nullptr));
    plan.outputs.push_back(made(add({}, Place::output, 0, nullptr)));
    plan.outputs.push_back(made(add({}, Place::output, 1, nullptr)));
    if (model.wide) {
      plan.outputs.push_back(made(add({3}, Place::output, 2, nullptr)));
      plan.outputs.push_back(made(add({}, Place::output, 3, nullptr)));
    }
    if (kind == FakeKind::train) plan.outputs.push_back(made(add({model.width}, Place::storage, -1, &model.gradient)));
    if (model.commits) {
      const int to = add({}, Place::storage, -1, &model.state);
      plan.variables.push_back(plan.values[static_cast<size_t>(to)].storage);
      plan.writes.push_back({add({}, Place::arena, -1, nullptr), to});
    }
    return plan;
  }

  const FakeModel model_;
  const FakeKind kind_;
  const int64_t rows_;
};

}  // namespace downhill::test
