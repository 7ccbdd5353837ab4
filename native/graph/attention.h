// Operands, sizes and layout of the attention ops, for shape rules, planning and backends.
#pragma once
#include "graph/graph.h"

namespace downhill {

/// Forward: (qkv [n, t, 3, heads, dim] [, mask]) or (q [n, t, heads, dim], k [n, keys, heads, dim], v [n, keys, heads,
/// value_dim] [, mask]) → y [n, t, heads (value_dim + 2)]: the results of all heads, then what the way back begins
/// with, the shift of each head's scores and the factor of their exponentials (ops/attention.h); these have no
/// gradient. Gradient: (y, d, then the operands of the forward op) → of qkv, or of q, k and v one after the other
/// [elements]. d: of the results, [n, t, heads value_dim]. A mask broadcasts to [n, heads, t, keys].
struct AttentionSizes {
  int64_t n, queries, keys, heads, dim, value_dim;
  bool packed;  // one operand holds q, k and v
  int first;    // operand: q, or qkv
  int mask;     // operand; -1: none

  int64_t results() const { return heads * value_dim; }      // elements of a time step, of all heads
  int64_t out_row() const { return results() + 2 * heads; }  // with what is kept: of y
  int64_t q_size() const { return n * queries * heads * dim; }
  int64_t k_size() const { return n * keys * heads * dim; }
  int64_t v_size() const { return n * keys * heads * value_dim; }
  Shape scores() const { return Shape({n, heads, queries, keys}); }
};

/// From the operands' shapes, which the shape rule has checked.
template <typename ShapeOf>
AttentionSizes attention_sizes(Op op, int count, ShapeOf&& shape_of) {
  AttentionSizes s{};
  s.first = op == Op::attentionGrad ? 2 : 0;
  const int operands = count - s.first;
  s.packed = operands < 3;
  const Shape& q = shape_of(s.first);
  const int last = q.rank() - 1;
  s.n = q[0], s.queries = q[1], s.heads = q[last - 1], s.dim = q[last];
  s.keys = s.packed ? s.queries : shape_of(s.first + 1)[1];
  s.value_dim = s.packed ? s.dim : shape_of(s.first + 2)[3];
  const int plain = s.packed ? 1 : 3;
  s.mask = operands > plain ? s.first + plain : -1;
  return s;
}

}  // namespace downhill
