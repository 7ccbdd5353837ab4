// What follows a matrix product elementwise, on lines of its finished blocks, or a normalization on finished rows.
#pragma once
#include <vector>

#include "backend/cpu/program.h"
#include "backend/layout.h"
#include "plan/passes/tails.h"

namespace downhill::cpu {

class Tail {
 public:
  explicit Tail(const Build& build);
  bool empty() const { return count_ == 0; }

  /// Of one run and one product: MatmulArgs::tail with its context. So of the rows of a normalization.
  struct Bound {
    const Tail* tail;
    const Run* run;
    int64_t first;  // the element of the arrays that the product begins at
  };
  static void apply(const void* bound, int64_t at, int64_t n);

 private:
  struct Call {
    ElementwiseFn elementwise = nullptr;  // null: noise
    int operands = 0;
    int in[kMaxOperands - 1] = {}, out = -1;  // values
    int64_t stride[kMaxOperands - 1] = {};
    float params[2] = {};
    NoiseFn noise = nullptr;
    NoiseParams noise_params;
  };

  void block(const Run& run, int64_t first, int64_t n) const;

  int count_ = 0;
  Call calls_[kMaxTail];
};

}  // namespace downhill::cpu
