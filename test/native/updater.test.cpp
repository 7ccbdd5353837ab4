// Every update rule against a double-precision reference with each hyperparameter away from its default, clipping and
// decay, and equal bits for every instruction set and number of threads.
#include "optim/updater.h"
#include "errors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "check.h"
#include "core/error.h"
#include "optim/rules.h"
#include "updater_model.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int kSteps = 7;

struct State {  // of one variable, in double
  std::vector<double> p, s0, s1;
};

/// The formulas as the papers and frameworks write them. State in double.
void reference(Rule rule, const Hyper& h, int t, double g, double& p, double& s0, double& s1) {
  const double lr = h.learning_rate, mu = h.momentum;
  const double c1 = 1 - std::pow(h.beta1, t), c2 = 1 - std::pow(h.beta2, t);
  switch (rule) {
    case Rule::sgd:
      p -= lr * g;
      break;
    case Rule::momentum:
      s0 = mu * s0 - lr * g;
      p += s0;
      break;
    case Rule::nesterov:
      s0 = mu * s0 - lr * g;
      p += mu * s0 - lr * g;
      break;
    case Rule::torchMomentum:
    case Rule::torchNesterov:
      s0 = t == 1 ? g : mu * s0 + (1 - h.dampening) * g;
      p -= lr * (rule == Rule::torchNesterov ? g + mu * s0 : s0);
      break;
    case Rule::adam:
      s0 = h.beta1 * s0 + (1 - h.beta1) * g;
      s1 = h.beta2 * s1 + (1 - h.beta2) * g * g;
      p -= lr * std::sqrt(c2) / c1 * s0 / (std::sqrt(s1) + h.epsilon);
      break;
    case Rule::torchAdam:
      s0 = h.beta1 * s0 + (1 - h.beta1) * g;
      s1 = h.beta2 * s1 + (1 - h.beta2) * g * g;
      p -= lr * (s0 / c1) / (std::sqrt(s1 / c2) + h.epsilon);
      break;
    case Rule::adafactor:  // programs do the rest
    case Rule::torchAdafactor:
    case Rule::muon:
      s0 = g;
      break;
    default:  // those with norms: below; test/golden has the others
      break;
  }
}

/// Rules that need a whole variable: its gradient after clipping and (unless the rule decays) decay.
void reference_of_variable(Rule rule, const Hyper& h, int t, const std::vector<double>& g, State& v) {
  std::vector<double> measured = g;
  double p_squares = 0, squares = 0;
  const bool is_lars = rule == Rule::lars || rule == Rule::torchLars;
  for (size_t k = 0; k < g.size(); ++k) {
    if (!is_lars) {
      v.s0[k] = h.beta1 * v.s0[k] + (1 - h.beta1) * g[k];
      v.s1[k] = h.beta2 * v.s1[k] + (1 - h.beta2) * g[k] * g[k];
      measured[k] =
          v.s0[k] / (1 - std::pow(h.beta1, t)) / (std::sqrt(v.s1[k] / (1 - std::pow(h.beta2, t))) + h.epsilon);
      if (rule == Rule::decayedLamb) measured[k] += h.weight_decay * v.p[k];
    }
    p_squares += v.p[k] * v.p[k];
    squares += measured[k] * measured[k];
  }
  const double p = std::sqrt(p_squares), norm = std::sqrt(squares);
  double trust = 1;
  if (p > 0 && norm > 0) trust = is_lars ? h.trust_coefficient * p / (norm + h.weight_decay * p + h.epsilon) : p / norm;
  for (size_t k = 0; k < g.size(); ++k) {
    if (!is_lars) {
      v.p[k] -= h.learning_rate * trust * measured[k];
      continue;
    }
    const double s = trust * (g[k] + h.weight_decay * v.p[k]) * (rule == Rule::lars ? h.learning_rate : 1);
    v.s0[k] = h.momentum * v.s0[k] + s;
    v.p[k] -= (h.nesterov != 0 ? h.momentum * v.s0[k] + s : v.s0[k]) * (rule == Rule::lars ? 1 : h.learning_rate);
  }
}

constexpr Rule kReferences[] = {Rule::sgd,           Rule::momentum, Rule::nesterov, Rule::torchMomentum,
                                Rule::torchNesterov, Rule::adam,     Rule::torchAdam};

/// Largest difference to the reference after kSteps updates, by magnitude of the parameter.
double error_of(Rule rule, const std::vector<Hyper>& groups, double global_clip,
                const std::vector<int>& group_of = {}) {
  Model model(rule, group_of);
  Updater updater(rule, model.segments, groups, {global_clip});
  std::vector<State> states;
  for (const UpdateSegment& segment : model.segments) {
    const float* p = Model::at(segment.parameter);
    const size_t n = segment.parameter.bytes / 4;
    states.push_back({std::vector<double>(p, p + n), std::vector<double>(n), std::vector<double>(n)});
  }
  for (int t = 1; t <= kSteps; ++t) {
    model.draw_gradients(t);
    double total = 0;
    std::vector<double> factor;
    for (const UpdateSegment& segment : model.segments) {
      double squares = 0;
      for (size_t k = 0; k < segment.gradient.bytes / 4; ++k) squares += std::pow(Model::at(segment.gradient)[k], 2);
      const double limit = groups[static_cast<size_t>(segment.group)].clip_norm;
      factor.push_back(limit > 0 ? limit / std::max(std::sqrt(squares), limit) : 1);
      total += squares * factor.back() * factor.back();
    }
    for (size_t i = 0; i < states.size(); ++i) {
      const Hyper& h = groups[static_cast<size_t>(model.segments[i].group)];
      std::vector<double> whole;
      for (size_t k = 0; k < states[i].p.size(); ++k) {
        double g = Model::at(model.segments[i].gradient)[k] * factor[i];
        if (global_clip > 0) g *= global_clip / std::max(std::sqrt(total), global_clip);
        if (h.clip_value > 0) g = std::min(std::max(g, -h.clip_value), h.clip_value);
        double& p = states[i].p[k];
        if (decays_itself(rule))
          ;
        else if (h.coupled_decay)
          g += h.weight_decay * p;
        else
          p -= h.learning_rate * h.weight_decay * p;
        reference(rule, h, t, g, p, states[i].s0[k], states[i].s1[k]);
        whole.push_back(g);
      }
      if (uses_norms(rule)) reference_of_variable(rule, h, t, whole, states[i]);
    }
    updater.apply();
  }
  CHECK(updater.iterations() == kSteps);
  double worst = 0;
  for (size_t i = 0; i < states.size(); ++i)
    for (size_t k = 0; k < states[i].p.size(); ++k) {
      const double error = std::fabs(Model::at(model.segments[i].parameter)[k] - states[i].p[k]);
      worst = std::max(worst, std::isnan(error) ? 1e9 : error);
    }
  return worst;
}

struct Case {
  const char* name;
  std::function<void(Hyper&)> change;
  double global_clip;
};

const Case kCases[] = {
    {"plain", [](Hyper&) {}, 0},
    {"clipValue", [](Hyper& h) { h.clip_value = 0.4; }, 0},
    {"clipNorm", [](Hyper& h) { h.clip_norm = 3; }, 0},
    {"globalClipNorm", [](Hyper&) {}, 7},
    {"globalClipNorm that is not reached", [](Hyper&) {}, 1e6},
    {"decoupled decay", [](Hyper& h) { h.weight_decay = 0.3; }, 0},
    {"coupled decay", [](Hyper& h) { h.weight_decay = 0.3, h.coupled_decay = true; }, 0},
    {"everything, decoupled", [](Hyper& h) { h.clip_value = 0.02, h.clip_norm = 2.5, h.weight_decay = 0.2; }, 4},
    {"everything, coupled",
     [](Hyper& h) { h.clip_value = 0.02, h.clip_norm = 2.5, h.weight_decay = 0.2, h.coupled_decay = true; }, 4},
};

void test_formulas() {
  for (const Rule rule : kReferences)
    for (const Case& test : kCases) {
      Hyper h = unusual();
      test.change(h);
      const double error = error_of(rule, {h}, test.global_clip);
      CHECK(error < 3e-6, "%s, %s: off by %g", name_of(rule), test.name, error);
    }
}

/// A change of any hyperparameter that a rule uses must show, or the comparison above proves nothing.
void test_hyperparameters_matter() {
  const auto after = [](Rule rule, const Hyper& h) {
    Model model(rule);
    Updater updater(rule, model.segments, {h});
    for (int t = 1; t <= 3; ++t) {
      model.draw_gradients(t);
      updater.apply();
    }
    return model.bytes();
  };
  const std::vector<std::pair<Rule, std::vector<const char*>>> uses = {
      {Rule::sgd, {"learningRate", "weightDecay"}},
      {Rule::momentum, {"learningRate", "momentum"}},
      {Rule::nesterov, {"learningRate", "momentum"}},
      {Rule::torchMomentum, {"learningRate", "momentum", "dampening"}},
      {Rule::torchNesterov, {"learningRate", "momentum", "dampening"}},
      {Rule::adam, {"learningRate", "beta1", "beta2", "epsilon"}},
      {Rule::torchAdam, {"learningRate", "beta1", "beta2", "epsilon", "clipValue", "clipNorm"}},
      {Rule::lamb, {"learningRate", "beta1", "beta2", "epsilon", "weightDecay"}},
      {Rule::decayedLamb, {"learningRate", "beta1", "beta2", "epsilon", "weightDecay"}},
      {Rule::lars, {"learningRate", "momentum", "epsilon", "weightDecay", "trustCoefficient", "nesterov"}},
      {Rule::torchLars, {"learningRate", "momentum", "epsilon", "weightDecay", "trustCoefficient", "nesterov"}},
      {Rule::amsgrad, {"learningRate", "beta1", "beta2", "epsilon"}},
      {Rule::torchAmsgrad, {"learningRate", "beta1", "beta2", "epsilon"}},
      {Rule::adamax, {"learningRate", "beta1", "beta2", "epsilon", "innerEpsilon"}},
      {Rule::nadam, {"learningRate", "beta1", "beta2", "epsilon", "momentumDecay"}},
      {Rule::rmsprop, {"learningRate", "rho", "epsilon", "innerEpsilon"}},
      {Rule::rmspropMomentum, {"learningRate", "rho", "epsilon", "innerEpsilon", "momentum", "rateOutside"}},
      {Rule::rmspropNesterov, {"learningRate", "rho", "epsilon", "innerEpsilon", "momentum", "rateOutside"}},
      {Rule::rmspropCentered, {"learningRate", "rho", "epsilon", "innerEpsilon"}},
      {Rule::rmspropCenteredMomentum, {"learningRate", "rho", "epsilon", "innerEpsilon", "momentum", "rateOutside"}},
      {Rule::adagrad, {"learningRate", "epsilon", "innerEpsilon", "learningRateDecay"}},
      {Rule::adadelta, {"learningRate", "rho", "epsilon"}},
      {Rule::ftrl, {"learningRate", "l1", "l2", "shrinkage", "beta"}},
      {Rule::ftrlPower, {"learningRate", "learningRatePower", "l1", "l2", "shrinkage", "beta"}},
      {Rule::rprop, {"etaMinus", "etaPlus", "stepSizeMin", "stepSizeMax"}},
      {Rule::deltaBarDelta, {"kappa", "phi", "theta"}}};
  for (const auto& [rule, names] : uses)
    for (const char* name : names) {
      Hyper changed = unusual();
      const double value = get_hyper(changed, name);
      set_hyper(changed, name, name == std::string("stepSizeMin") ? value * 1.5 : value * 0.9 + 0.01);
      CHECK(after(rule, changed) != after(rule, unusual()), "%s does not use %s", name_of(rule), name);
    }
}

void test_groups() {
  Hyper first = unusual(), second = unusual(), frozen = unusual();
  second.learning_rate = 0.1;
  second.clip_norm = 1;
  frozen.learning_rate = 0;
  const double error = error_of(Rule::momentum, {first, second, frozen}, 5, {0, 0, 1, 0, 2, 1, 1});
  CHECK(error < 3e-6, "off by %g", error);
}

/// Separate buffers per variable cannot be merged, and must give the same bits as one arena.
void test_merging() {
  Model arena(Rule::adam), apart(Rule::adam);
  for (UpdateSegment& segment : apart.segments) {
    const auto move = [](Storage& storage) {
      auto buffer = std::make_shared<Buffer>(storage.bytes);
      std::memcpy(buffer->data(), storage.data(), storage.bytes);
      storage = {buffer, 0, storage.bytes, nullptr};
    };
    move(segment.parameter);
    move(segment.gradient);
    for (Storage& slot : segment.slots) move(slot);
  }
  Updater one(Rule::adam, arena.segments, {unusual()}, {3}), other(Rule::adam, apart.segments, {unusual()}, {3});
  CHECK(one.written().size() == 3 && one.read().size() == 1);
  CHECK(other.written().size() == 3 * kSizes.size() && other.read().size() == kSizes.size());
  for (int t = 1; t <= 3; ++t) {
    arena.draw_gradients(t);
    apart.draw_gradients(t);
    one.apply();
    other.apply();
  }
  for (size_t i = 0; i < kSizes.size(); ++i)
    CHECK(std::memcmp(arena.segments[i].parameter.data(), apart.segments[i].parameter.data(),
                      arena.segments[i].parameter.bytes) == 0,
          "variable %zu", i);
}

std::vector<std::byte> run_bits(Rule rule) {
  Model model(rule, {0, 0, 1, 1, 0, 0, 0});
  Hyper plain = unusual(), all = unusual();
  all.clip_value = 0.3;
  all.clip_norm = 2;
  all.weight_decay = 0.1;
  Updater updater(rule, model.segments, {plain, all}, {5});
  for (int t = 1; t <= 5; ++t) {
    model.draw_gradients(t);
    updater.apply();
  }
  return model.bytes();
}

void test_equal_bits() {
  const std::string chosen = cpu::isa();
  for (int r = 0; r < kRuleCount; ++r) {
    const Rule rule = static_cast<Rule>(r);
    cpu::select_isa("baseline");
    cpu::set_threads(1);
    const std::vector<std::byte> expected = run_bits(rule);
    for (const std::string& isa : cpu::available_isas())
      for (int threads : {1, 2, 3}) {
        cpu::select_isa(isa);
        cpu::set_threads(threads);
        CHECK(run_bits(rule) == expected, "%s on %s with %d threads", name_of(rule), isa.c_str(), threads);
      }
  }
  cpu::select_isa(chosen);
  cpu::set_threads(cpu::default_threads());
}

void test_reductions() {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (int64_t n : {0, 1, 15, 16, 17, 1000, 16384}) {
    std::vector<float> x(static_cast<size_t>(n));
    double expected = 0;
    for (float& value : x) value = normal(random), expected += double{value} * value;
    cpu::select_isa("baseline");
    const float baseline = cpu::kernels().sum_of_squares(x.data(), nullptr, 1, n);
    CHECK(std::fabs(baseline - expected) <= 1e-5 * expected, "n = %d", static_cast<int>(n));
    for (const std::string& isa : cpu::available_isas()) {
      cpu::select_isa(isa);
      CHECK(cpu::kernels().sum_of_squares(x.data(), nullptr, 1, n) == baseline, "n = %d on %s", static_cast<int>(n),
            isa.c_str());
      CHECK(cpu::kernels().all_finite(x.data(), n));
      for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
        if (at < 0 || at >= n) continue;
        for (float bad : {NAN, INFINITY, -INFINITY}) {
          std::vector<float> y = x;
          y[static_cast<size_t>(at)] = bad;
          CHECK(!cpu::kernels().all_finite(y.data(), n), "n = %d on %s", static_cast<int>(n), isa.c_str());
        }
      }
    }
  }
}

void test_padding_and_special_values() {
  // Clipping by value must not hide a NaN, and a zero gradient with zero slots must leave Adam's parameters alone.
  Model model(Rule::adam);
  Hyper h = unusual();
  h.clip_value = 1;
  Updater updater(Rule::adam, model.segments, {h});
  const float before = Model::at(model.segments[1].parameter)[0];
  Model::at(model.segments[0].gradient)[0] = NAN;
  updater.apply();
  CHECK(std::isnan(Model::at(model.segments[0].parameter)[0]));
  CHECK(Model::at(model.segments[1].parameter)[0] == before);
}

/// One NaN among the gradients reaches its parameter, whatever the rule; zeros move none but FTRL's, which forgets.
void test_zeros_and_nan() {
  for (int r = 0; r < kRuleCount; ++r) {
    const Rule rule = static_cast<Rule>(r);
    if (scalars_of(rule) > 0) continue;  // its program has the gradient
    Model model(rule);
    Hyper h = unusual();
    h.clip_value = 1;
    Updater updater(rule, model.segments, {h});
    std::vector<float> before(17);
    std::memcpy(before.data(), Model::at(model.segments[1].parameter), 17 * sizeof(float));
    Model::at(model.segments[0].gradient)[0] = NAN;
    for (int step = 0; step < 3; ++step) updater.apply();
    CHECK(std::isnan(Model::at(model.segments[0].parameter)[0]), "%s hides a NaN", name_of(rule));
    const bool same = std::memcmp(before.data(), Model::at(model.segments[1].parameter), 17 * sizeof(float)) == 0;
    CHECK(same || rule == Rule::ftrl || rule == Rule::ftrlPower, "%s moves without a gradient", name_of(rule));
  }
}

/// Nadam's product of momenta beside the product itself, and where that would take too long beside its limit.
void test_momentum_product() {
  for (const double decay : {1.0, 4e-3, 0.3, 1e-7, 0.0})
    for (const double beta1 : {0.9, 0.99999, 0.5, 0.0}) {
      Hyper h;
      h.beta1 = beta1;
      h.momentum_decay = decay;
      long double product = 1;
      int64_t t = 0;
      for (const int64_t until : {1, 2, 3, 10, 1000, 100000, 3000000}) {
        for (; t < until; ++t)
          product *= static_cast<long double>(beta1) *
                     (1 - 0.5L * std::exp(static_cast<long double>(t + 1) * decay * std::log(0.96L)));
        const double found = DH_ISA::Nadam::product(h, static_cast<double>(until));
        const double error = std::fabs(found - static_cast<double>(product));
        CHECK(error <= 1e-12 * static_cast<double>(product) + 1e-300, "decay %g, beta1 %g, t %lld: %g, expected %g",
              decay, beta1, static_cast<long long>(until), found, static_cast<double>(product));
      }
    }
}

void test_hyperparameters_and_errors() {
  Model model(Rule::momentum);
  Updater updater(Rule::momentum, model.segments, {Hyper{}});
  for (const char* name :
       {"learningRate", "weightDecay", "clipValue", "clipNorm", "momentum", "dampening", "beta1", "beta2", "epsilon"}) {
    updater.set(0, name, 0.375);
    CHECK(updater.get(0, name) == 0.375, "%s", name);
  }
  updater.set(0, "coupledDecay", 1);
  CHECK(updater.get(0, "coupledDecay") == 1);
  updater.set_iterations(41);
  updater.apply();
  CHECK(updater.iterations() == 42);
  CHECK(code_of([&] { updater.set(0, "rhoo", 1); }) == code::kUnknownName);
  CHECK(code_of([&] { updater.set(1, "momentum", 1); }) == code::kOutOfRange);
  CHECK(code_of([&] { updater.set(0, "momentum", NAN); }) == code::kInvalidArgument);
  CHECK(code_of([&] { updater.set_iterations(-1); }) == code::kInvalidArgument);
  CHECK(code_of([&] { rule_of("sgdd"); }) == code::kUnknownName);
  CHECK(rule_of("torchAdam") == Rule::torchAdam && slots_of(Rule::torchAdam) == 2);
  CHECK(code_of([&] { Updater(Rule::adam, model.segments, {Hyper{}}); }) == code::kInvalidArgument);
  CHECK(code_of([&] { Updater(Rule::momentum, model.segments, {}); }) == code::kOutOfRange);
  CHECK(code_of([&] { Updater(Rule::momentum, model.segments, {Hyper{}}, {-1}); }) == code::kInvalidArgument);
  auto wrong = model.segments;
  wrong[1].gradient = wrong[0].gradient;
  CHECK(code_of([&] { Updater(Rule::momentum, wrong, {Hyper{}}); }) == code::kInvalidArgument);
}

}  // namespace

int main() {
  test_formulas();
  test_hyperparameters_matter();
  test_groups();
  test_merging();
  test_equal_bits();
  test_reductions();
  test_padding_and_special_values();
  test_zeros_and_nan();
  test_momentum_product();
  test_hyperparameters_and_errors();
  return downhill::test::report("updater");
}
