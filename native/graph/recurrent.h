// Which cell an op of recurrent layers has, and which of its operands is what.
#pragma once
#include "graph/graph.h"
#include "ops/recurrent.h"

namespace downhill {

inline Cell cell_of(Op op) {
  return op == Op::lstm || op == Op::lstmGrad ? Cell::lstm
         : op == Op::gru || op == Op::gruGrad ? Cell::gru
                                              : Cell::simpleRNN;
}
inline bool is_recurrent_gradient(Op op) { return op == Op::simpleRNNGrad || op == Op::lstmGrad || op == Op::gruGrad; }

/// Operands before the initial states: x, kernel [, bias], or states, kernel, d.
inline int first_initial(Op op) { return is_recurrent_gradient(op) || sizes_of(cell_of(op)).bias ? 3 : 2; }

/// Where the mask stands among `count` operands: behind all others; -1: there is none.
inline int mask_operand(const Attrs& attrs, int count) { return attrs.flag("masked") ? count - 1 : -1; }

/// Whether initial states are among `count` operands.
inline bool has_initial(Op op, const Attrs& attrs, int count) {
  return count - attrs.flag("masked") > first_initial(op);
}

}  // namespace downhill
