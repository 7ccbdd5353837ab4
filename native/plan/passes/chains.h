// Runs of elementwise steps over one shape become one step, which makes one pass over its operands in blocks that stay
// in the first cache: what lies between two of its ops never reaches memory.
#pragma once
#include "plan/plan.h"

namespace downhill {

inline constexpr size_t kMaxChain = 60;      // steps of a chain: bounds the blocks that are alive at once
inline constexpr size_t kMaxReductions = 8;  // of a chain
inline constexpr int64_t kDraw = 4;          // elements that dropout and the like draw at a time

/// Groups steps whose values live somewhere already (plan.cpp), and puts them into an order in which everything is
/// there when it is read. A chain takes elementwise steps, casts and noise of one shape that read each other, and
/// reductions of its results along rows. What is read after the next product, softmax or the like starts a chain of its
/// own: a value kept for the backward pass is cheaper than two.
void fuse_chains(Plan& plan);

/// The plan with the steps of all chains and tails by themselves again, for devices that run step by step.
Plan without_chains(Plan plan);

/// Rows that a chain's reduction goes along, with n elements each; 0: the step is no such reduction.
int64_t reduced_row(const Plan& plan, const Step& step);

}  // namespace downhill
