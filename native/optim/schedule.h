// Learning rates by update. A schedule is a small immutable tree: kind, numbers, children; evaluated in double.
#pragma once
#include <memory>
#include <string_view>
#include <vector>

namespace downhill {

class Schedule {
 public:
  using Child = std::shared_ptr<const Schedule>;

  /// Throws UNKNOWN_NAME for the kind, INVALID_ARGUMENT unless it has as many numbers and children as schedule.cpp
  /// says.
  static std::shared_ptr<Schedule> make(std::string_view kind, std::vector<double> numbers,
                                        std::vector<Child> children = {});

  /// The rate of an update, or of a step (UpdateOptions::schedule_by_step), counted from 0. Throws INTERNAL outside of
  /// a table.
  double at(double step) const;

  struct Row;  // of the table of kinds
  const std::vector<double>& numbers() const { return numbers_; }
  const Schedule& child(size_t i) const { return *children_[i]; }

 private:
  Schedule(const Row& row, std::vector<double> numbers, std::vector<Child> children);

  const Row& row_;
  const std::vector<double> numbers_;
  const std::vector<Child> children_;
};

}  // namespace downhill
