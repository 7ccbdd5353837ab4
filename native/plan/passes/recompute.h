// Recomputation (gradient checkpointing): what a region of the forward pass makes is not kept for the backward pass,
// but computed again from what the region reads, just before its derivative. Chen et al. 2016, Training Deep Nets with
// Sublinear Memory Cost (arXiv:1604.06174).
#pragma once
#include <vector>

#include "plan/passes/passes.h"

namespace downhill {

/// By unit of the graph: the region that it is in; -1: none, its values are kept. Units of one region are computed
/// again together.
using Regions = std::vector<int>;

/// The regions that the graph asks for: a unit each.
Regions regions_of(const Graph& graph);

/// A graph in which backward nodes of a region read copies of its forward nodes, which stand before the first of them.
/// What others keep anyway (a value that another region's derivative reads, an output) is read itself. The copies have
/// the ops and attributes of the originals, so they have the same bits, dropout included; state writes stay with the
/// originals.
Ir recompute(const Ir& ir, const Regions& regions);

/// By unit: bytes of its forward values that backward nodes read.
std::vector<size_t> saved_bytes(const Ir& ir, size_t units);

}  // namespace downhill
