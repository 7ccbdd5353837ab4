// From a plan to a program: which file compiles which op, and the run over all steps.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "backend/cpu/program.h"
#include "backend/device.h"
#include "backend/families.h"
#include "core/error.h"
#include "core/touched_rows.h"
#include "plan/row_gradients.h"

namespace downhill::cpu {

namespace {

std::unique_ptr<Launch> compile_step(const Build& build) {
  if (!build.step.chain.empty()) return compile_chain(build);
  switch (family_of(build.step.op)) {
    case Family::elementwise:
      return compile_elementwise(build);
    case Family::matmul:
      return compile_matmul(build);
    case Family::reduce:
      return compile_reduce(build);
    case Family::argmax:
      return compile_argmax(build);
    case Family::attention:
      return compile_attention(build);
    case Family::normalization:
      return compile_normalization(build);
    case Family::recurrent:
      return compile_recurrent(build);
    case Family::rows:
      return compile_rows(build);
    case Family::copy:
      return compile_copy(build);
    case Family::cast:
      return compile_cast(build);
    case Family::noise:
      return compile_noise(build);
    case Family::gather:
      return compile_gather(build);
    case Family::scatter_add:
      return compile_scatter_add(build);
    case Family::one_hot:
      return compile_one_hot(build);
    case Family::conv:
      return compile_conv(build);
    case Family::pool:
      return compile_pool(build);
    case Family::sparse:
      return compile_sparse(build);
  }
  throw Error(code::kInternal, "Not a family of ops.");
}

class CpuProgram final : public Program {
 public:
  CpuProgram(Plan plan, Precision precision)
      : Program(std::move(plan)),
        precision_(precision),
        products_(devices::cpu().products(precision)),
        at_(plan_.values.size()),
        written_(written_values(plan_)),
        by_rows_(plan_.values.size()),
        scratch_at_(aligned(plan_.arena_bytes)) {
    const KernelTable& table = products_ == Precision::bfloat16 ? *bfloat16_kernel_table() : kernels();
    size_t scratch = 0;
    for (const Step& step : plan_.steps) {
      launches_.push_back(compile_step({plan_, step, table}));
      if (writes_rows(plan_, step)) by_rows_[static_cast<size_t>(step.output)] = true;
      scratch = std::max(scratch, launches_.back()->scratch_bytes);
    }
    workspace_bytes_ = scratch_at_ + aligned(scratch);
  }

  Device& device() const override { return devices::cpu(); }
  Precision precision() const override { return precision_; }
  Precision products() const override { return products_; }
  size_t workspace_bytes() const override { return workspace_bytes_; }

  void run(const Bindings& bindings) override {
    const Run run = begin(bindings);
    for (const std::unique_ptr<Launch>& launch : launches_) launch->run(run);
    if (bindings.commit) commit();
  }

  void profile(const Bindings& bindings, double* seconds) override {
    using Clock = std::chrono::steady_clock;
    const auto between = [](Clock::time_point a, Clock::time_point b) { return std::chrono::duration<double>(b - a); };
    const Clock::time_point began = Clock::now();
    const Run run = begin(bindings);
    Clock::time_point before = Clock::now();
    for (size_t i = 0; i < launches_.size(); ++i) {
      launches_[i]->run(run);
      const Clock::time_point now = Clock::now();
      seconds[i] = between(before, now).count();
      before = now;
    }
    seconds[launches_.size()] = between(began, before).count();
  }

  void commit() override {
    for (const StateWrite& write : plan_.writes) {
      const Value& to = plan_.values[write.to];
      if (to.bytes() > 0) std::memmove(to.storage->data(), at_[write.from], to.bytes());
    }
  }

 private:
  Run begin(const Bindings& bindings) {
    std::byte* base = nullptr;
    if (workspace_bytes_ > 0)
      base = (bindings.workspace ? *bindings.workspace : own_workspace_).reserve(workspace_bytes_);
    bind(bindings, base);
    return {at_.data(), base ? base + scratch_at_ : nullptr, bindings.step, bindings.sparse_checked};
  }

  void bind(const Bindings& bindings, std::byte* base) {
    for (size_t i = 0; i < at_.size(); ++i) {
      const Value& value = plan_.values[i];
      switch (value.place) {
        case Place::arena:
          at_[i] = base + value.offset;
          break;
        case Place::input:
          at_[i] = const_cast<void*>(bindings.inputs[value.index]);
          break;  // steps only read it
        case Place::output:
          at_[i] = bindings.outputs[value.index];
          break;
        case Place::storage:
          if (bindings.rebase_from && value.storage->buffer.get() == bindings.rebase_from)
            at_[i] = const_cast<std::byte*>(bindings.rebase_to) + value.storage->offset;
          else if (written_[i]) {
            at_[i] = value.storage->data();
            if (value.storage->rows && !by_rows_[i]) value.storage->rows->forget();
          } else {
            at_[i] = const_cast<std::byte*>(value.storage->host());  // steps only read it
          }
          break;
      }
    }
  }

  const Precision precision_, products_;
  std::vector<std::unique_ptr<Launch>> launches_;
  std::vector<void*> at_;      // by value
  std::vector<bool> written_;  // by value
  std::vector<bool> by_rows_;  // by value: the step that writes it keeps its list of rows
  size_t scratch_at_;          // bytes: behind the arena
  size_t workspace_bytes_ = 0;
  Workspace own_workspace_;  // for callers that bring none
};

}  // namespace

std::unique_ptr<Program> compile(Plan plan, Precision precision) {
  return std::make_unique<CpuProgram>(std::move(plan), precision);
}

void IndexRule::check(const int32_t* indices) const {
  const int64_t position = table->movement.first_outside(indices, domain.count, domain.limit);
  if (position < domain.count) throw domain.error(indices[position], position);
}

}  // namespace downhill::cpu
