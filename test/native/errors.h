// What a call throws.
#pragma once
#include <string>

#include "core/error.h"

namespace downhill::test {

/// The code of the error that it throws, else "none".
template <typename F>
std::string code_of(F&& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.code();
  }
  return "none";
}

}  // namespace downhill::test
