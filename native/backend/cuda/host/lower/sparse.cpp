// Steps on sparse rows; the command before the first of them checks the indices.
#include "backend/cuda/host/lower.h"
#include "plan/indices.h"

namespace downhill::cuda {

namespace {

SparseMatrix matrix(Lowering& lowering, int64_t columns, bool has_values) {
  SparseMatrix a{};
  a.indptr = static_cast<const int32_t*>(lowering.input(0));
  a.indices = static_cast<const int32_t*>(lowering.input(1));
  a.values = has_values ? static_cast<const float*>(lowering.input(2)) : nullptr;
  a.rows = lowering.in(0).shape.size() - 1;
  a.columns = columns;
  a.room = lowering.in(1).shape.size();
  if (!checked_before(lowering.plan, lowering.step)) lowering.add(CheckSparseArgs{a, lowering.id, lowering.state});
  return a;
}

}  // namespace

void lower_sparse(Lowering& lowering) {
  const Attrs& attrs = lowering.step.attrs;
  float* const y = static_cast<float*>(lowering.output());
  const auto floats = [&](int i) { return static_cast<const float*>(lowering.input(i)); };
  switch (lowering.step.op) {
    case Op::sparseMatmulGrad: {
      const SparseMatrix a = matrix(lowering, lowering.in(3).shape[0], false);
      return lowering.add(SparseDotsArgs{a, floats(2), floats(3), y, lowering.in(2).shape[1]});
    }
    case Op::sparseDropout: {
      const SparseMatrix a = matrix(lowering, attrs.integer("columns"), true);
      return lowering.add(SparseDropoutArgs{a, y, static_cast<float>(attrs.number("rate")),
                                            static_cast<uint64_t>(attrs.integer("key")), lowering.state});
    }
    default: {
      const SparseMatrix a = matrix(lowering, attrs.integer("columns"), true);
      return lowering.add(SparseProductArgs{a, floats(3), y, lowering.out().shape[1], attrs.flag("transposeA")});
    }
  }
}

}  // namespace downhill::cuda
