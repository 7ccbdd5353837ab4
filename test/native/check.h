// The least a native test needs: CHECK prints what failed and counts it; main returns failures().
#pragma once
#include <cstdio>

namespace downhill::test {

inline int& failures() {
  static int count = 0;
  return count;
}

#define CHECK(condition, ...)                                            \
  do {                                                                   \
    if (!(condition)) {                                                  \
      std::printf("%s:%d: %s failed. ", __FILE__, __LINE__, #condition); \
      std::printf(" " __VA_ARGS__);                                      \
      std::printf("\n");                                                 \
      ++::downhill::test::failures();                                    \
    }                                                                    \
  } while (0)

inline int report(const char* name) {
  std::printf("%s: %s\n", name, failures() ? "FAILED" : "ok");
  return failures() ? 1 : 0;
}

}  // namespace downhill::test
