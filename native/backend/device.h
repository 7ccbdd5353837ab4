// A device: memory, programs, and loops of training steps. There is one object per device and process, made when it is
// first asked for and never destroyed.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "core/device_memory.h"
#include "data/dataset.h"
#include "optim/updater.h"

namespace downhill {

/// How matrix products are computed; weights, sums and updates are always float32.
enum class Precision : uint8_t {
  float32,   // exact float32 operands
  tf32,      // operands rounded to TensorFloat-32 on devices that have it, else float32
  bfloat16,  // operands rounded to bfloat16
};

/// Several steps of a session in one go, for devices where the host should not take part in every step.
class StepLoop {
 public:
  /// What a launch goes over: batches of the program's size from `position` of the epoch on.
  struct Launch {
    int64_t position = 0;  // rows of this epoch before it
    int steps = 1;
    uint64_t counter = 0;  // Philox counter of the first step
  };
  /// What came of it: `steps` of them ended (all of those asked for unless a step failed), with their logs.
  struct Outcome {
    int steps = 0;
    const float* logs = nullptr;  // (steps [+ 1 when the loss was not finite], logs); valid until the next launch
    bool non_finite = false;      // the step after them had a loss that is not finite, and updated nothing
  };
  virtual ~StepLoop() = default;
  /// The caller holds the program, its workspace and the locks of all buffers. Throws LABEL_OUT_OF_RANGE and the like
  /// when values break an op's rule: `completed` then says how many steps had ended.
  virtual Outcome run(const Launch& launch, int& completed) = 0;
  virtual int max_steps() const = 0;  // of one launch
};

struct StepLoopOptions {
  Program* program = nullptr;
  Workspace* workspace = nullptr;
  Updater* updater = nullptr;  // null: evaluation
  const Dataset* dataset = nullptr;
  int64_t begin = 0, rows = 0;  // of the data set that the epoch goes over
  int64_t batch = 0;            // rows of a step
  int logs = 0;
  bool stop_non_finite = true;
  std::shared_ptr<Buffer> order;  // uint32 positions in this epoch's order; null: in order
};

class Device {
 public:
  virtual ~Device() = default;
  virtual const std::string& id() const = 0;  // "cpu", "cuda:0", "simt"
  /// Where its tensors live; null: the host's memory.
  virtual DeviceMemory* memory() = 0;
  virtual std::unique_ptr<Program> compile(Plan plan, Precision precision) = 0;
  /// Null where steps are run one by one by the host (the CPU).
  virtual std::unique_ptr<StepLoop> loop(const StepLoopOptions& options) = 0;
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
