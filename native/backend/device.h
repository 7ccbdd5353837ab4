// A device: memory, programs, and loops of training steps. There is one object per device and process, made when it is
// first asked for and never destroyed.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/device_memory.h"
#include "core/error.h"
#include "data/dataset.h"
#include "optim/updater.h"

namespace downhill {

struct StepLoopOptions;

/// Several steps of a session in one go, for devices where the host should not take part in every step.
class StepLoop {
 public:
  /// What a launch goes over: batches of the program's size from `position` of the epoch on.
  struct Launch {
    int64_t position = 0;  // rows of this epoch before it
    int steps = 1;
    uint64_t counter = 0;  // Philox counter of the first step, if there is no updater
    /// Reads variables of this buffer from a copy of it instead, as in Bindings.
    const Buffer* rebase_from = nullptr;
    const std::byte* rebase_to = nullptr;
  };
  /// `steps` of them ended, all of those asked for unless the next one failed; that one updated nothing.
  struct Outcome {
    int steps = 0;
    /// (steps + 1 if the loss of the next one was not finite, elements of all logs); until the next launch
    const float* logs = nullptr;
    bool non_finite = false;
    std::optional<Error> error;  // values broke an op's rule: LABEL_OUT_OF_RANGE and the like
  };
  virtual ~StepLoop() = default;
  /// The caller holds the program, its workspace and the locks of all buffers. Throws what is the device's own trouble.
  virtual Outcome run(const Launch& launch) = 0;
  virtual int max_steps() const = 0;  // of one launch
  virtual const StepLoopOptions& options() const = 0;
};

struct StepLoopOptions {
  Program* program = nullptr;
  Workspace* workspace = nullptr;
  Updater* updater = nullptr;  // null: evaluation
  const Dataset* dataset = nullptr;
  int64_t begin = 0, rows = 0;  // of the data set that the epoch goes over
  int64_t batch = 0;            // rows of a step
  std::vector<int64_t> logs;    // elements of the first outputs, which are float32
  bool stop_non_finite = true;
  const Buffer* order = nullptr;  // uint32: rows of the epoch in its order; null: as they stand

  /// Whether the program reads column i.
  bool reads(size_t i) const { return i < program->plan().inputs.size() && program->plan().inputs[i] >= 0; }
  /// Elements of column i in a batch; 0 where nothing reads it.
  int64_t elements(size_t i) const {
    if (!reads(i)) return 0;
    const Plan& plan = program->plan();
    return dataset->columns()[i].elements(batch, plan.values[static_cast<size_t>(plan.inputs[i])].shape.size());
  }

  bool operator==(const StepLoopOptions& o) const {
    return program == o.program && workspace == o.workspace && updater == o.updater && dataset == o.dataset &&
           begin == o.begin && rows == o.rows && batch == o.batch && logs == o.logs &&
           stop_non_finite == o.stop_non_finite && order == o.order;
  }
};

/// Updates of one updater's variables on a device.
class DeviceUpdate {
 public:
  virtual ~DeviceUpdate() = default;
  /// As Updater::apply().
  virtual void apply() = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& id() const = 0;  // "cpu", "cuda:0", "simt"
  /// Where its tensors live; null: the host's memory.
  virtual DeviceMemory* memory() = 0;
  virtual std::unique_ptr<Program> compile(Plan plan, Precision precision) = 0;
  /// Bytes of the arena of the program that compile() makes of this plan.
  virtual size_t arena_of(const Plan& plan) const { return plan.arena_bytes; }
  /// What a precision comes to here: itself, or float32 where nothing else is there or known to be faster.
  virtual Precision products(Precision precision) const = 0;
  /// Null where steps are run one by one by the host (the CPU).
  virtual std::unique_ptr<StepLoop> loop(const StepLoopOptions& options) = 0;
  /// Null where Updater::apply() does it (the CPU). The updater outlives it.
  virtual std::unique_ptr<DeviceUpdate> update(Updater& updater) = 0;
};

/// What devices() lists.
struct DeviceDescription {
  std::string id;
  bool available = false;
  std::string reason;  // why not
  std::string name, driver, compute_capability;
  uint64_t memory_bytes = 0, free_bytes = 0;
};

namespace devices {

Device& cpu();
/// "cpu", "simt", "cuda", "cuda:1". Throws DEVICE_UNAVAILABLE with the reason and what to do, or UNKNOWN_NAME.
Device& get(const std::string& id);
/// All kinds, those that are not available with their reason. Opens the libraries.
std::vector<DeviceDescription> list();

}  // namespace devices

}  // namespace downhill
