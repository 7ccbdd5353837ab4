// Work that JavaScript's thread does itself, because handing it over would cost more.
#pragma once
#include "backend/device.h"
#include "plan/plan.h"
#include "training/snapshot.h"

namespace downhill {

/// About 100 µs, what a queue and two threads that wake up cost. While something trains, and so has the cores, they
/// wake up late: then four times that.
bool is_brief(const Work& work, Device& device, bool training = anything_trains());

}  // namespace downhill
