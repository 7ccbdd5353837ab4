#include "plan/limited.h"

#include <algorithm>
#include <numeric>

#include "plan/passes/passes.h"
#include "plan/passes/recompute.h"

namespace downhill {

namespace {

constexpr double kFlopsPerByte = 10;  // that take as long as to move a byte

/// What computing again takes, in FLOPs.
double cost_of(const Plan& plan) {
  double cost = 0;
  const auto add = [&](const Step& step) {
    if (step.phase == Phase::again) cost += flops_of(plan, step) + kFlopsPerByte * bytes_of(plan, step);
  };
  for (const Step& step : plan.steps) {
    if (step.chain.empty()) add(step);
    for (const Step& part : step.chain) add(part);
  }
  return cost;
}

class Search {
 public:
  Search(const Graph& graph, const PlanOptions& options, size_t limit,
         const std::function<size_t(const Plan&)>& arena_of)
      : graph_(graph),
        options_(options),
        limit_(limit),
        arena_of_(arena_of),
        ir_(optimise(graph, options)),
        own_(regions_of(graph)),
        saved_(saved_bytes(ir_, own_.size())) {
    for (size_t unit = 0; unit < saved_.size(); ++unit)
      if (saved_[unit] > 0) units_.push_back(unit);
  }

  Limited run() {
    if (try_regions(own_)) return std::move(best_);
    const auto units = static_cast<int>(units_.size());
    for (int size = 1, last = 0; size <= units && units > 1; size = std::max(size + 1, size * 4 / 3)) {
      const int groups = (units + size - 1) / size;
      if (groups == last || groups < 2) continue;
      last = groups;
      try_groups(groups);
    }
    return std::move(best_);
  }

 private:
  /// As few of them as fit; with more, less is kept.
  void try_groups(int groups) {
    const std::vector<int> group_of = cut(groups);
    const auto first = [&](int count) {
      Regions regions = own_;
      for (size_t i = 0; i < units_.size(); ++i)
        if (group_of[i] < count)
          regions[units_[i]] = static_cast<int>(units_[static_cast<size_t>(start_[group_of[i]])]);
      return try_regions(regions);
    };
    int few = 0, enough = groups - 1;  // the last group's derivative comes right after it
    if (!first(enough) && !first(enough = groups)) return;
    while (enough - few > 1) {
      const int middle = (few + enough) / 2;
      (first(middle) ? enough : few) = middle;
    }
  }

  /// By unit of units_: its group, so that all have about as many bytes to keep.
  std::vector<int> cut(int groups) {
    double total = 0, before = 0;
    for (const size_t unit : units_) total += static_cast<double>(saved_[unit]);
    std::vector<int> group_of;
    start_.assign(static_cast<size_t>(groups), 0);
    for (size_t i = 0; i < units_.size(); ++i) {
      const auto bytes = static_cast<double>(saved_[units_[i]]);
      const int group = std::min(groups - 1, static_cast<int>((before + bytes / 2) / total * groups));
      if (group_of.empty() || group_of.back() != group) start_[static_cast<size_t>(group)] = static_cast<int>(i);
      group_of.push_back(group);
      before += bytes;
    }
    return group_of;
  }

  /// Whether a plan with these regions fits; the best so far is kept.
  bool try_regions(const Regions& regions) {
    Limited found;
    found.plan = plan_from(recompute(ir_, regions), graph_, options_);
    found.bytes = arena_of_(found.plan);
    found.fits = found.bytes <= limit_;
    const double cost = cost_of(found.plan);
    const bool fits = found.fits;
    const bool better = first_ || (fits != best_.fits ? fits : fits ? cost < cost_ : found.bytes < best_.bytes);
    if (better) {
      best_ = std::move(found);
      cost_ = cost;
      first_ = false;
    }
    return fits;
  }

  const Graph& graph_;
  const PlanOptions& options_;
  const size_t limit_;
  const std::function<size_t(const Plan&)>& arena_of_;
  const Ir ir_;
  const Regions own_;
  const std::vector<size_t> saved_;  // by unit
  std::vector<size_t> units_;        // that keep something for the backward pass, in the order of their calls
  std::vector<int> start_;           // by group: its first unit in units_
  bool first_ = true;
  Limited best_;
  double cost_ = 0;
};

}  // namespace

Limited plan_within(const Graph& graph, const PlanOptions& options, size_t limit,
                    const std::function<size_t(const Plan&)>& arena_of) {
  return Search(graph, options, limit, arena_of).run();
}

}  // namespace downhill
