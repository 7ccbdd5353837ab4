// Positions in strided arrays with 32-bit arithmetic. A nest that is too large for it is cut into pieces on the host,
// so that kernels know only positions and offsets below 2^31.
#pragma once
#include "backend/cuda/device/platform.cuh"
#include "backend/layout.h"

namespace downhill::cuda {

#if !defined(DH_NARROW)  // a test makes it small
#define DH_NARROW (int64_t{1} << 31)
#endif
constexpr int64_t kNarrow = DH_NARROW;

/// Division of x < 2^31 by a divisor in [1, 2^31) with a multiplication (Granlund & Montgomery 1994, section 4).
class FastDivide {
 public:
  FastDivide() = default;
  explicit FastDivide(uint32_t divisor) : divisor_(divisor) {
    while ((uint64_t{1} << shift_) < divisor) ++shift_;
    const uint64_t power = uint64_t{1} << shift_;
    factor_ = static_cast<uint32_t>(((power - divisor) << 32) / divisor + 1);
  }
  DH_HOST_DEVICE uint32_t operator()(uint32_t x) const {
    return (static_cast<uint32_t>((uint64_t{x} * factor_) >> 32) + x) >> shift_;
  }
  DH_HOST_DEVICE uint32_t divisor() const { return divisor_; }

 private:
  uint32_t divisor_ = 1, factor_ = 1, shift_ = 0;
};

/// A nest with dimensions that one multiplication divides by; strides of operand k in stride[k].
template <int kOperands>
struct Offsets {
  int rank = 0;
  FastDivide dims[kMaxRank];
  uint32_t stride[kOperands][kMaxRank] = {};

  Offsets() = default;
  /// Operands first … first + kOperands - 1 of the nest, its innermost `skip` dimensions left out.
  explicit Offsets(const Nest& nest, int first = 0, int skip = 0) : rank(nest.rank - skip) {
    for (int i = 0; i < rank; ++i) {
      dims[i] = FastDivide(static_cast<uint32_t>(nest.dims[i]));
      for (int k = 0; k < kOperands; ++k) stride[k][i] = static_cast<uint32_t>(nest.stride[first + k][i]);
    }
  }

  /// Where element `position` of the nest lies in each operand.
  __device__ void at(uint32_t position, uint32_t (&offset)[kOperands]) const {
    for (int k = 0; k < kOperands; ++k) offset[k] = 0;
    DH_NO_UNROLL
    for (int i = rank - 1; i >= 0; --i) {
      const uint32_t outer = dims[i](position), index = position - outer * dims[i].divisor();
      for (int k = 0; k < kOperands; ++k) offset[k] += index * stride[k][i];
      position = outer;
    }
  }
};

/// Offsets, in elements, of the operands of one piece of a nest.
struct PieceOffsets {
  int64_t of[kMaxOperands] = {};
};

inline bool is_narrow(const Nest& nest, int64_t limit) {
  if (nest.size() > limit) return false;
  for (int k = 0; k < nest.operands; ++k) {
    int64_t last = 0;
    for (int i = 0; i < nest.rank; ++i) last += (nest.dims[i] - 1) * nest.stride[k][i];
    if (last >= limit) return false;
  }
  return true;
}

/// Calls visit(piece, offsets) for pieces that are narrow, in order; not at all for an empty nest.
template <typename Visit>
void for_narrow(const Nest& nest, Visit&& visit, int64_t limit = kNarrow, const PieceOffsets& offsets = {}) {
  if (nest.size() == 0) return;
  int axis = 0;
  while (axis < nest.rank && nest.dims[axis] == 1) ++axis;
  if (axis == nest.rank || is_narrow(nest, limit)) return visit(nest, offsets);
  Nest head = nest, tail = nest;
  const int64_t half = nest.dims[axis] / 2, begin = half > 4 ? half / 4 * 4 : half;  // pieces stay aligned
  head.dims[axis] = begin;
  tail.dims[axis] -= begin;
  PieceOffsets rest = offsets;
  for (int k = 0; k < nest.operands; ++k) rest.of[k] += begin * nest.stride[k][axis];
  for_narrow(head, visit, limit, offsets);
  for_narrow(tail, visit, limit, rest);
}

/// Threads of a block, where nothing asks for another number.
constexpr unsigned kBlockThreads = 256;

/// Blocks of `per_block` items each.
inline int64_t blocks_for(int64_t items, int64_t per_block) { return (items + per_block - 1) / per_block; }

}  // namespace downhill::cuda
