// Parts of variables, and what of a step every kernel of an update reads.
#pragma once
#include "backend/cuda/commands/update.h"
#include "backend/cuda/device/platform.cuh"

namespace downhill::cuda {

struct Piece {
  int64_t begin;
  int count;  // 0: nothing
};

/// Part `index` of a span cut into parts of that size.
__device__ inline Piece piece_of(const DeviceSpan& span, int64_t index, int64_t size) {
  const int64_t begin = index * size, left = span.size - begin;
  return {begin, static_cast<int>(left <= 0 ? 0 : left < size ? left : size)};
}

/// Whether this step updates anything.
__device__ inline bool updates(const UpdateTable& table) {
  return !table.state->stopped && !table.state->skip && table.heads[table.state->row].apply;
}

/// What every gradient is multiplied with, clipping aside.
__device__ inline float gradient_scale(const UpdateTable& table) {
  return table.scaled ? table.state->gradient_scale : table.heads[table.state->row].gradient_scale;
}

__device__ inline const GroupStep& group_of(const UpdateTable& table, const DeviceSpan& span) {
  return table.groups[table.state->row * table.group_count + span.group];
}

}  // namespace downhill::cuda
