// What the emulator's tests share: the error that a launch ends with, and which sanitizer watches.
#pragma once
#include <string>

#include "backend/cuda/device/platform.cuh"
#include "check.h"

namespace downhill::test {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAsan = true;
#else
constexpr bool kAsan = false;
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool kTsan = true;  // would rightly report kernels that have races on purpose
#else
constexpr bool kTsan = false;
#endif

/// The message of the LaunchError that work throws; "" when it throws none.
template <class Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const cuda::LaunchError& error) {
    return error.what();
  }
  return "";
}

inline bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

#define CHECK_ERROR(work, part)                                               \
  do {                                                                        \
    const std::string error_text = ::downhill::test::error_of([&] { work; }); \
    CHECK(::downhill::test::has(error_text, part), "%s", error_text.c_str()); \
  } while (0)

}  // namespace downhill::test
