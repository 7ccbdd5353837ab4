// Profiles: every step is timed, the sums hold, nothing that lasts is written, and the update trains its copies.
#include "training/profile.h"

#include <cmath>

#include "backend/cpu/limits.h"
#include "check.h"
#include "errors.h"
#include "op_runner.h"
#include "session_fixture.h"

using namespace downhill;
using namespace downhill::test;

namespace {

Storage room(size_t bytes) { return {std::make_shared<Buffer>(bytes), 0, bytes, nullptr}; }

float* floats_of(const Storage& storage) { return reinterpret_cast<float*>(storage.data()); }

/// w ← w + 1 after gradient ← xᵀ(x·w − y): x (4, 3), y (4, 1), w (3, 1).
struct Regression {
  std::shared_ptr<Storage> w = std::make_shared<Storage>(room(12)), gradient = std::make_shared<Storage>(room(12));
  std::shared_ptr<Program> program;

  Regression() {
    Graph graph;
    const NodeId x = graph.input({4, kWidth}, DType::float32), y = graph.input({4, 1}, DType::float32),
                 v = graph.variable(w, {kWidth, 1}, DType::float32, "w");
    const NodeId error = graph.add(Op::sub, {graph.add(Op::matmul, {x, v}), y});
    PlanOptions options;
    options.outputs = {graph.add(Op::sum, {graph.add(Op::square, {error})}),
                       graph.add(Op::matmul, {x, error}, Attrs().set("transposeA", true))};
    options.targets = {nullptr, gradient};
    options.writes = {{w, graph.add(Op::add, {v, graph.scalar(1)})}};
    program = cpu::compile(make_plan(graph, options));
  }
};

/// Batches of 4 of 10 rows.
ProfileOptions options_of(const Regression& regression) {
  ProfileOptions options;
  options.program = regression.program;
  options.workspace = std::make_shared<Workspace>();
  options.data = data_of(10);
  options.rows = 4;
  return options;
}

void sums(bool shuffled) {
  Regression regression;
  ProfileOptions options = options_of(regression);
  options.shuffled = shuffled;
  const std::vector<ProfileRun> runs = profile(options, 0, 5, 1e9);
  CHECK(runs.size() == 5);
  for (const ProfileRun& run : runs) {
    CHECK(run.steps.size() == regression.program->plan().steps.size());
    double steps = 0;
    for (const double seconds : run.steps) {
      CHECK(seconds >= 0);
      steps += seconds;
    }
    CHECK(steps > 0 && steps <= run.program * (1 + 1e-9), "%g of %g", steps, run.program);
    CHECK(run.gather > 0 && run.update == 0);
    CHECK(std::fabs(run.total - run.gather - run.program) < 1e-12);
  }
  CHECK(floats_of(*regression.w)[0] == 0, "state is not committed");
  CHECK(floats_of(*regression.gradient)[0] != 0, "it did run");
  CHECK(profile(options, 0, 1000000, 0).size() == 1, "at least one run");
}

/// The batches that it sees are those of a fit in the stored order, and the step counts up.
void batches() {
  Regression regression;
  ProfileOptions options = options_of(regression);
  for (const int64_t batch : {0, 1, 2}) {
    profile(options, batch, 1, 1e9);
    float expected = 0;  // Σ −x₂ y, with x₂ = 1 / 100
    for (int64_t i = 0; i < 4; ++i) expected -= static_cast<float>((batch % 2 * 4 + i) % 5) / 100;
    CHECK(std::fabs(floats_of(*regression.gradient)[2] - expected) < 1e-6, "batch %d: %g, not %g",
          static_cast<int>(batch), static_cast<double>(floats_of(*regression.gradient)[2]),
          static_cast<double>(expected));
  }
}

void updates() {
  Regression regression;
  Hyper hyper;
  hyper.learning_rate = 1;
  ProfileOptions options = options_of(regression);
  const std::vector<UpdateSegment> segments{{*regression.w, *regression.gradient, {}, 0}};
  options.updater = std::make_shared<Updater>(Rule::sgd, segments, std::vector<Hyper>{hyper});
  const std::vector<ProfileRun> runs = profile(options, 0, 1, 1e9);
  CHECK(runs[0].update > 0 && runs[0].total > runs[0].program);
  CHECK(options.updater->iterations() == 1);
  CHECK(floats_of(*regression.w)[2] == -floats_of(*regression.gradient)[2]);
}

void errors() {
  Fit fit(FakeModel{kWidth});
  ProfileOptions options;
  options.program = fit.program(4);  // a program that cannot tell
  options.workspace = std::make_shared<Workspace>();
  options.data = data_of(10);
  options.rows = 4;
  CHECK(code_of([&] { profile(options, 0, 1, 1e9); }) == "UNSUPPORTED");
  options.program = Regression().program;
  options.rows = 3;
  CHECK(code_of([&] { profile(options, 0, 1, 1e9); }) == "INTERNAL", "another number of rows");
  options.rows = 11;
  CHECK(code_of([&] { profile(options, 0, 1, 1e9); }) == "INTERNAL", "more rows than there are");
}

void limits() {
  for (const std::string& isa : cpu::available_isas()) {
    cpu::select_isa(isa);
    const cpu::Limits first = cpu::limits(), again = cpu::limits();
    CHECK(std::isfinite(first.flops) && first.flops > 1e6 && first.bytes > 1e6 && first.cached_bytes > 1e6);
    CHECK(first.flops == again.flops && first.bytes == again.bytes, "measured once");
  }
}

}  // namespace

int main() {
  sums(false);
  sums(true);
  batches();
  updates();
  errors();
  limits();
  return report("profile");
}
