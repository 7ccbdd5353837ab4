// Where a loop's batches come from: the data set on the device when there is room for it, else batches that the host
// gathers for the next launch while the device computes this one.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "backend/cuda/host/device.h"

namespace downhill::cuda {

class Feed {
 public:
  Feed(CudaDevice& device, const StepLoopOptions& options);

  /// Steps that one launch can take.
  int max_steps() const { return max_steps_; }
  /// Puts the rows of a launch where `column` says.
  void load(const StepLoop::Launch& launch, int steps, CudaStream& stream);
  /// While the device computes: the rows of the launch that will likely follow.
  void load_ahead(int64_t position, int steps);

  // ---- for the commands of a step; they hold until the next load ----
  /// Which of the two sets of addresses is in use: a graph is captured for each.
  int side() const { return side_; }
  const void* column(size_t i) const;
  Element element(size_t i) const;
  const uint32_t* order() const;  // null: the rows stand in their order
  bool resident() const { return resident_; }
  int64_t begin() const { return resident_ ? options_.begin : 0; }
  /// StepState::position at the start of a launch.
  int64_t position(const StepLoop::Launch& launch) const { return resident_ ? launch.position : 0; }

 private:
  struct Side {  // batches of one launch, column after column
    std::unique_ptr<PinnedMemory> host;
    std::unique_ptr<Buffer> device;
    int64_t position = -1;  // of the launch; -1: nothing
    int steps = 0;
  };

  size_t batch_bytes(size_t i) const;
  void gather_rows(Side& side, int64_t position, int steps, CudaStream& stream);

  CudaDevice& device_;
  DeviceMemory* const memory_;
  const StepLoopOptions options_;
  bool resident_ = true;
  int max_steps_;
  std::vector<size_t> offset_;  // by column, bytes in a side
  Side sides_[2];
  int side_ = 0;
  std::unique_ptr<CudaStream> ahead_;
};

}  // namespace downhill::cuda
