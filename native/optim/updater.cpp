#include "optim/updater.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "training/locks.h"

namespace downhill {

namespace {

size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Whether b begins where a, padded to the alignment, ends.
bool adjacent(const Storage& a, const Storage& b) {
  return a.buffer == b.buffer && a.offset % kAlignment == 0 && b.offset == align_up(a.offset + a.bytes);
}

bool adjacent_or_none(const Storage& a, const Storage& b) { return a.buffer || b.buffer ? adjacent(a, b) : true; }

bool adjacent(const UpdateSegment& a, const UpdateSegment& b) {
  if (a.group != b.group || !adjacent(a.parameter, b.parameter) || !adjacent(a.gradient, b.gradient)) return false;
  for (size_t s = 0; s < a.slots.size(); ++s)
    if (!adjacent(a.slots[s], b.slots[s])) return false;
  return adjacent_or_none(a.accumulator, b.accumulator) && adjacent_or_none(a.average, b.average);
}

void check_storage(const Storage& storage, size_t bytes, size_t segment, const char* what) {
  if (storage.buffer && storage.bytes == bytes && bytes % sizeof(float) == 0) return;
  throw Error(code::kInvalidArgument, "The " + std::string(what) + " of variable " + std::to_string(segment) + " has " +
                                          std::to_string(storage.bytes) + " bytes, expected the parameter's " +
                                          std::to_string(bytes) + " (float32).");
}

void check_group(int group, size_t groups) {
  if (group < 0 || static_cast<size_t>(group) >= groups)
    throw Error(code::kOutOfRange, "Unknown group " + std::to_string(group) + " of an updater with " +
                                       std::to_string(groups) + " groups.");
}

void check_segment(const UpdateSegment& segment, size_t index, Rule rule, const UpdateOptions& options) {
  if (static_cast<int>(segment.slots.size()) != slots_of(rule))
    throw Error(code::kInvalidArgument,
                "Rule " + std::string(name_of(rule)) + " needs " + std::to_string(slots_of(rule)) +
                    " slots, variable " + std::to_string(index) + " has " + std::to_string(segment.slots.size()) + ".");
  const size_t bytes = segment.parameter.bytes;
  check_storage(segment.parameter, bytes, index, "parameter");
  check_storage(segment.gradient, bytes, index, "gradient");
  for (const Storage& slot : segment.slots) check_storage(slot, bytes, index, "slot");
  if (options.accumulation_steps > 1) check_storage(segment.accumulator, bytes, index, "accumulator");
  if (options.average && scalars_of(rule) == 0) check_storage(segment.average, bytes, index, "average");
  const auto size = static_cast<int64_t>(bytes / sizeof(float));
  if (segment.columns < 1 || size % segment.columns != 0)
    throw Error(code::kInvalidArgument, "Variable " + std::to_string(index) + " of " + std::to_string(size) +
                                            " elements has not rows of " + std::to_string(segment.columns) + ".");
}

void check_options(const UpdateOptions& options) {
  if (!(options.global_clip_norm >= 0) || !std::isfinite(options.global_clip_norm))
    throw Error(code::kInvalidArgument, "globalClipNorm must be a finite number >= 0, received " +
                                            std::to_string(options.global_clip_norm) + ".");
  if (options.accumulation_steps < 1)
    throw Error(code::kInvalidArgument,
                "gradientAccumulationSteps must be >= 1, received " + std::to_string(options.accumulation_steps) + ".");
  if (!(options.ema_momentum >= 0 && options.ema_momentum <= 1))
    throw Error(code::kInvalidArgument,
                "emaMomentum must be in [0, 1], received " + std::to_string(options.ema_momentum) + ".");
  if (options.ema_overwrite_frequency < 0)
    throw Error(code::kInvalidArgument, "emaOverwriteFrequency must be >= 0, received " +
                                            std::to_string(options.ema_overwrite_frequency) + ".");
  if (!(options.loss_scale > 0) || !std::isfinite(options.loss_scale))
    throw Error(code::kInvalidArgument,
                "lossScaleFactor must be a finite number > 0, received " + std::to_string(options.loss_scale) + ".");
  const DynamicLossScale& dynamic = options.dynamic;
  if (!dynamic.scale.buffer) return;
  if (!dynamic.finite_steps.buffer || dynamic.scale.bytes != sizeof(float) ||
      dynamic.finite_steps.bytes != sizeof(int32_t))
    throw Error(code::kInvalidArgument, "A dynamic loss scale is one float32 and one int32.");
  if (dynamic.growth_steps < 1 || dynamic.growth_steps > INT32_MAX)
    throw Error(code::kInvalidArgument,
                "growthSteps must be in [1, 2^31), received " + std::to_string(dynamic.growth_steps) + ".");
}

void add_distinct(std::vector<std::shared_ptr<Buffer>>& buffers, const std::shared_ptr<Buffer>& buffer) {
  if (buffer && std::find(buffers.begin(), buffers.end(), buffer) == buffers.end()) buffers.push_back(buffer);
}

/// The whole of a and its neighbour b, with the padding between them.
void extend(Storage& a, const Storage& b) {
  if (a.buffer) a.bytes = b.offset + b.bytes - a.offset;
}

void extend(UpdateSpan& span, const UpdateSegment& next) {
  extend(span.parameter, next.parameter);
  extend(span.gradient, next.gradient);
  for (size_t s = 0; s < span.slots.size(); ++s) extend(span.slots[s], next.slots[s]);
  extend(span.accumulator, next.accumulator);
  extend(span.average, next.average);
  span.size = static_cast<int64_t>(span.parameter.bytes / sizeof(float));
}

}  // namespace

Updater::Updater(Rule rule, std::vector<UpdateSegment> segments, std::vector<Hyper> groups, UpdateOptions options)
    : options_(std::move(options)), rules_(options_.rules) {
  check_options(options_);
  if (rules_.empty()) rules_.assign(groups.size(), rule);
  if (rules_.size() != groups.size())
    throw Error(code::kInvalidArgument, "An updater with " + std::to_string(groups.size()) + " groups has " +
                                            std::to_string(rules_.size()) + " rules.");
  for (const Rule own : rules_)
    if (std::find(distinct_rules_.begin(), distinct_rules_.end(), own) == distinct_rules_.end())
      distinct_rules_.push_back(own);
  check_graphs(options_.graphs, rules_);
  std::vector<UpdateSpan> single, merged;
  for (size_t i = 0; i < segments.size(); ++i) {
    UpdateSegment& segment = segments[i];
    check_group(segment.group, groups.size());
    const Rule own = rules_[static_cast<size_t>(segment.group)];
    check_segment(segment, i, own, options_);
    if (options_.accumulation_steps == 1) segment.accumulator = {};
    if (!options_.average || scalars_of(own) > 0) segment.average = {};
    UpdateSpan span;
    span.parameter = segment.parameter;
    span.gradient = segment.gradient;
    span.slots = segment.slots;
    span.accumulator = segment.accumulator;
    span.average = segment.average;
    span.size = static_cast<int64_t>(segment.parameter.bytes / sizeof(float));
    span.group = segment.group;
    span.rule = own;
    span.segment = static_cast<int>(i);
    span.columns = segment.columns;
    if (groups[static_cast<size_t>(segment.group)].adaptive_clip > 0) {
      span.first_unit = units_;
      units_ += span.columns;
    }
    single.push_back(span);
    if (i > 0 && adjacent(segments[i - 1], segment))
      extend(merged.back(), segment);
    else
      merged.push_back(span);
  }
  collect_buffers(segments);
  by_variable_ = cut(std::move(single));
  merged_ = cut(std::move(merged));
  for (const Hyper& hyper : groups) groups_.push_back({hyper, nullptr});
  steps_.resize(groups_.size());
  partial_.resize(by_variable_.chunks.size());
  norm_factor_.resize(segments.size(), 1);
  trust_.resize(segments.size(), 1);
  if (measures()) measured_.resize(2 * by_variable_.chunks.size());
  cut_units();
  find_row_variables();
}

Updater::Pass Updater::cut(std::vector<UpdateSpan> spans) {
  Pass pass;
  for (size_t i = 0; i < spans.size(); ++i)
    for (int64_t begin = 0; begin < spans[i].size; begin += kUpdateChunk)
      pass.chunks.push_back({static_cast<int>(i), begin, std::min(kUpdateChunk, spans[i].size - begin)});
  pass.pointers.resize(spans.size());
  pass.spans = std::move(spans);
  return pass;
}

void Updater::cut_units() {
  const auto add = [this](int span, int64_t row, int64_t column, int64_t at) {
    const UpdateSpan& variable = by_variable_.spans[static_cast<size_t>(span)];
    tiles_.push_back({span, row, column, std::min(kUnitRows, variable.size / variable.columns - row),
                      std::min(kUnitColumns, variable.columns - column), at});
  };
  const int64_t sums = each_unit_tile(by_variable_.spans, add);
  for (auto& squares : unit_squares_) squares.resize(static_cast<size_t>(sums));
  unit_factor_.resize(static_cast<size_t>(units_), 1);
}

void Updater::collect_buffers(const std::vector<UpdateSegment>& segments) {
  for (const UpdateSegment& segment : segments) {
    add_distinct(written_, segment.parameter.buffer);
    for (const Storage& slot : segment.slots) add_distinct(written_, slot.buffer);
    add_distinct(written_, segment.accumulator.buffer);
    add_distinct(written_, segment.average.buffer);
  }
  add_distinct(written_, options_.dynamic.scale.buffer);
  add_distinct(written_, options_.dynamic.finite_steps.buffer);
  for (const UpdateScalars& scalars : options_.graphs.scalars)
    for (const Storage& place : scalars.at) add_distinct(written_, place.buffer);
  const auto reads = [this](const std::shared_ptr<Buffer>& buffer) {
    if (std::find(written_.begin(), written_.end(), buffer) == written_.end()) add_distinct(read_, buffer);
  };
  for (const Plan& plan : options_.graphs.plans)
    for (const std::shared_ptr<Buffer>& buffer : access_of(plan).writes) add_distinct(written_, buffer);
  for (const Plan& plan : options_.graphs.plans)
    for (const std::shared_ptr<Buffer>& buffer : access_of(plan).reads) reads(buffer);
  for (const UpdateSegment& segment : segments) reads(segment.gradient.buffer);
}

StepHead Updater::head_of(int64_t step) const {
  const int64_t update = step / options_.accumulation_steps, place = step % options_.accumulation_steps;
  StepHead head;
  head.apply = place == options_.accumulation_steps - 1;
  head.first = place == 0;
  if (!head.apply) return head;
  head.gradient_scale =
      static_cast<float>(1.0 / static_cast<double>(options_.accumulation_steps) / options_.loss_scale);
  head.global_clip_norm = static_cast<float>(options_.global_clip_norm);
  if (!options_.average) return head;
  const double momentum = update == 0 ? 0 : options_.ema_momentum;
  const int64_t frequency = options_.ema_overwrite_frequency;
  head.average = 1;
  head.overwrite = frequency > 0 && (update + 1) % frequency == 0;
  head.keep = static_cast<float>(momentum);
  head.take = static_cast<float>(1 - momentum);
  return head;
}

GroupStep Updater::group_step(const Group& group, Rule rule, int64_t step_index) const {
  const int64_t update = step_index / options_.accumulation_steps;
  const int64_t scheduled = options_.schedule_by_step ? step_index : update;
  Hyper hyper = group.hyper;
  if (group.schedule) hyper.learning_rate = group.schedule->at(static_cast<double>(scheduled));
  GroupStep step;
  const double rate = hyper.learning_rate;  // what decoupled decay keeps to
  hyper.learning_rate *= hyper.rate_ratio;
  step.rule = build_rule(rule, hyper, update + 1);
  if (!decays_itself(rule))
    (hyper.coupled_decay ? step.l2 : step.decay) =
        static_cast<float>(hyper.weight_decay * (hyper.coupled_decay ? 1 : rate));
  step.clip_value = static_cast<float>(hyper.clip_value);
  step.clip_norm = static_cast<float>(hyper.clip_norm);
  step.unit_clip = static_cast<float>(hyper.adaptive_clip);
  step.unit_epsilon = static_cast<float>(hyper.adaptive_epsilon);
  return step;
}

void Updater::plan(int64_t first, int64_t count, StepHead* heads, GroupStep* groups) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (int64_t step = first; step < first + count; ++step) {
    const StepHead head = *heads++ = head_of(step);
    for (size_t i = 0; i < groups_.size(); ++i)
      *groups++ = head.apply ? group_step(groups_[i], rules_[i], step) : GroupStep{};
  }
}

bool Updater::measures() const { return std::any_of(rules_.begin(), rules_.end(), uses_norms); }

void Updater::set(int group, std::string_view name, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  Hyper changed = groups_[static_cast<size_t>(group)].hyper;
  set_hyper(changed, name, value);
  if (changed.adaptive_clip > 0 && groups_[static_cast<size_t>(group)].hyper.adaptive_clip <= 0)
    throw Error(code::kInvalidArgument, "adaptiveClipFactor cannot be switched on in an updater made without it.");
  groups_[static_cast<size_t>(group)].hyper = changed;
}

double Updater::get(int group, std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  return get_hyper(groups_[static_cast<size_t>(group)].hyper, name);
}

void Updater::set_schedule(int group, std::shared_ptr<const Schedule> schedule) {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  groups_[static_cast<size_t>(group)].schedule.swap(schedule);
}

void Updater::set_iterations(int64_t iterations, int64_t skipped) {
  if (iterations < 0 || skipped < 0 || skipped > iterations / options_.accumulation_steps)
    throw Error(code::kInvalidArgument, "iterations must be >= 0 and hold the skipped updates, received " +
                                            std::to_string(iterations) + " and " + std::to_string(skipped) + ".");
  iterations_.store(iterations, std::memory_order_relaxed);
  skipped_.store(skipped, std::memory_order_relaxed);
}

}  // namespace downhill
