// Calls of the C table: what they report becomes an Error.
#pragma once
#include <utility>

#include "backend/cuda/api.h"
#include "core/error.h"

namespace downhill::cuda {

/// The Error that a function of the table reported, its code being one of core/error.h.
Error error_of(const DhError& error);

/// function(arguments…, &error); throws what it reports.
template <typename... Parameters, typename... Arguments>
void call(int (*function)(Parameters...), Arguments&&... arguments) {
  DhError error{};
  if (function(std::forward<Arguments>(arguments)..., &error) != 0) throw error_of(error);
}

}  // namespace downhill::cuda
