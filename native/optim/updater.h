// One update of all variables of a model from their gradients: accumulation, clipping, weight decay, the rule and the
// moving average, in one pass.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/storage.h"
#include "optim/rule.h"
#include "optim/schedule.h"
#include "optim/update_plan.h"
#include "optim/update_programs.h"

namespace downhill {

class Device;
class DeviceUpdate;
namespace cpu {
struct UpdateRow;
struct UpdateScale;
}  // namespace cpu

/// One variable with its gradient and slots, all float32 and of the same size. Where a program does the update, slot 0
/// takes the gradient to it, and the program has the rest: slots of any shape and the average.
struct UpdateSegment {
  Storage parameter, gradient;
  std::vector<Storage> slots;
  int group = 0;
  Storage accumulator = {}, average = {};  // where the options ask for them
  int64_t columns = 1;                     // units of adaptive clipping: element i is of unit i mod columns
};

/// A loss scale that follows the gradients (update_element.h): of a program whose loss is multiplied with `scale`.
struct DynamicLossScale {
  Storage scale;         // float32; without a buffer: there is none
  Storage finite_steps;  // int32: finite updates since it last changed
  int64_t growth_steps = 2000;
};

struct UpdateOptions {
  double global_clip_norm = 0;     // 0: none
  int64_t accumulation_steps = 1;  // gradients that make one update, by their mean
  bool schedule_by_step = false;   // schedules count steps (an update has the number of its last one), not updates
  bool average = false;            // keep a moving average of the parameters
  double ema_momentum = 0.99;
  int64_t ema_overwrite_frequency = 0;  // updates after which the parameters become their averages; 0: never
  bool skip_non_finite = false;         // an update with a gradient that is not finite changes nothing
  double loss_scale = 1;                // fixed: gradients are divided by it
  DynamicLossScale dynamic = {};        // skips as well
  std::vector<Rule> rules = {};         // by group, in place of one rule for all; empty: none
  UpdateGraphs graphs = {};             // run after the pass
};

class Updater {
 public:
  /// Throws INVALID_ARGUMENT when sizes, slot counts, groups or options do not fit.
  Updater(Rule rule, std::vector<UpdateSegment> segments, std::vector<Hyper> groups, UpdateOptions options = {});

  /// Compiles the programs for the CPU, so that no step does.
  void prepare();
  /// One step: plans, does and counts it. The caller holds the buffers of `written()` alone. Results do not depend on
  /// the number of threads. Allocates nothing.
  void apply();

  /// What `count` steps from step `first` on (counted from 0, without those of skipped updates) do, with the
  /// hyperparameters of now: a head each, and groups() rows each. Any thread. Throws INTERNAL when a table of rates
  /// ends before. The steps are not counted.
  void plan(int64_t first, int64_t count, StepHead* heads, GroupStep* groups) const;
  /// So many steps were done by somebody else, from plan(position(), …), and so many updates among them skipped.
  void count(int64_t steps, int64_t skipped = 0) {
    iterations_.fetch_add(steps, std::memory_order_relaxed);
    skipped_.fetch_add(skipped, std::memory_order_relaxed);
  }

  /// Distinct rules of the groups; the pass is made once for each of them.
  const std::vector<Rule>& rules() const { return distinct_rules_; }
  bool measures() const;  // whether one of them uses norms
  /// Whether a step of plan() makes an update, or only accumulates.
  bool applies(int64_t step) const { return head_of(step).apply != 0; }
  size_t groups() const { return groups_.size(); }
  bool skips() const { return options_.skip_non_finite || options_.dynamic.scale.buffer; }
  /// Units of the variables that may be clipped by units.
  int64_t units() const { return units_; }
  const UpdateOptions& options() const { return options_; }
  /// What plan() refers to: variables that lie side by side are one span, and each its own. Norms of single variables
  /// (clip_norm of a group) need the latter.
  const std::vector<UpdateSpan>& spans() const { return merged_.spans; }
  const std::vector<UpdateSpan>& variables() const { return by_variable_.spans; }

  /// Hyperparameters by the names of rule.h, at any time from any thread; the next plan() reads them.
  void set(int group, std::string_view name, double value);
  double get(int group, std::string_view name) const;
  /// The rate by update, or by step as the options say, counted from 0, in place of the hyperparameter; null: none.
  void set_schedule(int group, std::shared_ptr<const Schedule> schedule);

  /// Steps so far, also those that only accumulated, and those of skipped updates.
  int64_t iterations() const { return iterations_.load(std::memory_order_relaxed); }
  int64_t skipped() const { return skipped_.load(std::memory_order_relaxed); }  // updates
  /// The steps without those of skipped updates: the number of updates is this divided by accumulation_steps.
  int64_t position() const { return iterations() - skipped() * options_.accumulation_steps; }
  void set_iterations(int64_t iterations, int64_t skipped = 0);

  /// What updates on the device that was asked for last; for whoever holds the buffers of `written()`.
  std::shared_ptr<DeviceUpdate> device_update;
  const Device* device = nullptr;

  /// Distinct buffers that apply() writes (parameters, slots, accumulators, averages) and only reads (gradients).
  const std::vector<std::shared_ptr<Buffer>>& written() const { return written_; }
  const std::vector<std::shared_ptr<Buffer>>& read() const { return read_; }

 private:
  struct Group {
    Hyper hyper;
    std::shared_ptr<const Schedule> schedule;
  };
  struct Chunk {
    int span;
    int64_t begin, size;  // elements
  };
  struct Pointers {  // of a span, as of this step
    float* parameter;
    const float* gradient;
    float* slots[kMaxSlots];
    float *accumulator, *average;
  };
  struct Pass {
    std::vector<UpdateSpan> spans;
    std::vector<Chunk> chunks;
    std::vector<Pointers> pointers;  // by span
  };

  struct Tile {  // kUnitRows × kUnitColumns of a span, or what is left
    int span;
    int64_t row, column, rows, columns;
    int64_t at;  // of its sums
  };

  /// A variable whose gradient may be known to be 0 but for some rows, and whose rule leaves the others as they are.
  struct RowVariable {
    int variable;
    const TouchedRows* rows;
    RuleBytes rule = {};   // of its last update
    bool settled = false;  // that update left it so that one with a gradient of 0 would change nothing
    bool now = false;      // its rows are what the update in hand goes over
  };

  static Pass cut(std::vector<UpdateSpan> spans);
  void find_row_variables();
  bool choose_rows();
  int64_t rows_of_task(const RowVariable& at) const;
  void update_rows(const RowVariable& at, int64_t task);
  void update_by_rows();
  void settle();
  void cut_units();
  static void resolve(Pass& pass);
  void collect_buffers(const std::vector<UpdateSegment>& segments);
  StepHead head_of(int64_t step) const;
  GroupStep group_step(const Group& group, Rule rule, int64_t step_index) const;
  cpu::UpdateRow row_of(const Pass& pass, const Chunk& chunk) const;
  cpu::UpdateScale scale_of(const UpdateSpan& span) const;
  bool all_finite(const Pass& pass) const;
  void measure_norms();
  void measure_units();
  void measure_rule();
  void update(const Pass& pass);
  void accumulate(const Pass& pass);

  const UpdateOptions options_;
  std::vector<Rule> rules_, distinct_rules_;  // by group
  std::vector<std::shared_ptr<Buffer>> written_, read_;
  Pass by_variable_, merged_;

  mutable std::mutex mutex_;  // of groups_
  std::vector<Group> groups_;
  std::atomic<int64_t> iterations_{0}, skipped_{0};

  std::vector<RowVariable> row_variables_;
  std::vector<int64_t> first_task_;    // of each variable in an update by rows, and how many there are
  std::vector<uint64_t> versions_;     // that written_ has when nobody else has changed it since the last update
  std::atomic<bool> rows_rest_{true};  // what the update in hand has made of rows

  std::unique_ptr<UpdatePrograms> programs_;  // null: none, or not needed so far

  StepHead head_;                    // of the step in hand
  std::vector<GroupStep> steps_;     // of the step in hand, by group
  std::vector<float> partial_;       // sum of squares by chunk of by_variable_
  std::vector<double> norm_factor_;  // by variable

  int64_t units_ = 0;
  std::vector<Tile> tiles_;
  std::vector<double> unit_squares_[2];  // of gradients and parameters: by tile and column
  std::vector<float> unit_factor_;       // by unit
  std::vector<float> measured_;          // of rules with norms: squares of p and of what is measured, by chunk
  std::vector<float> trust_;             // by variable
};

}  // namespace downhill
