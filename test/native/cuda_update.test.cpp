// The update commands on the emulator give the bits of Updater::apply: every rule, with clipping, decay, accumulation,
// averages and groups, over several steps of one launch.
#include <functional>
#include <set>
#include <string>

#include "backend/cuda/host/update_tables.h"
#include "cuda_runner.h"
#include "hypers.h"
#include "optim/updater.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int kStepsOfLaunch = 3, kLaunches = 2;
const std::vector<int64_t> kSizes = {1, 17, 64, 33001, 5, 0, 16384};  // several chunks, rests, none

const std::vector<int64_t> kColumns = {1, 17, 16, 541, 1, 1, 4};  // several tiles either way, rests

struct Case {
  const char* name;
  std::function<void(Hyper&, Hyper&, UpdateOptions&)> change;  // the groups, and all
  size_t shift = 0;                                            // elements that every variable lies off alignment
};

const std::vector<Case> kCases = {
    {"plain", [](Hyper&, Hyper&, UpdateOptions&) {}},
    {"off alignment", [](Hyper&, Hyper&, UpdateOptions&) {}, 1},
    {"clipValue", [](Hyper& a, Hyper&, UpdateOptions&) { a.clip_value = 0.4; }},
    {"clipNorm of a group", [](Hyper&, Hyper& b, UpdateOptions&) { b.clip_norm = 3; }},
    {"globalClipNorm", [](Hyper&, Hyper&, UpdateOptions& all) { all.global_clip_norm = 7; }},
    {"globalClipNorm that is not reached", [](Hyper&, Hyper&, UpdateOptions& all) { all.global_clip_norm = 1e6; }},
    {"decay",
     [](Hyper& a, Hyper& b, UpdateOptions&) { a.weight_decay = b.weight_decay = 0.3, b.coupled_decay = true; }},
    {"accumulation", [](Hyper&, Hyper&, UpdateOptions& all) { all.accumulation_steps = 3; }},
    {"average", [](Hyper&, Hyper&, UpdateOptions& all) { all.average = true, all.ema_overwrite_frequency = 3; }},
    {"units", [](Hyper& a, Hyper&, UpdateOptions&) { a.adaptive_clip = 0.3, a.adaptive_epsilon = 0.02; }},
    {"units and accumulation",
     [](Hyper& a, Hyper& b, UpdateOptions& all) {
       a.adaptive_clip = b.adaptive_clip = 0.2, all.accumulation_steps = 2, all.loss_scale = 3;
     },
     1},
    {"skips nothing", [](Hyper&, Hyper&, UpdateOptions& all) { all.skip_non_finite = true; }},
    {"everything",
     [](Hyper& a, Hyper& b, UpdateOptions& all) {
       a.clip_value = 0.02, a.clip_norm = 2.5, a.weight_decay = 0.2;
       b.weight_decay = 0.1, b.coupled_decay = true, b.clip_norm = 40;
       all.global_clip_norm = 4, all.accumulation_steps = 2;
       all.average = true, all.ema_momentum = 0.8, all.ema_overwrite_frequency = 2;
     },
     3},
};

/// Variables in one buffer per purpose, and an updater of them.
struct Model {
  std::vector<std::shared_ptr<Buffer>> buffers;  // parameters, gradients, slots, accumulators, averages
  std::vector<UpdateSegment> segments;
  std::unique_ptr<Updater> updater;

  Model(Rule rule, const Case& test) {
    Hyper first = unusual();
    first.nesterov = 1;
    Hyper second = first;
    UpdateOptions options;
    second.learning_rate = 0.1;
    test.change(first, second, options);
    size_t elements = 0;
    for (const int64_t size : kSizes) elements += room(size, test);
    for (int i = 0; i < 4 + slots_of(rule); ++i) buffers.push_back(std::make_shared<Buffer>(elements * 4));
    size_t begin = test.shift;
    for (size_t i = 0; i < kSizes.size(); ++i) {
      const auto view = [&](int buffer) {
        return Storage{buffers[static_cast<size_t>(buffer)], begin * 4, static_cast<size_t>(kSizes[i]) * 4, nullptr};
      };
      UpdateSegment segment{view(0), view(1), {}, static_cast<int>(i % 2), view(2), view(3)};
      segment.columns = kColumns[i];
      for (int s = 0; s < slots_of(rule); ++s) segment.slots.push_back(view(4 + s));
      segments.push_back(segment);
      begin += room(kSizes[i], test);
    }
    draw(0, 1);
    updater = std::make_unique<Updater>(rule, segments, std::vector<Hyper>{first, second}, options);
  }

  static size_t room(int64_t size, const Case& test) { return (static_cast<size_t>(size) + test.shift + 15) / 16 * 16; }

  void draw(int buffer, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    float* const x = reinterpret_cast<float*>(buffers[static_cast<size_t>(buffer)]->data());
    for (size_t i = 0; i < buffers[static_cast<size_t>(buffer)]->bytes() / 4; ++i) x[i] = normal(random);
  }
};

/// As many steps of one launch, with these gradients.
void run_steps(Model& model, int steps, bool clipped, cuda::StepState& state) {
  Updater& updater = *model.updater;
  std::vector<StepHead> heads(static_cast<size_t>(steps));
  std::vector<GroupStep> groups(static_cast<size_t>(steps) * updater.groups());
  const int64_t before = updater.skips() ? updater.position() % updater.options().accumulation_steps : 0;
  state.row = before;
  heads.resize(heads.size() + static_cast<size_t>(before));
  groups.resize(heads.size() * updater.groups());
  updater.plan(updater.position() - before, steps + before, heads.data(), groups.data());
  const cuda::UpdateTables tables = cuda::update_tables(updater.variables(), emulator().memory());
  const auto copy_of = [](const auto& items) {
    return std::make_unique<DeviceArray>(items.size() * sizeof(items[0]), items.data());
  };
  const auto spans = copy_of(tables.spans), chunks = copy_of(tables.chunks), heads_there = copy_of(heads),
             groups_there = copy_of(groups);
  const DeviceArray state_there(sizeof state, &state);
  cuda::StepState* const at = static_cast<cuda::StepState*>(state_there.get());
  cuda::UpdateTable table{};
  table.spans = static_cast<const cuda::DeviceSpan*>(spans->get());
  table.chunks = static_cast<const cuda::UpdateChunk*>(chunks->get());
  table.heads = static_cast<const StepHead*>(heads_there->get());
  table.groups = static_cast<const GroupStep*>(groups_there->get());
  table.state = at;
  table.chunk_count = static_cast<int64_t>(tables.chunks.size());
  table.span_count = static_cast<int32_t>(tables.spans.size());
  table.group_count = static_cast<int32_t>(updater.groups());
  const DynamicLossScale& dynamic = updater.options().dynamic;
  table.scaled = dynamic.scale.buffer != nullptr;
  std::vector<std::unique_ptr<DeviceArray>> memory;
  const auto room = [&](auto type, size_t count) {
    memory.push_back(std::make_unique<DeviceArray>(count * sizeof type));
    return static_cast<decltype(type)*>(memory.back()->get());
  };
  const auto tiles = copy_of(tables.tiles);
  const size_t chunk_count = tables.chunks.size(), variables = tables.spans.size();
  float *const squares = room(0.0F, chunk_count), *const factors = room(0.0F, variables),
               *const unit_factors = room(0.0F, static_cast<size_t>(updater.units())),
               *const measured = room(0.0F, 2 * chunk_count), *const trust = room(0.0F, variables);
  double *const scratch = room(0.0, 2 * variables), *const sums = room(0.0, static_cast<size_t>(tables.unit_sums)),
                *const more_sums = room(0.0, static_cast<size_t>(tables.unit_sums));
  uint32_t* const bad = room(0u, chunk_count);
  DeviceMemory* const there = emulator().memory();
  std::vector<DhCommand> commands;
  for (int step = 0; step < steps; ++step) {
    if (updater.skips()) {
      commands.push_back(cuda::command(cuda::FindNonFiniteArgs{table, bad}));
      cuda::DecideUpdateArgs decide{table, bad, nullptr, nullptr, dynamic.growth_steps};
      if (table.scaled) {
        decide.scale = reinterpret_cast<float*>(dynamic.scale.write(there));
        decide.finite_steps = reinterpret_cast<int32_t*>(dynamic.finite_steps.write(there));
      }
      commands.push_back(cuda::command(decide));
    }
    cuda::UpdateArgs update{table, clipped ? factors : nullptr, nullptr, nullptr, updater.rules().front()};
    if (clipped) {
      commands.push_back(cuda::command(cuda::GradientNormsArgs{table, squares}));
      commands.push_back(cuda::command(cuda::ClipFactorsArgs{table, squares, scratch, factors}));
    }
    if (updater.units() > 0) {
      const cuda::UnitSquaresArgs units{table, static_cast<const cuda::UnitTile*>(tiles->get()), sums, more_sums,
                                        static_cast<int64_t>(tables.tiles.size())};
      commands.push_back(cuda::command(units));
      commands.push_back(cuda::command(cuda::UnitFactorsArgs{units, unit_factors}));
      update.units = unit_factors;
    }
    if (uses_norms(updater.rules().front())) {
      commands.push_back(cuda::command(cuda::MeasureArgs{update, measured}));
      commands.push_back(cuda::command(cuda::TrustArgs{table, measured, trust, updater.rules().front()}));
      update.trust = trust;
    }
    commands.push_back(cuda::command(update));
    commands.push_back(cuda::command(cuda::AdvanceArgs{1, at, updater.options().accumulation_steps}));
  }
  run_commands(commands);
  state_there.download(&state);
  updater.count(state.index, state.skipped);
}

/// The first variable and purpose that differ, or "".
std::string difference(const Model& a, const Model& b) {
  for (size_t i = 0; i < a.segments.size(); ++i) {
    const auto list = [](const UpdateSegment& segment) {
      std::vector<Storage> all = {segment.parameter, segment.accumulator, segment.average};
      all.insert(all.end(), segment.slots.begin(), segment.slots.end());
      return all;
    };
    const std::vector<Storage> mine = list(a.segments[i]), other = list(b.segments[i]);
    for (size_t k = 0; k < mine.size(); ++k)
      if (mine[k].bytes > 0 && std::memcmp(mine[k].host(), other[k].host(), mine[k].bytes) != 0)
        return "array " + std::to_string(k) + " of variable " + std::to_string(i);
  }
  return "";
}

void every_rule() {
  // What stands around the rules is the same code for all of one kind: a rule of each kind goes through every case.
  const std::set<Rule> thorough = {Rule::sgd, Rule::adam, Rule::lamb, Rule::torchLars, Rule::adafactor};
  const std::set<std::string> always = {"plain", "off alignment", "everything"};
  for (int r = 0; r < kRuleCount; ++r)
    for (const Case& test : kCases)
      if (thorough.count(static_cast<Rule>(r)) || always.count(test.name))
        for (const bool clipped : {true, false}) {
          const Rule rule = static_cast<Rule>(r);
          Model here(rule, test), there(rule, test);
          std::vector<GroupStep> groups(2);
          StepHead head;
          here.updater->plan(here.updater->options().accumulation_steps - 1, 1, &head, groups.data());
          if (!clipped && (head.global_clip_norm > 0 || groups[0].clip_norm > 0 || groups[1].clip_norm > 0)) continue;
          for (int launch = 0; launch < kLaunches; ++launch) {
            here.draw(1, 100u + static_cast<unsigned>(launch));
            there.draw(1, 100u + static_cast<unsigned>(launch));
            for (int step = 0; step < kStepsOfLaunch; ++step) here.updater->apply();
            cuda::StepState state;
            run_steps(there, kStepsOfLaunch, clipped, state);
            CHECK(state.index == kStepsOfLaunch && there.updater->iterations() == here.updater->iterations());
            const std::string where = difference(here, there);
            CHECK(where.empty(), "%s, %s, launch %d: %s", name_of(rule), test.name, launch, where.c_str());
          }
        }
}

/// Gradients with a NaN or an infinity: norms are NaN or infinite, as on the CPU.
void special_gradients() {
  for (const float special : {NAN, INFINITY}) {
    const Case& everything = kCases.back();
    Model here(Rule::adam, everything), there(Rule::adam, everything);
    for (Model* model : {&here, &there}) {
      model->draw(1, 9);
      reinterpret_cast<float*>(model->segments[3].gradient.data())[20000] = special;
    }
    for (int step = 0; step < 2; ++step) here.updater->apply();
    cuda::StepState state;
    run_steps(there, 2, true, state);
    for (size_t i = 0; i < kSizes.size(); ++i) {
      const float *a = reinterpret_cast<const float*>(here.segments[i].parameter.host()),
                  *b = reinterpret_cast<const float*>(there.segments[i].parameter.host());
      for (int64_t k = 0; k < kSizes[i]; ++k)
        if (!(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k])))) {
          CHECK(false, "variable %zu, element %d: %g, on the CPU %g", i, static_cast<int>(k), b[k], a[k]);
          break;
        }
    }
  }
}

/// Updates with gradients that are not finite are left out, wherever a launch begins, and the loss scale follows.
void skipped_updates() {
  constexpr int kSteps = 14;
  for (const int64_t window : {1, 3})
    for (const bool dynamic : {false, true})
      for (const int per_launch : {1, 4, 5}) {
        const Case test = {"skips", [&](Hyper&, Hyper& b, UpdateOptions& all) {
                             b.clip_norm = 3;
                             all.accumulation_steps = window;
                             all.skip_non_finite = true;
                             all.average = true;
                             if (!dynamic) return;
                             all.dynamic.scale = {std::make_shared<Buffer>(4), 0, 4, nullptr};
                             all.dynamic.finite_steps = {std::make_shared<Buffer>(4), 0, 4, nullptr};
                             *reinterpret_cast<float*>(all.dynamic.scale.data()) = 1024;
                             all.dynamic.growth_steps = 2;
                           }};
        Model here(Rule::adam, test), there(Rule::adam, test);
        for (int done = 0; done < kSteps;) {
          const int steps = std::min(per_launch, kSteps - done);
          for (Model* model : {&here, &there}) {
            model->draw(1, 9u + static_cast<unsigned>(done));
            if (done / per_launch % 3 == 1)
              reinterpret_cast<float*>(model->segments[3].gradient.data())[20000] = done % 2 ? NAN : INFINITY;
          }
          for (int step = 0; step < steps; ++step) here.updater->apply();
          cuda::StepState state;
          run_steps(there, steps, true, state);
          done += steps;
        }
        const Updater &a = *here.updater, &b = *there.updater;
        CHECK(a.skipped() > 0 && a.skipped() == b.skipped() && a.iterations() == kSteps && b.iterations() == kSteps);
        CHECK(a.position() == kSteps - window * a.skipped() && a.position() > 0);
        const std::string where = difference(here, there);
        CHECK(where.empty(), "window %d, dynamic %d, %d steps a launch: %s", static_cast<int>(window), dynamic,
              per_launch, where.c_str());
        if (!dynamic) continue;
        const auto scale = [](const Updater& updater) {
          const DynamicLossScale& scales = updater.options().dynamic;
          return std::make_pair(*reinterpret_cast<const float*>(scales.scale.host()),
                                *reinterpret_cast<const int32_t*>(scales.finite_steps.host()));
        };
        CHECK(scale(a) == scale(b), "%g and %g", scale(a).first, scale(b).first);
      }
}

void stopped_steps() {
  const Case& everything = kCases.back();
  Model before(Rule::adam, everything), after(Rule::adam, everything);
  after.draw(1, 9);
  cuda::StepState state;
  state.stopped = static_cast<uint32_t>(cuda::Stop::non_finite);
  run_steps(after, 2, true, state);
  CHECK(state.index == 0 && after.updater->iterations() == 0);
  CHECK(difference(before, after).empty());
}

}  // namespace

int main() {
  every_rule();
  special_gradients();
  skipped_updates();
  stopped_steps();
  return report("cuda_update");
}
