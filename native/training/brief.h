// Work that JavaScript's thread does itself, because handing it over would cost more.
#pragma once
#include "plan/plan.h"
#include "training/snapshot.h"

namespace downhill {

/// About 100 µs, what a queue and two threads that wake up cost. While something trains, and so has the cores, they
/// wake up late: then four times that.
inline bool is_brief(const Work& work, bool training = anything_trains()) {
  const double most = training ? 8e6 : 2e6;
  return work.flops <= most && work.bytes <= most;
}

}  // namespace downhill
