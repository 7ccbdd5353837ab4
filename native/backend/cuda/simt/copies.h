// Asynchronous copies into shared memory. Each thread keeps a queue; until the wait for its group the target holds
// 0xff, so that a missing wait, or a missing barrier after it, gives wrong results.
#pragma once
#include "backend/cuda/simt/scheduler.h"

namespace downhill::cuda::simt {

/// bytes: 4, 8 or 16, of which the first valid_bytes come from `from` and the rest are zeros.
void async_copy(void* shared, const void* from, int bytes, int valid_bytes, Site site);
void async_commit();
/// All groups but the newest `pending` have arrived.
void async_wait(int pending);

}  // namespace downhill::cuda::simt
