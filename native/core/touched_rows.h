// Which rows of a gradient its last step wrote.
#pragma once
#include <cstdint>
#include <vector>

namespace downhill {

/// Of a gradient (rows, width) that steps may write by rows; belongs to its storage. Whoever writes the storage in
/// another way forgets the rows.
struct TouchedRows {
  bool known = false;            // all rows but those that are listed hold 0
  int64_t width = 0, count = 0;  // elements of a row; rows that are listed
  std::vector<int32_t> rows;     // ascending; the first `count`
  std::vector<uint64_t> marks;   // a bit for each row; 0 between steps
  bool updated = false;          // the optimizer updates these rows alone; for describe()

  void forget() { known = false; }
};

}  // namespace downhill
