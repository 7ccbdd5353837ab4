// Updates of touched rows alone beside whole updates: equal bits for every rule, instruction set and number of threads,
// whatever comes between two updates.
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/pool.h"
#include "check.h"
#include "core/denormals.h"
#include "core/touched_rows.h"
#include "hypers.h"
#include "optim/updater.h"
#include "training/locks.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int64_t kRows = 900, kWidth = 21;
constexpr int64_t kSizes[] = {37, kRows * kWidth, 5};

size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
float* at(const Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

/// A bias, a table and another bias in one arena of each kind.
struct Tables {
  std::vector<UpdateSegment> segments;
  std::vector<std::shared_ptr<Buffer>> buffers;  // of all but gradients
  std::shared_ptr<TouchedRows> rows;             // null: the gradient is always whole

  Tables(Rule rule, bool by_rows) {
    size_t bytes = 0;
    for (const int64_t size : kSizes) bytes += align_up(static_cast<size_t>(size) * 4);
    const auto gradients = std::make_shared<Buffer>(bytes);
    for (int i = 0; i < 1 + slots_of(rule); ++i) buffers.push_back(std::make_shared<Buffer>(bytes));
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    size_t offset = 0;
    for (const int64_t size : kSizes) {
      const size_t own = static_cast<size_t>(size) * 4;
      UpdateSegment segment{{buffers[0], offset, own, nullptr}, {gradients, offset, own, nullptr}, {}, 0};
      for (int s = 0; s < slots_of(rule); ++s)
        segment.slots.push_back({buffers[static_cast<size_t>(s) + 1], offset, own, nullptr});
      for (int64_t k = 0; k < size; ++k) at(segment.parameter)[k] = k % 11 == 0 ? -0.0F : normal(random);
      offset += align_up(own);
      segments.push_back(segment);
    }
    if (by_rows) rows = segments[1].gradient.rows = std::make_shared<TouchedRows>();
    segments[1].columns = kWidth;
  }

  const Storage& table() const { return segments[1].parameter; }

  /// The gradient of step t; `listed`: of some rows only.
  void draw(int t, bool listed, float scale) {
    std::mt19937 random(static_cast<unsigned>(50 + t));
    std::normal_distribution<float> normal(0, scale);
    float* const table = at(segments[1].gradient);
    std::fill_n(table, kSizes[1], 0.0F);
    std::vector<int32_t> touched;
    for (int32_t r = 0; r < kRows; ++r) {
      const bool hit = random() % 40 == 0 || (t % 3 == 0 && r > 700 && r < 860);  // single ones, and a long run
      if (listed && !hit) continue;
      touched.push_back(r);
      for (int64_t k = 0; k < kWidth; ++k) table[r * kWidth + k] = normal(random);
    }
    for (const size_t other : {size_t{0}, size_t{2}})
      for (size_t k = 0; k < segments[other].gradient.bytes / 4; ++k) at(segments[other].gradient)[k] = normal(random);
    if (!rows) return;
    rows->known = listed;
    rows->width = kWidth;
    rows->count = static_cast<int64_t>(touched.size());
    rows->rows = touched;
  }

  /// Every NaN the same: instruction sets choose different ones.
  std::vector<uint32_t> bits() const {
    std::vector<uint32_t> all;
    for (const auto& buffer : buffers)
      for (size_t i = 0; i < buffer->bytes() / 4; ++i) {
        float value;
        std::memcpy(&value, buffer->data() + 4 * i, sizeof value);
        if (std::isnan(value)) value = NAN;
        std::memcpy(&all.emplace_back(), &value, sizeof value);
      }
    return all;
  }
};

void apply(Updater& updater) {
  LockSet locks;
  locks.own(updater.written());
  locks.share(updater.read());
  const Locked locked(locks);
  updater.apply();
}

struct Run {
  Hyper hyper;
  UpdateOptions options;
  float scale = 1;                                                          // of gradients
  std::function<bool(int t)> listed = [](int) { return true; };             // whether step t has rows
  std::function<void(int t, Updater&, Tables&)> before = [](auto&&...) {};  // step t
};

void check_equal(Rule rule, const Run& run, const char* what) {
  Tables whole(rule, false), by_rows(rule, true);
  Updater one(rule, whole.segments, {run.hyper}, run.options), other(rule, by_rows.segments, {run.hyper}, run.options);
  for (int t = 1; t <= 9; ++t) {
    for (auto [updater, tables] : {std::pair{&one, &whole}, std::pair{&other, &by_rows}}) {
      run.before(t, *updater, *tables);
      tables->draw(t, run.listed(t), run.scale);
      apply(*updater);
    }
    CHECK(whole.bits() == by_rows.bits(), "%s, %s, step %d", name_of(rule), what, t);
  }
}

Hyper still() {
  Hyper hyper = unusual();
  hyper.shrinkage = 0;
  return hyper;
}

void test_equal_bits() {
  const std::string chosen = cpu::isa();
#if defined(__SANITIZE_THREAD__)  // what threads do does not depend on instructions, and all would take ten minutes
  const std::vector<std::string> isas = {chosen};
#else
  const std::vector<std::string> isas = cpu::available_isas();
#endif
  for (const std::string& isa : isas)
    for (const int threads : {1, 3}) {
      cpu::select_isa(isa);
      cpu::set_threads(threads);
      for (int r = 0; r < kRuleCount; ++r) {
        const Rule rule = static_cast<Rule>(r);
        if (scalars_of(rule) > 0) continue;
        check_equal(rule, {still(), {}}, "plain");
        Run run{unusual(), {}};
        check_equal(rule, run, "shrinkage");
        run.hyper = still();
        run.hyper.weight_decay = 0.1;
        check_equal(rule, run, "decay");
        run.hyper.coupled_decay = true;
        check_equal(rule, run, "coupled decay");
        run.hyper = still();
        run.hyper.clip_norm = 0.3;
        check_equal(rule, run, "clip by norm");
        run.hyper.clip_norm = 0;
        run.hyper.clip_value = 0.2;
        run.options.global_clip_norm = 0.7;
        check_equal(rule, run, "clip by value and global norm");
        run.hyper.adaptive_clip = 0.01;
        check_equal(rule, run, "adaptive clip");
        run = {still(), {}};
        run.options.skip_non_finite = true;
        check_equal(rule, run, "look for NaN");
      }
    }
  cpu::select_isa(chosen);
}

/// What comes between two updates: other rates, gradients that are whole, and writes of others.
void test_between() {
  for (const Rule rule : {Rule::sgd, Rule::adagrad, Rule::ftrl, Rule::ftrlPower}) {
    Run run{still(), {}};
    run.before = [](int t, Updater& updater, Tables&) {
      if (t == 4) updater.set(0, "learningRate", 0.123);
      if (t == 7) updater.set(0, "learningRate", 0);
      if (t == 8) updater.set(0, "learningRate", 1e39);  // infinite in float32
    };
    check_equal(rule, run, "rates");
    run = {still(), {}};
    run.listed = [](int t) { return t % 4 != 0; };
    check_equal(rule, run, "whole gradients");
    run = {still(), {}};
    run.before = [](int t, Updater& updater, Tables& tables) {
      if (t != 5) return;
      LockSet locks;
      locks.own(updater.written());
      const Locked locked(locks);
      for (int64_t k = 0; k < kSizes[1]; ++k) at(tables.table())[k] = k % 3 == 0 ? -0.0F : k % 3 == 1 ? INFINITY : 1;
    };
    check_equal(rule, run, "written by others");
    {
      const FlushDenormals flush;
      run = {still(), {}, 1e-37F};
      run.hyper.learning_rate = 1;
      run.before = [](int t, Updater&, Tables& tables) {
        if (t == 1)
          for (int64_t k = 0; k < kSizes[1]; ++k) at(tables.table())[k] *= 1e-37F;
      };
      check_equal(rule, run, "differences that are flushed");
    }
    run = {still(), {}, 1e38F};
    run.hyper.learning_rate = 3;
    check_equal(rule, run, "overflow");
  }
}

/// The rest is left out: an element that a whole update would change stays.
void test_leaves_out() {
  Tables tables(Rule::sgd, true);
  Updater updater(Rule::sgd, tables.segments, {still()});
  float* element = nullptr;  // of a row that no step touches
  for (int t = 1; t <= 4; ++t) {
    tables.draw(t, true, 1);
    if (t == 2) {
      std::vector<bool> touched(kRows);
      for (int step = 2; step <= 4; ++step) {
        tables.draw(step, true, 1);
        for (const int32_t r : tables.rows->rows) touched[static_cast<size_t>(r)] = true;
      }
      tables.draw(t, true, 1);
      int64_t row = 0;
      while (touched[static_cast<size_t>(row)]) ++row;
      element = at(tables.table()) + row * kWidth;
      *element = -0.0F;  // behind its back
    }
    if (t == 4) {
      LockSet locks;
      locks.own(updater.written());
      const Locked written(locks);
    }
    apply(updater);
    if (element) CHECK(std::signbit(*element) == (t < 4), "step %d", t);
  }
}

}  // namespace

int main() {
  test_equal_bits();
  test_between();
  test_leaves_out();
  return downhill::test::report("updater_rows");
}
