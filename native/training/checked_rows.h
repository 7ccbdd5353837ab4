// Sparse rows of a data set are checked when it is made: no step has to look at their indices again.
#pragma once
#include "data/dataset.h"
#include "plan/plan.h"

namespace downhill {

/// Whether all steps on sparse rows follow indices of the data set, in columns that it has.
bool sparse_checked(const Plan& plan, const Dataset& dataset);

}  // namespace downhill
