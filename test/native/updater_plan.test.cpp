// What changes from step to step: accumulation, moving averages, schedules; planned ahead and done step by step.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "check.h"
#include "core/error.h"
#include "count_allocations.h"
#include "errors.h"
#include "optim/schedule.h"
#include "optim/updater.h"
#include "updater_model.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int kMicro = 3;

std::vector<float> values_of(const std::shared_ptr<Buffer>& buffer) {
  const auto* const begin = reinterpret_cast<const float*>(buffer->data());
  return {begin, begin + buffer->bytes() / sizeof(float)};
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::fabs(double{a[i]} - b[i]) / (1 + std::fabs(a[i])));
  return most;
}

/// In place of the gradient of update u: the mean of those of its steps.
void draw_mean(Model& model, int u) {
  std::vector<double> sum(model.gradients->bytes() / 4);
  for (int i = 0; i < kMicro; ++i) {
    model.draw_gradients(u * kMicro + i);
    const std::vector<float> gradient = values_of(model.gradients);
    for (size_t k = 0; k < sum.size(); ++k) sum[k] += gradient[k];
  }
  auto* const to = reinterpret_cast<float*>(model.gradients->data());
  for (size_t k = 0; k < sum.size(); ++k) to[k] = static_cast<float>(sum[k] / kMicro);
}

Hyper clipped(double norm, double value, double decay) {
  Hyper h = unusual();
  h.clip_norm = norm;
  h.clip_value = value;
  h.weight_decay = decay;
  return h;
}

void test_accumulation_is_one_large_batch() {
  const Hyper hypers[] = {unusual(), clipped(2, 0, 0), clipped(0, 0.2, 0.1), clipped(0.7, 0.1, 0.3)};
  for (const Hyper& hyper : hypers)
    for (double global : {0.0, 3.0}) {
      UpdateOptions small, large;
      small.global_clip_norm = large.global_clip_norm = global;
      small.accumulation_steps = kMicro;
      small.average = large.average = true;
      small.ema_overwrite_frequency = large.ema_overwrite_frequency = 2;
      Model micro(Rule::adam), whole(Rule::adam);
      Updater a(Rule::adam, micro.segments, {hyper}, small), b(Rule::adam, whole.segments, {hyper}, large);
      for (int u = 0; u < 5; ++u) {
        for (int i = 0; i < kMicro; ++i) {
          const std::vector<float> before = values_of(micro.parameters), average = values_of(micro.averages);
          micro.draw_gradients(u * kMicro + i);
          a.apply();
          const bool same = values_of(micro.parameters) == before && values_of(micro.averages) == average;
          CHECK(same == (i < kMicro - 1), "step %d of update %d", i, u);
        }
        draw_mean(whole, u);
        b.apply();
        CHECK(a.iterations() == (u + 1) * kMicro && b.iterations() == u + 1);
        CHECK(largest_difference(values_of(micro.parameters), values_of(whole.parameters)) < 2e-6, "update %d", u);
        CHECK(largest_difference(values_of(micro.averages), values_of(whole.averages)) < 2e-6, "update %d", u);
      }
    }
}

void test_average() {
  UpdateOptions options;
  options.average = true;
  options.ema_momentum = 0.8;
  options.ema_overwrite_frequency = 3;
  Model model(Rule::sgd);
  Updater updater(Rule::sgd, model.segments, {unusual()}, options);
  std::vector<double> average(model.averages->bytes() / 4);
  for (int u = 0; u < 7; ++u) {
    std::vector<float> parameters = values_of(model.parameters);
    model.draw_gradients(u);
    const std::vector<float> gradients = values_of(model.gradients);
    updater.apply();
    double error = 0;
    const std::vector<float> after = values_of(model.parameters), averages = values_of(model.averages);
    for (size_t k = 0; k < average.size(); ++k) {
      const double p = parameters[k] - unusual().learning_rate * gradients[k];
      average[k] = u == 0 ? p : 0.8 * average[k] + 0.2 * p;
      error =
          std::max({error, std::fabs(averages[k] - average[k]), std::fabs(after[k] - ((u + 1) % 3 ? p : average[k]))});
    }
    CHECK(error < 1e-6, "update %d: off by %g", u, error);
  }
}

UpdateOptions everything() {
  UpdateOptions options;
  options.global_clip_norm = 5;
  options.accumulation_steps = 2;
  options.average = true;
  options.ema_momentum = 0.9;
  options.ema_overwrite_frequency = 2;
  return options;
}

std::shared_ptr<const Schedule> rates() {
  return Schedule::make("warmup", {0.001, 2}, {Schedule::make("exponential", {0.05, 0.5, 3, 0})});
}

void test_equal_bits() {
  const std::string chosen = cpu::isa();
  const auto run = [](Rule rule) {
    Model model(rule, {0, 0, 1, 1, 0, 0, 0});
    Updater updater(rule, model.segments, {unusual(), clipped(2, 0.3, 0.1)}, everything());
    updater.set_schedule(1, rates());
    for (int t = 0; t < 9; ++t) {
      model.draw_gradients(t);
      updater.apply();
    }
    return model.bytes();
  };
  for (int r = 0; r < kRuleCount; ++r) {
    const Rule rule = static_cast<Rule>(r);
    cpu::select_isa("baseline");
    cpu::set_threads(1);
    const std::vector<std::byte> expected = run(rule);
    for (const std::string& isa : cpu::available_isas())
      for (int threads : {1, 2, 3}) {
        cpu::select_isa(isa);
        cpu::set_threads(threads);
        CHECK(run(rule) == expected, "%s on %s with %d threads", name_of(rule), isa.c_str(), threads);
      }
  }
  cpu::select_isa(chosen);
  cpu::set_threads(cpu::default_threads());
}

bool same_rule(const GroupStep& step, const Hyper& hyper, int update) {
  const RuleBytes expected = build_rule(Rule::momentum, hyper, update + 1);
  return std::memcmp(&step.rule, &expected, sizeof expected) == 0;
}

void test_plan() {
  Model model(Rule::momentum);
  Updater updater(Rule::momentum, model.segments, {unusual(), clipped(2, 0.3, 0.1)}, everything());
  updater.set_schedule(1, rates());
  constexpr int kSteps = 12;
  std::vector<StepHead> heads(kSteps);
  std::vector<GroupStep> groups(kSteps * updater.groups());
  updater.plan(0, kSteps, heads.data(), groups.data());
  CHECK(updater.iterations() == 0);
  for (int s = 0; s < kSteps; ++s) {
    const StepHead& head = heads[static_cast<size_t>(s)];
    const int u = s / 2;
    CHECK(head.apply == s % 2 && head.first == (s % 2 == 0), "step %d", s);
    if (!head.apply) continue;
    CHECK(head.gradient_scale == 0.5F && head.global_clip_norm == 5 && head.average == 1, "step %d", s);
    CHECK(head.overwrite == u % 2, "step %d", s);
    CHECK(head.keep == (u == 0 ? 0.0F : 0.9F) && head.take == (u == 0 ? 1.0F : static_cast<float>(1 - 0.9)), "%d", s);
    const GroupStep &first = groups[static_cast<size_t>(s) * 2], &second = groups[static_cast<size_t>(s) * 2 + 1];
    Hyper h = unusual();
    CHECK(same_rule(first, h, u));
    h.learning_rate = rates()->at(u);
    CHECK(same_rule(second, h, u));
    CHECK(second.clip_norm == 2 && second.clip_value == 0.3F && first.clip_norm == 0);
    CHECK(second.decay == static_cast<float>(0.1 * rates()->at(u)) && second.l2 == 0, "step %d", s);
  }
  updater.count(7);
  CHECK(updater.iterations() == 7);
  StepHead head;
  GroupStep rows[2];
  updater.plan(7, 1, &head, rows);
  CHECK(std::memcmp(rows, &groups[14], sizeof rows) == 0);
}

void test_schedule_by_step() {
  Model model(Rule::momentum);
  UpdateOptions options;
  options.accumulation_steps = kMicro;
  for (const bool by_step : {false, true}) {
    options.schedule_by_step = by_step;
    Updater updater(Rule::momentum, model.segments, {unusual()}, options);
    // From the middle of an update on, with no rate more than its steps need.
    constexpr int kFirst = 4, kSteps = 8;
    const double table[] = {0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05};
    std::vector<double> numbers = {static_cast<double>(by_step ? kFirst : kFirst / kMicro)};
    numbers.insert(numbers.end(), table, table + (by_step ? kSteps : (kFirst + kSteps) / kMicro - kFirst / kMicro));
    updater.set_schedule(0, Schedule::make("table", numbers));
    std::vector<StepHead> heads(kSteps);
    std::vector<GroupStep> groups(kSteps);
    updater.plan(kFirst, kSteps, heads.data(), groups.data());
    for (int i = 0; i < kSteps; ++i) {
      const int step = kFirst + i, u = step / kMicro;
      CHECK(heads[static_cast<size_t>(i)].apply == (step % kMicro == kMicro - 1), "step %d", step);
      if (!heads[static_cast<size_t>(i)].apply) continue;
      Hyper h = unusual();
      h.learning_rate = table[by_step ? i : u - kFirst / kMicro];
      CHECK(same_rule(groups[static_cast<size_t>(i)], h, u), "step %d", step);
    }
  }
}

void test_spans() {
  Model model(Rule::adam, {0, 0, 1, 1, 1, 1, 1});
  const Updater updater(Rule::adam, model.segments, {unusual(), unusual()}, everything());
  CHECK(updater.variables().size() == kSizes.size() && updater.spans().size() == 2);
  const UpdateSpan& span = updater.spans()[1];
  CHECK(span.segment == 2 && span.group == 1 && span.slots.size() == 2);
  for (const Storage& storage :
       {span.parameter, span.gradient, span.slots[0], span.slots[1], span.accumulator, span.average})
    CHECK(static_cast<int64_t>(storage.bytes) == span.size * 4 && storage.offset == model.segments[2].parameter.offset);
  CHECK(updater.written().size() == 5 && updater.read().size() == 1);
  const Updater plain(Rule::adam, model.segments, {unusual(), unusual()});
  CHECK(!plain.spans()[0].accumulator.buffer && !plain.spans()[0].average.buffer && plain.written().size() == 3);
}

void test_no_allocation() {
  Model model(Rule::adam);
  Updater updater(Rule::adam, model.segments, {clipped(2, 0.3, 0.1)}, everything());
  updater.set_schedule(0, rates());
  updater.apply();
  updater.apply();
  const int64_t before = allocations.load();
  for (int s = 0; s < 6; ++s) updater.apply();
  CHECK(allocations.load() == before, "%d allocations", static_cast<int>(allocations.load() - before));
}

bool close(double a, double b) { return std::fabs(a - b) <= 1e-14 * std::max(1.0, std::fabs(b)); }

void test_schedules() {
  const auto at = [](const char* kind, std::vector<double> numbers, double k) {
    return Schedule::make(kind, std::move(numbers))->at(k);
  };
  CHECK(at("constant", {0.3}, 7) == 0.3);
  CHECK(at("linear", {0.4, 0.1, 10}, 0) == 0.4 && at("linear", {0.4, 0.1, 10}, 10) == 0.1);
  CHECK(at("linear", {0.4, 0.1, 10}, 1e9) == 0.1 && close(at("linear", {0.4, 0.1, 10}, 5), 0.25));
  CHECK(at("cosine", {0.4, 10, 0, 0, 0.4}, 0) == 0.4 && at("cosine", {0.4, 10, 0.5, 0, 0.4}, 10) == 0.2);
  CHECK(at("cosine", {0.1, 10, 0.5, 4, 0.4}, 4) == 0.4 && close(at("cosine", {0.1, 10, 0.5, 4, 0.4}, 2), 0.25));
  CHECK(at("piecewise", {3, 5, 0.1, 0.2, 0.3}, 3) == 0.1 && at("piecewise", {3, 5, 0.1, 0.2, 0.3}, 4) == 0.2);
  CHECK(at("piecewise", {3, 5, 0.1, 0.2, 0.3}, 6) == 0.3 && at("piecewise", {0.7}, 6) == 0.7);
  CHECK(close(at("inverseSqrt", {0.4, 100}, 50), 0.2) && close(at("inverseSqrt", {0.4, 100}, 400), 0.2));
  CHECK(at("inverseSqrt", {0.4, 0}, 0) == 0.4 && close(at("inverseSqrt", {0.4, 0}, 16), 0.1));
  CHECK(close(rates()->at(0), 0.001) && close(rates()->at(1), 0.0255) && rates()->at(2) == 0.05);
  CHECK(close(rates()->at(5), 0.025));
  CHECK(at("oneCycle", {1, 1, 0.3, 25, 1e4, 0, 0}, 0) > 0 &&
        std::isfinite(at("oneCycle", {1, 1, 1, 25, 1e4, 0, 1}, 9)));
  // Restarts are exact: the first update of a period has its full rate, however long it has run.
  double begin = 0;
  for (int i = 0; i < 40; ++i, begin += std::pow(2, i - 1) * 3)
    CHECK(at("cosineRestarts", {0.5, 3, 2, 1, 0}, begin) == 0.5, "restart %d", i);
  CHECK(at("table", {5, 0.1, 0.2}, 5) == 0.1 && at("table", {5, 0.1, 0.2}, 6) == 0.2);
  for (double k : {4.0, 7.0}) CHECK(code_of([&] { at("table", {5, 0.1, 0.2}, k); }) == code::kInternal);
  CHECK(code_of([&] { at("lineal", {1, 1, 1}, 0); }) == code::kUnknownName);
  CHECK(code_of([&] { at("linear", {1, 1}, 0); }) == code::kInvalidArgument);
  CHECK(code_of([&] { at("warmup", {1, 1}, 0); }) == code::kInvalidArgument);
}

void test_errors() {
  Model model(Rule::sgd);
  const auto with = [&](const std::function<void(UpdateOptions&)>& change) {
    UpdateOptions options;
    change(options);
    return code_of([&] { Updater(Rule::sgd, model.segments, {unusual()}, options); });
  };
  CHECK(with([](UpdateOptions&) {}) == "none");
  CHECK(with([](UpdateOptions& o) { o.accumulation_steps = 0; }) == code::kInvalidArgument);
  CHECK(with([](UpdateOptions& o) { o.ema_momentum = 1.5; }) == code::kInvalidArgument);
  CHECK(with([](UpdateOptions& o) { o.ema_overwrite_frequency = -1; }) == code::kInvalidArgument);
  auto bare = model.segments;
  for (UpdateSegment& segment : bare) segment.accumulator = segment.average = {};
  CHECK(code_of([&] { Updater(Rule::sgd, bare, {unusual()}, everything()); }) == code::kInvalidArgument);
  // A table that has been used up: nothing is changed, nothing counted.
  Updater updater(Rule::sgd, model.segments, {unusual()});
  updater.set_schedule(0, Schedule::make("table", {0, 0.1}));
  updater.apply();
  const std::vector<std::byte> before = model.bytes();
  CHECK(code_of([&] { updater.apply(); }) == code::kInternal);
  CHECK(model.bytes() == before && updater.iterations() == 1);
  CHECK(code_of([&] { updater.set_schedule(1, nullptr); }) == code::kOutOfRange);
  updater.set_schedule(0, nullptr);
  updater.apply();
  CHECK(updater.iterations() == 2);
}

}  // namespace

int main() {
  test_accumulation_is_one_large_batch();
  test_average();
  test_equal_bits();
  test_plan();
  test_schedule_by_step();
  test_spans();
  test_no_allocation();
  test_schedules();
  test_errors();
  return downhill::test::report("updater_plan");
}
