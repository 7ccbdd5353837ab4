// What changes from step to step lives in device memory, so that a captured step can be replayed without the host.
#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "data/convert.h"

namespace downhill::cuda {

enum class Stop : uint32_t {
  none = 0,
  index_out_of_range,  // command, value, position
  non_finite,          // value of the loss in `loss`
};

/// In device memory, one per program or training loop. Written by the host before a launch, read after it.
struct StepState {
  uint64_t counter = 0;      // Philox counter of dropout: the step's number since the optimizer's first
  int64_t index = 0;         // of the step in this launch: row of the logs
  int64_t position = 0;      // of the batch's first row in the epoch's order
  int64_t row = 0;           // of the update's table: `index`, but that steps of a skipped update are done again
  int64_t skipped = 0;       // updates of this launch
  uint32_t skip = 0;         // this step's update
  float gradient_scale = 1;  // of this step's update, where the loss scale is dynamic
  // Set once by the first failing command; from then on updates, state writes and `advance` do nothing.
  uint32_t stopped = 0;  // Stop
  int32_t command = 0;   // the failing command's `id`
  int32_t value = 0;
  float loss = 0;
  int64_t where = 0;  // position of the failing value
};

/// Rows of a column into a batch: to (rows, width) of dtype ← rows begin + order[position + i].
struct LoadBatchArgs {
  const void* column;     // (…, width) of element
  const uint32_t* order;  // of the epoch; null: in order
  void* to;
  int64_t begin, rows, width;
  Element element;
  DType dtype;
  const StepState* state;
};

constexpr int kMaxLogs = 32;  // of one command

/// Row state->index of log, from begin[0] on ← the elements of from[0], from[1], … one after the other.
struct LogArgs {
  const float* from[kMaxLogs];  // (begin[j + 1] - begin[j])
  int begin[kMaxLogs + 1];      // of from[j] in a row; then the end of the last
  int count;                    // of from
  int length;                   // of a row
  bool stop_non_finite;         // when *from[0] is not finite
  float* log;                   // (steps of a launch, length)
  StepState* state;
};

/// index += 1, counter += 1, position += rows, and to the next row of the update's table, unless stopped.
struct AdvanceArgs {
  int64_t rows;
  StepState* state;
  int64_t window = 1;  // steps that make an update
};

}  // namespace downhill::cuda
