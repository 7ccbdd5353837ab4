#include "optim/updater.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
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

float* writable(const Storage& storage) {
  return storage.buffer ? reinterpret_cast<float*>(storage.write(nullptr)) : nullptr;
}

/// c / max(norm, c); 1 without a limit or when the norm is NaN, which the gradient then holds anyway.
double clip_factor(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

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

/// Memory may have moved between host and device since the last step.
void Updater::resolve(Pass& pass) {
  for (size_t i = 0; i < pass.spans.size(); ++i) {
    const UpdateSpan& span = pass.spans[i];
    Pointers& to = pass.pointers[i];
    to.parameter = writable(span.parameter);
    to.gradient = reinterpret_cast<const float*>(span.gradient.read(nullptr));
    for (size_t s = 0; s < span.slots.size(); ++s) to.slots[s] = writable(span.slots[s]);
    to.accumulator = writable(span.accumulator);
    to.average = writable(span.average);
  }
}

void Updater::collect_buffers(const std::vector<UpdateSegment>& segments) {
  for (const UpdateSegment& segment : segments) {
    add_distinct(written_, segment.parameter.buffer);
    for (const Storage& slot : segment.slots) add_distinct(written_, slot.buffer);
    add_distinct(written_, segment.accumulator.buffer);
    add_distinct(written_, segment.average.buffer);
  }
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
  head.gradient_scale = static_cast<float>(1.0 / static_cast<double>(options_.accumulation_steps));
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
  Hyper scaled = hyper;
  scaled.learning_rate *= hyper.rate_ratio;
  step.rule = build_rule(rule, scaled, update + 1);
  (hyper.coupled_decay ? step.l2 : step.decay) =
      static_cast<float>(hyper.weight_decay * (hyper.coupled_decay ? 1 : hyper.learning_rate));
  if (hyper.program_decay != 0) step.decay = 0;
  step.clip_value = static_cast<float>(hyper.clip_value);
  step.clip_norm = static_cast<float>(hyper.clip_norm);
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

void Updater::prepare() {
  if (!programs_ && !options_.graphs.plans.empty()) programs_ = std::make_unique<UpdatePrograms>(options_.graphs);
}

void Updater::apply() {
  prepare();
  const int64_t step = iterations();
  plan(step, 1, &head_, steps_.data());
  if (!head_.apply) {
    resolve(merged_);
    accumulate(merged_);
  } else {
    bool by_variable = false;
    for (const GroupStep& group : steps_) by_variable = by_variable || group.clip_norm > 0;
    if (by_variable || head_.global_clip_norm > 0) {
      resolve(by_variable_);
      measure_norms();
    } else {
      std::fill(norm_factor_.begin(), norm_factor_.end(), 1);
    }
    Pass& pass = by_variable ? by_variable_ : merged_;
    resolve(pass);
    update(pass);
    if (programs_) programs_->run(head_, steps_.data());
  }
  count(1);
}

void Updater::measure_norms() {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(partial_.size()), [&](int64_t i) {
    const Chunk& chunk = by_variable_.chunks[static_cast<size_t>(i)];
    const Pointers& at = by_variable_.pointers[static_cast<size_t>(chunk.span)];
    const float* const accumulator = at.accumulator ? at.accumulator + chunk.begin : nullptr;
    partial_[static_cast<size_t>(i)] = table.sum_of_squares(at.gradient + chunk.begin, accumulator, chunk.size);
  });
  std::fill(norm_factor_.begin(), norm_factor_.end(), 0);
  for (size_t i = 0; i < partial_.size(); ++i)
    norm_factor_[static_cast<size_t>(by_variable_.chunks[i].span)] += partial_[i];
  const double scale = head_.gradient_scale;
  double total = 0;
  for (size_t i = 0; i < norm_factor_.size(); ++i) {
    const double squares = scale * scale * norm_factor_[i];
    const auto group = static_cast<size_t>(by_variable_.spans[i].group);
    const double factor = clip_factor(std::sqrt(squares), steps_[group].clip_norm);
    norm_factor_[i] = factor;
    total += factor * factor * squares;
  }
  const double global = clip_factor(std::sqrt(total), head_.global_clip_norm);
  for (double& factor : norm_factor_) factor *= global;
}

void Updater::update(const Pass& pass) {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const auto index = static_cast<size_t>(chunk.span);
    const Pointers& at = pass.pointers[index];
    const GroupStep& group = steps_[static_cast<size_t>(pass.spans[index].group)];
    const double norm_factor = norm_factor_[static_cast<size_t>(pass.spans[index].segment)];
    cpu::UpdateScale scale;
    scale.gradient = static_cast<float>(norm_factor * head_.gradient_scale);
    scale.clip_value = group.clip_value;
    scale.l2 = group.l2;
    scale.decay = group.decay;
    scale.keep = head_.keep;
    scale.take = head_.take;
    scale.overwrite = head_.overwrite;
    cpu::UpdateRow row;
    row.p = at.parameter + chunk.begin;
    row.g = at.gradient + chunk.begin;
    for (size_t s = 0; s < pass.spans[index].slots.size(); ++s) row.slots[s] = at.slots[s] + chunk.begin;
    row.accumulator = at.accumulator ? at.accumulator + chunk.begin : nullptr;
    row.average = at.average ? at.average + chunk.begin : nullptr;
    table.update[static_cast<int>(pass.spans[index].rule)](group.rule.bytes, scale, row, chunk.size);
  });
}

/// accumulator ← gradient, or accumulator + gradient.
void Updater::accumulate(const Pass& pass) {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const Pointers& at = pass.pointers[static_cast<size_t>(chunk.span)];
    float* const to = at.accumulator + chunk.begin;
    if (head_.first)
      std::memcpy(to, at.gradient + chunk.begin, static_cast<size_t>(chunk.size) * sizeof(float));
    else
      table.add_to(at.gradient + chunk.begin, to, chunk.size);
  });
}

void Updater::set(int group, std::string_view name, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  set_hyper(groups_[static_cast<size_t>(group)].hyper, name, value);
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

void Updater::set_iterations(int64_t iterations) {
  if (iterations < 0)
    throw Error(code::kInvalidArgument, "iterations must be >= 0, received " + std::to_string(iterations) + ".");
  iterations_.store(iterations, std::memory_order_relaxed);
}

}  // namespace downhill
