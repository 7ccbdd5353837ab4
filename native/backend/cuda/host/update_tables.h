// An updater's variables as the tables that the update commands read.
#pragma once
#include <vector>

#include "backend/cuda/commands/update.h"

namespace downhill::cuda {

struct UpdateTables {
  std::vector<DeviceSpan> spans;
  std::vector<UpdateChunk> chunks;
  std::vector<UnitTile> tiles;
  int64_t unit_sums = 0;  // that the tiles write
};

/// Of variables that are each their own span. Their contents move to `where`; addresses hold until they move again. The
/// caller holds the locks of the buffers.
UpdateTables update_tables(const std::vector<UpdateSpan>& variables, DeviceMemory* where);

}  // namespace downhill::cuda
