#include "backend/reduce_passes.h"

#include <algorithm>

namespace downhill {

std::vector<ReducePass> reduce_passes(const Shape& shape, const std::vector<int64_t>& axes) {
  struct Group {
    int64_t size;
    bool reduced;
  };
  std::vector<Group> groups;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (shape[axis] == 1) continue;
    if (!groups.empty() && groups.back().reduced == reduced)
      groups.back().size *= shape[axis];
    else
      groups.push_back({shape[axis], reduced});
  }
  std::vector<ReducePass> passes;
  int64_t inner = 1;
  while (!groups.empty()) {
    const Group last = groups.back();
    groups.pop_back();
    if (!last.reduced) {
      inner *= last.size;
      continue;
    }
    ReducePass pass{1, last.size, inner};
    for (const Group& group : groups) pass.outer *= group.size;
    passes.push_back(pass);
  }
  if (passes.empty()) passes.push_back({shape.size(), 1, 1});
  return passes;
}

}  // namespace downhill
