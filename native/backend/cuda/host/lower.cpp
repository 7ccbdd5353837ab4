// Which function lowers which op.
#include "backend/cuda/host/lower.h"

#include "backend/families.h"

namespace downhill::cuda {

void lower(Lowering& lowering) {
  switch (family_of(lowering.step.op)) {
    case Family::elementwise:
      return lower_elementwise(lowering);
    case Family::matmul:
      return lower_matmul(lowering);
    case Family::reduce:
      return lower_reduce(lowering);
    case Family::argmax:
      return lower_argmax(lowering);
    case Family::attention:
      return lower_attention(lowering);
    case Family::normalization:
      return lower_normalization(lowering);
    case Family::recurrent:
      return lower_recurrent(lowering);
    case Family::rows:
      return lower_rows(lowering);
    case Family::copy:
      return lower_copy(lowering);
    case Family::cast:
      return lower_cast(lowering);
    case Family::noise:
      return lower_noise(lowering);
    case Family::gather:
      return lower_gather(lowering);
    case Family::scatter_add:
      return lower_scatter_add(lowering);
    case Family::one_hot:
      return lower_one_hot(lowering);
    case Family::conv:
      return lower_conv(lowering);
    case Family::pool:
      return lower_pool(lowering);
    case Family::sparse:
      return lower_sparse(lowering);
  }
}

}  // namespace downhill::cuda
