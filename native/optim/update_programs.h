// Graph programs that follow the elementwise pass of an update: rules that need whole matrices or sums (Adafactor,
// Muon), and constraints. They read and write parameters and slots as variables of their graphs, and the numbers of the
// step as scalars that are filled in before.
#pragma once
#include <memory>
#include <vector>

#include "core/storage.h"
#include "optim/update_plan.h"
#include "plan/plan.h"

namespace downhill {

class Program;
class Workspace;

/// Where scalars of the step lie, float32 each, one every kAlignment bytes: those of a group's rule (rule.h), or with
/// kHeadScalars keep, take and overwrite of the moving average.
struct UpdateScalars {
  int group = 0;
  std::vector<Storage> at;
};

struct UpdateGraphs {
  std::vector<Plan> plans;  // run in this order
  std::vector<UpdateScalars> scalars;
};

/// Throws UNSUPPORTED, OUT_OF_RANGE or INTERNAL for what no update can run.
void check_graphs(const UpdateGraphs& graphs, const std::vector<Rule>& rules);

/// The programs of one updater on the CPU.
class UpdatePrograms {
 public:
  explicit UpdatePrograms(const UpdateGraphs& graphs);
  ~UpdatePrograms();
  /// The caller holds all buffers. Allocates nothing after the first time.
  void run(const StepHead& head, const GroupStep* steps);

 private:
  const UpdateGraphs& graphs_;
  std::vector<std::unique_ptr<Program>> programs_;
  std::unique_ptr<Workspace> workspace_;
};

}  // namespace downhill
