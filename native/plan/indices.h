// Which values the indices of a step may have, for the check that every backend makes before it follows them.
#pragma once
#include <cstdint>
#include <string>

#include "core/error.h"
#include "plan/plan.h"

namespace downhill {

/// `count` indices in [0, limit); of sparse rows, they ascend within each row.
struct IndexDomain {
  const char* code;  // of the error
  const char* what;  // "label", "index"
  std::string who;   // op and layer
  int64_t count, limit;
  int64_t rows =
      -1;  // of sparse rows: positions from `count` on are those of indptr (rows + 1), which ascends in [0, count]

  /// What a step reports whose index number `position` is `value`.
  Error error(int32_t value, int64_t position) const;
};

/// Of a step that follows indices (gather, scatterAdd, oneHot, sparse rows, the sparse cross-entropies); others have no
/// indices.
IndexDomain index_domain(const Plan& plan, const Step& step);

bool is_sparse(Op op);

/// Whether a step before this one, with the same sparse rows, checks them.
bool checked_before(const Plan& plan, const Step& step);

}  // namespace downhill
