// The update on the CPU: what is measured first, then one pass over all variables.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "backend/cpu/kernels/table.h"
#include "backend/cpu/pool.h"
#include "optim/update_element.h"
#include "optim/updater.h"

namespace downhill {

namespace {

float* writable(const Storage& storage) {
  return storage.buffer ? reinterpret_cast<float*>(storage.write(nullptr)) : nullptr;
}

const float* offset(const float* p, int64_t elements) { return p ? p + elements : nullptr; }

}  // namespace

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

void Updater::prepare() {
  if (!programs_ && !options_.graphs.plans.empty()) programs_ = std::make_unique<UpdatePrograms>(options_.graphs);
}

void Updater::apply() {
  prepare();
  plan(position(), 1, &head_, steps_.data());
  if (!head_.apply) {
    resolve(merged_);
    accumulate(merged_);
    return count(1);
  }
  if (skips()) {
    resolve(merged_);
    const bool finite = all_finite(merged_);
    if (options_.dynamic.scale.buffer) {
      auto& scale = *reinterpret_cast<float*>(options_.dynamic.scale.write(nullptr));
      auto& finite_steps = *reinterpret_cast<int32_t*>(options_.dynamic.finite_steps.write(nullptr));
      head_.gradient_scale = DH_ISA::unscaled(head_.gradient_scale, scale);
      DH_ISA::next_loss_scale(finite, options_.dynamic.growth_steps, scale, finite_steps);
    }
    if (!finite) return count(1, 1);
  }
  bool clipped = false;
  for (const GroupStep& group : steps_) clipped = clipped || group.clip_norm > 0;
  const bool by_rows = choose_rows(), by_variable = clipped || units_ > 0 || measures() || by_rows;
  if (by_variable || head_.global_clip_norm > 0) resolve(by_variable_);
  if (clipped || head_.global_clip_norm > 0)
    measure_norms();
  else
    std::fill(norm_factor_.begin(), norm_factor_.end(), 1);
  measure_units();
  measure_rule();
  Pass& pass = by_variable ? by_variable_ : merged_;
  if (!by_variable && !skips()) resolve(pass);
  if (by_rows)
    update_by_rows();
  else
    update(pass);
  settle();
  if (programs_) programs_->run(head_, steps_.data());
  count(1);
}

bool Updater::all_finite(const Pass& pass) const {
  const cpu::KernelTable& table = cpu::kernels();
  std::atomic<bool> finite{true};
  cpu::parallel_for(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const Pointers& at = pass.pointers[static_cast<size_t>(chunk.span)];
    if (!table.sums_finite(at.gradient + chunk.begin, offset(at.accumulator, chunk.begin), chunk.size))
      finite.store(false, std::memory_order_relaxed);
  });
  return finite.load(std::memory_order_relaxed);
}

void Updater::measure_norms() {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(partial_.size()), [&](int64_t i) {
    const Chunk& chunk = by_variable_.chunks[static_cast<size_t>(i)];
    const Pointers& at = by_variable_.pointers[static_cast<size_t>(chunk.span)];
    partial_[static_cast<size_t>(i)] = table.sum_of_squares(
        at.gradient + chunk.begin, offset(at.accumulator, chunk.begin), head_.gradient_scale, chunk.size);
  });
  std::fill(norm_factor_.begin(), norm_factor_.end(), 0);
  for (size_t i = 0; i < partial_.size(); ++i)
    norm_factor_[static_cast<size_t>(by_variable_.chunks[i].span)] += partial_[i];
  double total = 0;
  for (size_t i = 0; i < norm_factor_.size(); ++i) {
    const double squares = norm_factor_[i];
    const auto group = static_cast<size_t>(by_variable_.spans[i].group);
    const double factor = DH_ISA::clip_factor(std::sqrt(squares), steps_[group].clip_norm);
    norm_factor_[i] = factor;
    total += factor * factor * squares;
  }
  const double global = DH_ISA::clip_factor(std::sqrt(total), head_.global_clip_norm);
  for (double& factor : norm_factor_) factor *= global;
}

/// Adaptive clipping: squares of tiles, then the factors of the units below the tiles of a first row.
void Updater::measure_units() {
  if (units_ == 0) return;
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(tiles_.size()), [&](int64_t i) {
    const Tile& tile = tiles_[static_cast<size_t>(i)];
    const Pointers& at = by_variable_.pointers[static_cast<size_t>(tile.span)];
    const int64_t stride = by_variable_.spans[static_cast<size_t>(tile.span)].columns;
    const int64_t begin = tile.row * stride + tile.column;
    table.unit_squares(at.gradient + begin, offset(at.accumulator, begin), head_.gradient_scale, tile.rows,
                       tile.columns, stride, &unit_squares_[0][static_cast<size_t>(tile.at)]);
    table.unit_squares(at.parameter + begin, nullptr, 1, tile.rows, tile.columns, stride,
                       &unit_squares_[1][static_cast<size_t>(tile.at)]);
  });
  cpu::parallel_for(static_cast<int64_t>(tiles_.size()), [&](int64_t i) {
    const Tile& tile = tiles_[static_cast<size_t>(i)];
    if (tile.row > 0) return;
    const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(tile.span)];
    const GroupStep& group = steps_[static_cast<size_t>(span.group)];
    const int64_t blocks = (span.size / span.columns + kUnitRows - 1) / kUnitRows;
    for (int64_t c = 0; c < tile.columns; ++c) {
      double squares[2] = {0, 0};
      for (int64_t b = 0; b < blocks; ++b)
        for (int k = 0; k < 2; ++k) squares[k] += unit_squares_[k][static_cast<size_t>(tile.at + b * span.columns + c)];
      unit_factor_[static_cast<size_t>(span.first_unit + tile.column + c)] =
          DH_ISA::unit_factor(std::sqrt(squares[1]), std::sqrt(squares[0]), group.unit_clip, group.unit_epsilon);
    }
  });
}

/// The norms that the rule asks for, and what it makes of them.
void Updater::measure_rule() {
  if (!measures()) return;
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for(static_cast<int64_t>(by_variable_.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = by_variable_.chunks[static_cast<size_t>(i)];
    const UpdateSpan& span = by_variable_.spans[static_cast<size_t>(chunk.span)];
    if (!uses_norms(span.rule)) return;
    table.measure[static_cast<int>(span.rule)](steps_[static_cast<size_t>(span.group)].rule.bytes, scale_of(span),
                                               row_of(by_variable_, chunk), chunk.size,
                                               &measured_[2 * static_cast<size_t>(i)]);
  });
  size_t chunk = 0;
  for (size_t s = 0; s < by_variable_.spans.size(); ++s) {
    double squares[2] = {0, 0};
    for (; chunk < by_variable_.chunks.size() && by_variable_.chunks[chunk].span == static_cast<int>(s); ++chunk)
      for (size_t k = 0; k < 2; ++k) squares[k] += measured_[2 * chunk + k];
    const UpdateSpan& span = by_variable_.spans[s];
    const GroupStep& group = steps_[static_cast<size_t>(span.group)];
    trust_[s] = trust_of(span.rule, group.rule, std::sqrt(squares[0]), std::sqrt(squares[1]));
  }
}

cpu::UpdateScale Updater::scale_of(const UpdateSpan& span) const {
  const GroupStep& group = steps_[static_cast<size_t>(span.group)];
  cpu::UpdateScale scale;
  scale.gradient = head_.gradient_scale;
  scale.clip = static_cast<float>(norm_factor_[static_cast<size_t>(span.segment)]);
  scale.clip_value = group.clip_value;
  scale.l2 = group.l2;
  scale.decay = group.decay;
  scale.trust = trust_[static_cast<size_t>(span.segment)];
  scale.keep = head_.keep;
  scale.take = head_.take;
  scale.overwrite = head_.overwrite;
  return scale;
}

cpu::UpdateRow Updater::row_of(const Pass& pass, const Chunk& chunk) const {
  const UpdateSpan& span = pass.spans[static_cast<size_t>(chunk.span)];
  const Pointers& at = pass.pointers[static_cast<size_t>(chunk.span)];
  cpu::UpdateRow row;
  row.p = at.parameter + chunk.begin;
  row.g = at.gradient + chunk.begin;
  for (size_t s = 0; s < span.slots.size(); ++s) row.slots[s] = at.slots[s] + chunk.begin;
  row.accumulator = offset(at.accumulator, chunk.begin);
  row.average = at.average ? at.average + chunk.begin : nullptr;
  if (units_ > 0 && span.first_unit >= 0) {
    row.units = &unit_factor_[static_cast<size_t>(span.first_unit)];
    row.columns = span.columns;
    row.column = chunk.begin % span.columns;
  }
  return row;
}

void Updater::update(const Pass& pass) {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for_brief(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const UpdateSpan& span = pass.spans[static_cast<size_t>(chunk.span)];
    table.update[static_cast<int>(span.rule)](steps_[static_cast<size_t>(span.group)].rule.bytes, scale_of(span),
                                              row_of(pass, chunk), chunk.size);
  });
}

/// accumulator ← gradient, or accumulator + gradient.
void Updater::accumulate(const Pass& pass) {
  const cpu::KernelTable& table = cpu::kernels();
  cpu::parallel_for_brief(static_cast<int64_t>(pass.chunks.size()), [&](int64_t i) {
    const Chunk& chunk = pass.chunks[static_cast<size_t>(i)];
    const Pointers& at = pass.pointers[static_cast<size_t>(chunk.span)];
    float* const to = at.accumulator + chunk.begin;
    if (head_.first)
      std::memcpy(to, at.gradient + chunk.begin, static_cast<size_t>(chunk.size) * sizeof(float));
    else
      table.add_to(at.gradient + chunk.begin, to, chunk.size);
  });
}

}  // namespace downhill
