#include "optim/updater.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "core/error.h"

namespace downhill {

namespace {

constexpr int64_t kChunk = 16384;  // elements; a multiple of the alignment, so that chunks never share a cache line

size_t align_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Whether b begins where a, padded to the alignment, ends.
bool adjacent(const Storage& a, const Storage& b) {
  return a.buffer == b.buffer && a.offset % kAlignment == 0 && b.offset == align_up(a.offset + a.bytes);
}

bool adjacent(const UpdateSegment& a, const UpdateSegment& b) {
  if (a.group != b.group || !adjacent(a.parameter, b.parameter) || !adjacent(a.gradient, b.gradient)) return false;
  for (size_t s = 0; s < a.slots.size(); ++s)
    if (!adjacent(a.slots[s], b.slots[s])) return false;
  return true;
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

void check_segment(const UpdateSegment& segment, size_t index, Rule rule, size_t groups) {
  check_group(segment.group, groups);
  if (static_cast<int>(segment.slots.size()) != slots_of(rule))
    throw Error(code::kInvalidArgument,
                "Rule " + std::string(name_of(rule)) + " needs " + std::to_string(slots_of(rule)) +
                    " slots, variable " + std::to_string(index) + " has " + std::to_string(segment.slots.size()) + ".");
  const size_t bytes = segment.parameter.bytes;
  check_storage(segment.parameter, bytes, index, "parameter");
  check_storage(segment.gradient, bytes, index, "gradient");
  for (const Storage& slot : segment.slots) check_storage(slot, bytes, index, "slot");
}

void add_distinct(std::vector<std::shared_ptr<Buffer>>& buffers, const std::shared_ptr<Buffer>& buffer) {
  if (std::find(buffers.begin(), buffers.end(), buffer) == buffers.end()) buffers.push_back(buffer);
}

/// c / max(norm, c); 1 without a limit or when the norm is NaN, which the gradient then holds anyway.
double clip_factor(double norm, double limit) { return limit > 0 && norm > limit ? limit / norm : 1; }

}  // namespace

Updater::Updater(Rule rule, std::vector<UpdateSegment> segments, std::vector<Hyper> groups, double global_clip_norm)
    : rule_(rule), global_clip_norm_(global_clip_norm), segments_(std::move(segments)), groups_(std::move(groups)) {
  if (!(global_clip_norm >= 0) || !std::isfinite(global_clip_norm))
    throw Error(code::kInvalidArgument,
                "globalClipNorm must be a finite number >= 0, received " + std::to_string(global_clip_norm) + ".");
  std::vector<Span> single, merged;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const UpdateSegment& segment = segments_[i];
    check_segment(segment, i, rule_, groups_.size());
    Span span;
    span.parameter = reinterpret_cast<float*>(segment.parameter.data());
    span.gradient = reinterpret_cast<const float*>(segment.gradient.data());
    for (size_t s = 0; s < segment.slots.size(); ++s) span.slots[s] = reinterpret_cast<float*>(segment.slots[s].data());
    span.size = static_cast<int64_t>(segment.parameter.bytes / sizeof(float));
    span.group = segment.group;
    span.segment = static_cast<int>(i);
    single.push_back(span);
    if (i > 0 && adjacent(segments_[i - 1], segment))
      merged.back().size = span.parameter + span.size - merged.back().parameter;
    else
      merged.push_back(span);
  }
  collect_buffers(segments_);
  by_segment_ = cut(std::move(single));
  merged_ = cut(std::move(merged));
  hypers_ = groups_;
  rules_.resize(groups_.size());
  partial_.resize(by_segment_.chunks.size());
  norm_factor_.resize(segments_.size(), 1);
}

Updater::Pass Updater::cut(std::vector<Span> spans) {
  Pass pass;
  for (size_t i = 0; i < spans.size(); ++i)
    for (int64_t begin = 0; begin < spans[i].size; begin += kChunk)
      pass.chunks.push_back({static_cast<int>(i), begin, std::min(kChunk, spans[i].size - begin)});
  pass.spans = std::move(spans);
  return pass;
}

void Updater::collect_buffers(const std::vector<UpdateSegment>& segments) {
  for (const UpdateSegment& segment : segments) {
    add_distinct(written_, segment.parameter.buffer);
    for (const Storage& slot : segment.slots) add_distinct(written_, slot.buffer);
  }
  for (const UpdateSegment& segment : segments)
    if (std::find(written_.begin(), written_.end(), segment.gradient.buffer) == written_.end())
      add_distinct(read_, segment.gradient.buffer);
}

void Updater::apply() {
  const int64_t t = iterations_.load(std::memory_order_relaxed) + 1;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::copy(groups_.begin(), groups_.end(), hypers_.begin());
  }
  bool by_variable = false;
  for (size_t i = 0; i < hypers_.size(); ++i) {
    rules_[i] = build_rule(rule_, hypers_[i], t);
    by_variable = by_variable || hypers_[i].clip_norm > 0;
  }
  if (by_variable || global_clip_norm_ > 0)
    measure_norms();
  else
    std::fill(norm_factor_.begin(), norm_factor_.end(), 1);
  update(by_variable ? by_segment_ : merged_);
  iterations_.store(t, std::memory_order_relaxed);
}

void Updater::measure_norms() {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(partial_.size()), [&](int64_t i) {
    const Chunk& chunk = by_segment_.chunks[static_cast<size_t>(i)];
    partial_[static_cast<size_t>(i)] =
        table.sum_of_squares(by_segment_.spans[static_cast<size_t>(chunk.span)].gradient + chunk.begin, chunk.size);
  });
  std::fill(norm_factor_.begin(), norm_factor_.end(), 0);
  for (size_t i = 0; i < partial_.size(); ++i)
    norm_factor_[static_cast<size_t>(by_segment_.chunks[i].span)] += partial_[i];
  double total = 0;
  for (size_t i = 0; i < norm_factor_.size(); ++i) {
    const double squares = norm_factor_[i];
    const double factor = clip_factor(std::sqrt(squares), hypers_[static_cast<size_t>(segments_[i].group)].clip_norm);
    norm_factor_[i] = factor;
    total += factor * factor * squares;
  }
  const double global = clip_factor(std::sqrt(total), global_clip_norm_);
  for (double& factor : norm_factor_) factor *= global;
}

void Updater::update(const Pass& pass) {
  const cpu::UpdateFn kernel = cpu::kernels().update[static_cast<int>(rule_)];
  cpu::parallel_for(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const Span& span = pass.spans[static_cast<size_t>(chunk.span)];
    const auto group = static_cast<size_t>(span.group);
    const Hyper& hyper = hypers_[group];
    cpu::UpdateScale scale;
    scale.gradient = static_cast<float>(norm_factor_[static_cast<size_t>(span.segment)]);
    scale.clip_value = static_cast<float>(hyper.clip_value);
    (hyper.coupled_decay ? scale.l2 : scale.decay) =
        static_cast<float>(hyper.weight_decay * (hyper.coupled_decay ? 1 : hyper.learning_rate));
    float* slots[kMaxSlots];
    for (int s = 0; s < kMaxSlots; ++s) slots[s] = span.slots[s] ? span.slots[s] + chunk.begin : nullptr;
    kernel(rules_[group].bytes, scale, span.parameter + chunk.begin, span.gradient + chunk.begin, slots, chunk.size);
  });
}

void Updater::set(int group, std::string_view name, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  set_hyper(groups_[static_cast<size_t>(group)], name, value);
}

double Updater::get(int group, std::string_view name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  check_group(group, groups_.size());
  return get_hyper(groups_[static_cast<size_t>(group)], name);
}

void Updater::set_iterations(int64_t iterations) {
  if (iterations < 0)
    throw Error(code::kInvalidArgument, "iterations must be >= 0, received " + std::to_string(iterations) + ".");
  iterations_.store(iterations, std::memory_order_relaxed);
}

}  // namespace downhill
