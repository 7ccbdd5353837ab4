// Where the time of a step goes: the same step several times, each of its parts timed.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "data/dataset.h"
#include "optim/updater.h"

namespace downhill {

struct ProfileOptions {
  std::shared_ptr<Program> program;
  std::shared_ptr<Workspace> workspace;
  std::vector<Storage> inputs;          // by input; unused with data
  std::shared_ptr<const Dataset> data;  // column i feeds input i, a batch of `rows` rows after the other; null: inputs
  int64_t rows = 0;
  bool shuffled = false;
  std::shared_ptr<Updater> updater;  // of variables that nobody else uses; null: none
};

/// Seconds of one run.
struct ProfileRun {
  double gather = 0;
  std::vector<double> steps;  // by step of the plan
  double program = 0;         // all of them, with what is between them
  double update = 0;
  double total = 0;  // gather + program + update
};

/// Runs until max_runs or max_milliseconds are over, at least once, beginning with the batch and the step of number
/// `first`. State is not committed. Throws UNSUPPORTED where the program's device cannot tell, and what a run throws.
std::vector<ProfileRun> profile(const ProfileOptions& options, int64_t first, int64_t max_runs,
                                double max_milliseconds);

}  // namespace downhill
