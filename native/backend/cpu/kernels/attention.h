// The loops of attention over blocks of queries and keys.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backend/attention_args.h"

namespace downhill::cpu {

struct AttentionArgs : AttentionCall {
  uint64_t step;       // of dropout
  std::byte* scratch;  // aligned to 64
};

struct AttentionKernels {
  size_t (*scratch_bytes)(const AttentionCall& call);
  void (*forward)(const AttentionArgs& args);
  void (*backward)(const AttentionArgs& args);
};

}  // namespace downhill::cpu
