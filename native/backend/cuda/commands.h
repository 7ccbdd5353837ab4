// Commands as plain data: made by the host side (host/lower), carried through the C table, launched by the library.
#pragma once
#include <cstring>
#include <type_traits>

#include "backend/cuda/api.h"
#include "backend/cuda/commands/attention.h"
#include "backend/cuda/commands/conv.h"
#include "backend/cuda/commands/elementwise.h"
#include "backend/cuda/commands/indexing.h"
#include "backend/cuda/commands/matmul.h"
#include "backend/cuda/commands/movement.h"
#include "backend/cuda/commands/noise.h"
#include "backend/cuda/commands/normalization.h"
#include "backend/cuda/commands/recurrent.h"
#include "backend/cuda/commands/reduce.h"
#include "backend/cuda/commands/rows.h"
#include "backend/cuda/commands/sparse.h"
#include "backend/cuda/commands/step.h"
#include "backend/cuda/commands/update.h"

namespace downhill::cuda {

enum class CommandKind : uint32_t {
#define COMMAND(name, arguments) name,
#include "backend/cuda/commands.def"
  count_
};

#define COMMAND(name, arguments)                                                                            \
  inline DhCommand command(const arguments& args) {                                                         \
    static_assert(std::is_trivially_copyable_v<arguments> && sizeof(arguments) <= sizeof(DhCommand::args)); \
    DhCommand result{};                                                                                     \
    result.kind = static_cast<uint32_t>(CommandKind::name);                                                 \
    result.bytes = sizeof args;                                                                             \
    std::memcpy(result.args, &args, sizeof args);                                                           \
    return result;                                                                                          \
  }
#include "backend/cuda/commands.def"

}  // namespace downhill::cuda
