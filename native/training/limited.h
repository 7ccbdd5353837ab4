// Programs of training steps under a limit of memory.
#pragma once
#include <memory>

#include "backend/device.h"

namespace downhill {

/// Bytes of the buffers that a session on the program's device gathers shuffled batches in.
size_t batch_bytes(const Program& program);

/// As device.compile(make_plan(…)); where a step takes more than `limit` bytes, `other` of which lie outside of its
/// workspace and batches, layers are computed again for the backward pass (plan/limited.h). Throws MEMORY_LIMIT with
/// the least bytes where that is not enough.
std::unique_ptr<Program> compile_within(Device& device, const Graph& graph, const PlanOptions& options,
                                        Precision precision, size_t limit, size_t other);

}  // namespace downhill
