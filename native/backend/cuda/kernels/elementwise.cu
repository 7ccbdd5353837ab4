// Which functor, for which types, by the elementwise rows of the table. The loop: device/elementwise.cuh.
#include "backend/cuda/device/elementwise.cuh"
#include "backend/cuda/commands.h"
#include "ops/activation.h"
#include "ops/binary.h"
#include "ops/unary.h"

namespace downhill::cuda {

namespace {

/// A row's functor over float32 or int32 operands; the host side asks only for what the row has.
template <int kArity, OpTypes kTypes, typename F>
void run(const ElementwiseArgs& args, Stream stream) {
  const F f = downhill::DH_ISA::make<F>(args.params);
  using OfFloat = std::conditional_t<kTypes == OpTypes::C, int32_t, float>;
  if (args.dtype == DType::float32) return launch_elements<kArity, float, OfFloat>(f, args.nest, args.at, stream);
  if constexpr (kTypes != OpTypes::F) launch_elements<kArity, int32_t, int32_t>(f, args.nest, args.at, stream);
}

}  // namespace

void launch_elementwise(const ElementwiseArgs& args, Stream stream) {
  switch (args.op) {
#define UNARY(name, functor, types, attributes, gradient) \
  case Op::name:                                          \
    return run<1, OpTypes::types, downhill::DH_ISA::functor>(args, stream);
#define BINARY(name, functor, types, attributes, gradient) \
  case Op::name:                                           \
    return run<2, OpTypes::types, downhill::DH_ISA::functor>(args, stream);
#define TERNARY(name, functor, types, attributes, gradient) \
  case Op::name:                                            \
    return run<3, OpTypes::types, downhill::DH_ISA::functor>(args, stream);
#define OP(name, arity, shape, attributes, gradient)
#define COMPOSITE(name, arity, attributes)
#include "ops/ops.def"
    default:
      return;
  }
}

}  // namespace downhill::cuda
