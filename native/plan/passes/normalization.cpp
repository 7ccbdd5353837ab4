#include "plan/passes/normalization.h"

#include <algorithm>
#include <climits>
#include <map>
#include <tuple>

#include "graph/normalization.h"
#include "plan/passes/column_sums.h"

namespace downhill {

namespace {

/// What all of them have in common: the roots of x and d, elements of a row, which normalization.
using Key = std::tuple<NodeId, NodeId, int64_t, bool, double>;

Key key_of(const Ir& ir, const Node& node) {
  return {root_of(ir, node.inputs[0]), root_of(ir, node.inputs[1]), columns_of(ir, node.inputs[0]),
          is_rms_normalization(node.op), node.attrs.number("epsilon")};
}

NodeId earliest(const NormalizationGradients& joined) {
  NodeId first = INT_MAX;
  for (NodeId id : {joined.x, joined.scale, joined.sums})
    if (id >= 0) first = std::min(first, id);
  return first;
}

bool all_there(const Ir& ir, const NormalizationGradients& joined) {
  const std::vector<NodeId>& read = ir.nodes[joined.main()].inputs;
  return std::all_of(read.begin(), read.end(), [&](NodeId id) { return root_of(ir, id) < earliest(joined); });
}

}  // namespace

std::unordered_map<NodeId, NormalizationGradients> join_normalization_gradients(const Ir& ir) {
  const auto size = static_cast<NodeId>(ir.nodes.size());
  std::map<Key, NormalizationGradients> found;
  for (NodeId id = 0; id < size; ++id) {
    const Node& node = ir.nodes[id];
    if (node.shape.size() == 0) continue;
    if (is_normalization_gradient(node.op)) {
      NodeId& x = found[key_of(ir, node)].x;
      if (x < 0) x = id;
    } else if (is_scale_gradient(node.op)) {
      NodeId& scale = found[key_of(ir, node)].scale;
      if (scale < 0) scale = id;
    }
  }
  std::multimap<NodeId, NodeId> sums;  // by the root of d
  for (NodeId id = 0; id < size && !found.empty(); ++id)
    if (sums_columns(ir, ir.nodes[id])) sums.emplace(root_of(ir, ir.nodes[id].inputs[0]), id);

  std::unordered_map<NodeId, NormalizationGradients> result;
  for (auto& [key, joined] : found) {
    const auto [begin, end] = sums.equal_range(std::get<1>(key));
    const int64_t n = std::get<2>(key);
    const auto own =
        std::find_if(begin, end, [&](const auto& sum) { return columns_of(ir, ir.nodes[sum.second].inputs[0]) == n; });
    if (own != end) joined.sums = own->second;
    const int members = (joined.x >= 0) + (joined.scale >= 0) + (joined.sums >= 0);
    if (members < 2 || !all_there(ir, joined)) continue;
    if (own != end) sums.erase(own);
    result.emplace(earliest(joined), joined);
  }
  return result;
}

}  // namespace downhill
