// A plan whose arena keeps to a limit: which layers are computed again for the backward pass follows from it.
#pragma once
#include <functional>

#include "plan/plan.h"

namespace downhill {

struct Limited {
  Plan plan;
  size_t bytes = 0;   // of its arena
  bool fits = false;  // false: it is the smallest plan that was found
};

/// The plan that computes least again of those whose arena, as `arena_of` tells, has at most `limit` bytes. The calls
/// of layers are cut into 2 to n groups with about as many bytes to keep each; the first ones of them, as many as it
/// takes, are computed again. What the graph asks for itself is, too.
Limited plan_within(const Graph& graph, const PlanOptions& options, size_t limit,
                    const std::function<size_t(const Plan&)>& arena_of);

}  // namespace downhill
