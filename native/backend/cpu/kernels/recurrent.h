// The loops over time of recurrent layers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "ops/recurrent.h"

namespace downhill::cpu {

struct RecurrentArgs {
  Cell cell;
  int64_t n, steps, units;
  const float* x = nullptr;       // (n, steps, gates · units): forward
  const float* kernel = nullptr;  // (units, gates · units)
  const float* bias = nullptr;    // (gates · units): forward, cells that have one
  const float* h = nullptr;       // (n, units): the state before the first step; null: zeros
  const float* c = nullptr;       // (n, units): of lstm, likewise
  const float* mask = nullptr;    // (n, steps): 0 where a row keeps its states; null: nowhere
  const float* states = nullptr;  // (n, steps, states · units): backward
  const float* d = nullptr;       // (n, steps, width): backward
  int64_t width = 0;              // units, gradients of the hidden state alone, or states · units
  float* to = nullptr;            // forward: states; backward: gradients (n, steps [+ 1], gradients · units)
  bool initial = false;           // backward: a last step holds the gradients of h and c
  std::byte* scratch = nullptr;   // aligned to 64
};

struct RecurrentKernels {
  size_t (*scratch_bytes)(const RecurrentArgs& args, bool backward);
  void (*forward)(const RecurrentArgs& args);
  void (*backward)(const RecurrentArgs& args);
};

}  // namespace downhill::cpu
