// Gradients of which a step writes single rows: those of a table that the batch reads only in part.
#pragma once
#include "plan/plan.h"

namespace downhill {

/// Whether the step makes a gradient row by row where it lies, and it pays to list the rows: of a matrix that sparse
/// rows are multiplied with, or of a table that rows are gathered from.
bool writes_rows(const Plan& plan, const Step& step);

}  // namespace downhill
