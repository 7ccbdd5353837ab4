// Epilogue fusion: matmul or conv2d → + bias → activation, or an activation's gradient, become one step, where nothing
// else reads what lies between.
#pragma once
#include <unordered_map>
#include <vector>

#include "plan/passes/passes.h"

namespace downhill {

struct FusedMatmul {
  Op op = Op::matmul;          // or conv2d
  std::vector<NodeId> inputs;  // a, b [, bias] [, what the gradient reads]
  Attrs attrs;                 // of the product
  Epilogue epilogue;
};

struct Fusion {
  std::vector<char> absorbed;                     // by node: computed inside a later step
  std::unordered_map<NodeId, FusedMatmul> steps;  // by the last node of each chain
};

Fusion fuse_epilogues(const Ir& ir);

}  // namespace downhill
