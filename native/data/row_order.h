// The rows that an epoch visits, in their order.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

namespace downhill {

/// As they stand; in an order of the epoch's own; drawn with replacement.
enum class Order { stored, shuffled, drawn };

/// Which of a session's rows are visited. Rows count from the first one of its data.
struct RowSet {
  std::vector<uint32_t> rows;    // these, in place of all
  std::vector<uint32_t> groups;  // by entry of `rows` (or by row): numbers from 0 on. Rows of a group stay together
  int64_t draws = 0;             // rows of an epoch of Order::drawn; 0: as many as there are
};

class RowOrder {
 public:
  RowOrder() = default;
  /// For `count` rows. Throws OUT_OF_RANGE for a row or group that is not there, SHAPE_MISMATCH unless each row has
  /// one.
  RowOrder(RowSet set, int64_t count);

  /// Rows of an epoch.
  int64_t length(Order order) const;
  /// Whether the rows are visited as they stand: no list is needed.
  bool plain(Order order) const { return order == Order::stored && rows_.empty(); }
  /// Makes the order of a draw, counted from 0; false when it is the one that is there. Allocates when the length
  /// grows.
  bool arrange(Order order, uint64_t seed, uint64_t draw);
  /// What arrange() made.
  const std::vector<uint32_t>& order() const { return order_; }

 private:
  struct Made {
    Order order;
    uint64_t seed, draw;
    bool operator==(const Made& o) const { return order == o.order && seed == o.seed && draw == o.draw; }
  };

  void group(const std::vector<uint32_t>& groups);
  void permute_groups(uint64_t seed, uint64_t draw);

  int64_t count_ = 0, draws_ = 0;
  std::vector<uint32_t> rows_;                  // empty: all
  std::vector<uint32_t> group_begin_, member_;  // by group, where its members begin; their places among the rows
  std::vector<uint32_t> group_order_;
  std::vector<uint32_t> order_;
  std::optional<Made> made_;
};

}  // namespace downhill
