// Elementwise steps that follow a matrix product or a normalization of rows run on its finished blocks, while these are
// in the cache: a dropout, an addition of something else (a residual), the gradient of an activation behind a dropout.
#pragma once
#include "plan/plan.h"

namespace downhill {

inline constexpr size_t kMaxTail = 4;

/// Gives these steps their Step::tail. One step of it reads the result of the one before, and besides that only
/// scalars, and arrays of as many elements that are there before the product. A result that something else reads, too,
/// is written by itself, which only a dropout is worth: it is kept for the backward pass.
void fuse_tails(Plan& plan);

/// The plan with the steps of all tails by themselves again.
void split_tails(Plan& plan);

}  // namespace downhill
