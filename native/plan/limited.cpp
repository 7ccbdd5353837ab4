#include "plan/limited.h"

#include <algorithm>

namespace downhill {

namespace {

constexpr double kFlopsPerByte = 10;  // that take as long as to move a byte
constexpr int kMany = 200;            // calls from which fewer sizes of groups are tried: each takes several plans

/// What computing again takes, in FLOPs.
double cost_of(const Plan& plan) {
  double cost = 0;
  const auto add = [&](const Step& step) {
    if (step.phase == Phase::again) cost += flops_of(plan, step) + kFlopsPerByte * bytes_of(plan, step);
    return step.phase == Phase::again;
  };
  for (const Step& step : plan.steps) {
    for (const Step& part : step.chain) add(part);
    if (step.chain.empty() && add(step)) continue;  // with its tail
    for (const Step& part : step.tail) add(part);
  }
  return cost;
}

class Search {
 public:
  /// plan_of(regions): with those computed again.
  using PlanOf = std::function<Plan(const Regions&)>;

  Search(const Regions& own, const std::vector<size_t>& saved, const std::vector<size_t>& units, size_t limit,
         const LimitedPlans::ArenaOf& arena_of, const PlanOf& plan_of)
      : own_(own), saved_(saved), units_(units), limit_(limit), arena_of_(arena_of), plan_of_(plan_of) {}

  std::optional<Limited> run() {
    const auto units = static_cast<int>(units_.size());
    const auto next = [&](int size) { return units > kMany ? 2 * size : std::max(size + 1, size * 4 / 3); };
    for (int size = 1, last = 0; size <= units && units > 1; size = next(size)) {
      const int groups = (units + size - 1) / size;
      if (groups == last || groups < 2) continue;
      last = groups;
      try_groups(groups);
    }
    return std::move(best_);
  }

 private:
  struct Tried {
    bool fits;
    double cost;
  };

  /// As few of them as fit; with more, less is kept and more computed again.
  void try_groups(int groups) {
    const std::vector<int> group_of = cut(groups);
    const auto first = [&](int count) {
      Regions regions = own_;
      for (size_t i = 0; i < units_.size(); ++i)
        if (group_of[i] < count)
          regions[units_[i]] = static_cast<int>(units_[static_cast<size_t>(start_[static_cast<size_t>(group_of[i])])]);
      return try_regions(regions);
    };
    int few = 0, enough = groups - 1;  // the last group's derivative comes right after it
    if (!first(enough).fits && !first(enough = groups).fits) return;
    while (enough - few > 1) {
      const int middle = (few + enough) / 2;
      const Tried tried = first(middle);
      if (!tried.fits && tried.cost >= cost_) return;  // and so have all that are left
      (tried.fits ? enough : few) = middle;
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

  /// The best plan so far is kept.
  Tried try_regions(const Regions& regions) {
    Limited found;
    found.plan = plan_of_(regions);
    found.bytes = arena_of_(found.plan);
    found.fits = found.bytes <= limit_;
    const Tried tried{found.fits, cost_of(found.plan)};
    const bool better = !best_ || (tried.fits != best_->fits ? tried.fits
                                   : tried.fits              ? tried.cost < cost_
                                                             : found.bytes < best_->bytes);
    if (better) {
      best_ = std::move(found);
      cost_ = tried.cost;
    }
    return tried;
  }

  const Regions& own_;
  const std::vector<size_t>& saved_;
  const std::vector<size_t>& units_;
  const size_t limit_;
  const LimitedPlans::ArenaOf& arena_of_;
  const PlanOf& plan_of_;
  std::vector<int> start_;  // by group: its first unit in units_
  std::optional<Limited> best_;
  double cost_ = 0;  // of the best
};

}  // namespace

LimitedPlans::LimitedPlans(const Graph& graph, const PlanOptions& options)
    : graph_(graph),
      options_(options),
      ir_(optimise(graph, options)),
      own_(regions_of(graph)),
      saved_(saved_bytes(ir_, own_.size())) {
  for (size_t unit = 0; unit < saved_.size(); ++unit)
    if (saved_[unit] > 0) units_.push_back(unit);
}

Plan LimitedPlans::own() const { return plan_from(recompute(ir_, own_), graph_, options_); }

std::optional<Limited> LimitedPlans::within(size_t limit, const ArenaOf& arena_of) const {
  const Search::PlanOf plan_of = [&](const Regions& regions) {
    return plan_from(recompute(ir_, regions), graph_, options_);
  };
  return Search(own_, saved_, units_, limit, arena_of, plan_of).run();
}

}  // namespace downhill
