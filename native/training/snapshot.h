// Copies of variables for readers while training changes them, so that a prediction sees one finished step and training
// goes on.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/storage.h"

namespace downhill {

/// A whole buffer as of one version.
struct Snapshot {
  Snapshot(const std::shared_ptr<Buffer>& source, DeviceMemory* where) : source(source), copy(source->bytes(), where) {}
  const std::shared_ptr<Buffer> source;
  uint64_t version = 0;
  Buffer copy;                  // where the source is
  std::atomic<int> readers{0};  // the memory may be taken over while there are none
};

/// Marks buffers as being trained for as long as it lives.
class TrainingMark {
 public:
  explicit TrainingMark(std::vector<std::shared_ptr<Buffer>> buffers);
  ~TrainingMark();
  TrainingMark(const TrainingMark&) = delete;
  TrainingMark& operator=(const TrainingMark&) = delete;

 private:
  const std::vector<std::shared_ptr<Buffer>> buffers_;
};

bool is_training(const Buffer& buffer);
bool anything_trains();

/// A copy of the buffer's present contents, made under its shared lock, or the last copy when no write has come since.
/// Null when nothing trains it.
std::shared_ptr<const Snapshot> snapshot_if_training(const std::shared_ptr<Buffer>& buffer);

/// The same for the one buffer among these that is being trained. Null when none is, or several: snapshots of two
/// buffers could be of two steps, so such readers lock them.
std::shared_ptr<const Snapshot> snapshot_if_training(const std::vector<std::shared_ptr<Buffer>>& buffers);

}  // namespace downhill
