// Which number of a step is which scalar of its graph programs (optim/update_programs.h).
#pragma once
#include <cstring>

#include "core/host_device.h"
#include "optim/update_plan.h"

namespace downhill::DH_ISA {

/// Scalar `index` of a group's rule, or with kHeadScalars keep, take and overwrite; steps: by group.
DH_HOST_DEVICE float scalar_of_step(const StepHead& head, const GroupStep* steps, int group, int index) {
  if (group == kHeadScalars)
    return index == 0 ? head.keep : index == 1 ? head.take : static_cast<float>(head.overwrite);
  float value = 0;
  memcpy(&value, steps[group].rule.bytes + sizeof(float) * static_cast<size_t>(index), sizeof value);
  return value;
}

}  // namespace downhill::DH_ISA
