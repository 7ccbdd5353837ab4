// The update commands on the emulator give the bits of Updater::apply: every rule, with clipping, decay, accumulation,
// averages and groups, over several steps of one launch.
#include <functional>

#include "backend/cuda/host/update_tables.h"
#include "cuda_runner.h"
#include "optim/updater.h"

using namespace downhill;
using namespace downhill::test;

namespace {

constexpr int kStepsOfLaunch = 3, kLaunches = 2;
const std::vector<int64_t> kSizes = {1, 17, 64, 33001, 5, 0, 16384};  // several chunks, rests, none

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
    {"everything",
     [](Hyper& a, Hyper& b, UpdateOptions& all) {
       a.clip_value = 0.02, a.clip_norm = 2.5, a.weight_decay = 0.2;
       b.weight_decay = 0.1, b.coupled_decay = true, b.clip_norm = 40;
       all.global_clip_norm = 4, all.accumulation_steps = 2;
       all.average = true, all.ema_momentum = 0.8, all.ema_overwrite_frequency = 2;
     },
     3},
};

Hyper unusual() {
  Hyper h;
  h.learning_rate = 0.013;
  h.momentum = 0.83;
  h.dampening = 0.21;
  h.beta1 = 0.81;
  h.beta2 = 0.967;
  h.epsilon = 3e-3;
  return h;
}

/// Variables in one buffer per purpose, and an updater of them.
struct Model {
  std::vector<std::shared_ptr<Buffer>> buffers;  // parameters, gradients, slots, accumulators, averages
  std::vector<UpdateSegment> segments;
  std::unique_ptr<Updater> updater;

  Model(Rule rule, const Case& test) {
    Hyper first = unusual(), second = unusual();
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
  updater.plan(updater.iterations(), steps, heads.data(), groups.data());
  const cuda::UpdateTables tables = cuda::update_tables(updater.variables(), emulator().memory());
  const auto copy_of = [](const auto& items) {
    return std::make_unique<DeviceArray>(items.size() * sizeof(items[0]), items.data());
  };
  const auto spans = copy_of(tables.spans), chunks = copy_of(tables.chunks), heads_there = copy_of(heads),
             groups_there = copy_of(groups);
  const DeviceArray squares(tables.chunks.size() * 4), factors(tables.spans.size() * 4),
      scratch(tables.spans.size() * 16), state_there(sizeof state, &state);
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
  float *const squares_at = static_cast<float*>(squares.get()), *const factors_at = static_cast<float*>(factors.get());
  std::vector<DhCommand> commands;
  for (int step = 0; step < steps; ++step) {
    if (clipped) {
      commands.push_back(cuda::command(cuda::GradientNormsArgs{table, squares_at}));
      commands.push_back(
          cuda::command(cuda::ClipFactorsArgs{table, squares_at, static_cast<double*>(scratch.get()), factors_at}));
    }
    commands.push_back(cuda::command(cuda::UpdateArgs{table, clipped ? factors_at : nullptr, updater.rules().front()}));
    commands.push_back(cuda::command(cuda::AdvanceArgs{1, at}));
  }
  run_commands(commands);
  state_there.download(&state);
  updater.count(state.index);
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
  for (int r = 0; r < kRuleCount; ++r)
    for (const Case& test : kCases)
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
  stopped_steps();
  return report("cuda_update");
}
