// A plan whose arena keeps to a limit: which layers are computed again for the backward pass follows from it.
#pragma once
#include <functional>
#include <optional>

#include "plan/passes/passes.h"
#include "plan/passes/recompute.h"
#include "plan/plan.h"

namespace downhill {

struct Limited {
  Plan plan;
  size_t bytes = 0;   // of its arena
  bool fits = false;  // false: it is the smallest plan that was found
};

/// The plans of one graph, which is rewritten once.
class LimitedPlans {
 public:
  using ArenaOf = std::function<size_t(const Plan&)>;

  LimitedPlans(const Graph& graph, const PlanOptions& options);

  /// In which only what the graph asks for is computed again: make_plan(graph, options).
  Plan own() const;
  /// The one that computes least again of those whose arena, as `arena_of` tells, has at most `limit` bytes; own() is
  /// not among them. The calls of layers are cut into 2 to n groups with about as many bytes to keep each; the first
  /// ones of them, as many as it takes, are computed again. What the graph asks for itself is, too. Nothing where there
  /// are no two calls that keep something.
  std::optional<Limited> within(size_t limit, const ArenaOf& arena_of) const;

 private:
  const Graph& graph_;
  const PlanOptions& options_;
  const Ir ir_;
  const Regions own_;
  const std::vector<size_t> saved_;  // by unit
  std::vector<size_t> units_;        // that keep something for the backward pass, in the order of their calls
};

}  // namespace downhill
